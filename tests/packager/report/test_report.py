"""report.html and report.json of a build that was measured: every figure is in both."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest

from sealift_packager.assemble.model_card import model_card
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.report.plots import WORST_NODES, node_errors, short_names
from sealift_packager.report.sentences import explain
from sealift_packager.report.write import write_report
from support import trained
from support.models import make_profile
from support.packing import request


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A build for this machine that is held against its source by cosine."""
    profile = make_profile(precisions=("fp32", "int8-dynamic", "int8-static"))
    return pack(request(trained.onnx_net(), tmp_path_factory.mktemp("report") / "out", profile, metric="cosine", measure_seconds=0.2))


@pytest.fixture(scope="module")
def report(packed: Packed, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    place = tmp_path_factory.mktemp("written")
    write_report(packed, place)
    return json.loads((place / "report.json").read_text()), (place / "report.html").read_text()


def candidates(report: tuple[dict[str, Any], str]) -> dict[str, dict[str, Any]]:
    return {candidate["name"]: candidate for candidate in report[0]["profiles"][0]["candidates"]}


def test_the_errors_of_each_node_that_int8_computes_are_in_both_files(report: tuple[dict[str, Any], str]) -> None:
    by_name = candidates(report)
    assert by_name["fp32"]["node_errors"] == []
    assert {error["node"] for error in by_name["int8-static"]["node_errors"]} == {error["node"] for error in by_name["int8-dynamic"]["node_errors"]}
    for name in ("int8-static", "int8-dynamic"):
        errors = [error["relative_squared_error"] for error in by_name[name]["node_errors"]]
        assert errors == sorted(errors, reverse=True)
        assert 0 < errors[0] < 0.01
        assert f"Error by node: {name}" in report[1]
        for error in by_name[name]["node_errors"]:
            assert f"{error['node']}: {error['relative_squared_error']:.3g}" in report[1]


def test_throughput_is_in_both_files_and_in_words(packed: Packed, report: tuple[dict[str, Any], str]) -> None:
    by_name = candidates(report)
    assert all(candidate["throughput"]["rows_per_s"] > 0 for candidate in by_name.values())
    for rate in (candidate["throughput"]["rows_per_s"] for candidate in by_name.values()):
        assert (f"{rate:,.0f} /s" if rate >= 100 else f"{rate:.3g} /s") in report[1]  # a busy machine has few
    shipped = next(candidate for candidate in by_name.values() if candidate["chosen"])
    words = f"answers {shipped['throughput']['rows_per_s']:,.0f} rows per second, in batches of {shipped['throughput']['batch_size']}."
    manifest = packed.manifests["any-cpu"]
    assert any(words in sentence for sentence in explain(manifest))
    assert f"| {shipped['throughput']['rows_per_s']:,.0f} |" in model_card(manifest)


def test_the_worst_row_of_a_metric_that_limits_single_rows_is_recorded(packed: Packed, report: tuple[dict[str, Any], str]) -> None:
    accuracy = candidates(report)["int8-static"]["accuracy"]
    assert 0.9 < accuracy["packaged_worst_row"] < accuracy["packaged"] < 1
    shipped = packed.manifests["any-cpu"].evaluation.accuracy
    assert shipped is not None
    assert f"worst row {shipped.packaged_worst_row:.4g}" in report[1]
    assert f"(worst row {shipped.packaged_worst_row:.6g})" in model_card(packed.manifests["any-cpu"])


def test_the_worst_nodes_are_shown_those_in_fp32_pale_and_long_names_cut_in_the_middle() -> None:
    names = [f"/encoder/layer.{number}/attention/self/query/MatMul<1>" for number in range(40)]
    errors = [{"node": names[number], "relative_squared_error": 0.5 / (number + 1), "reverted": number == 0} for number in range(40)]
    plot = node_errors({"name": "int8", "chosen": False, "reason": "passes", "node_errors": errors})
    assert plot.count("<rect") == WORST_NODES
    assert plot.count("reverted") == 1
    assert html.escape(f"{names[0]}: 0.5") in plot
    assert html.escape("layer.11/atte…uery/MatMul<1>") in plot
    assert node_errors({"node_errors": []}) == ""


def test_names_of_nodes_are_told_apart_by_what_differs() -> None:
    assert short_names(["/encoder/layer.1/MatMul", "/encoder/layer.2/MatMul"]) == ["layer.1/MatMul", "layer.2/MatMul"]
    assert short_names(["/a/b/Conv"]) == ["Conv"]
    assert short_names([f"{'x' * 40}{end}" for end in "ab"]) == [f"{'x' * 13}…{'x' * 13}{end}" for end in "ab"]
