"""A graph can compute and nothing else: what is refused before onnxruntime sees it, and how quickly."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime.capi import onnxruntime_pybind11_state as state

from sealift_core.bundle import files
from sealift_core.errors import EngineError, IntegrityError, LimitError, SealiftError
from sealift_core.verify import operators, protobuf
from sealift_core.verify.graph import check_bundle_graph, check_graph, check_graph_file
from sealift_runtime.engine.session import ModelSession
from support.hostile_graphs import SHARD, SHARD_BYTES, external, function, hostile_graphs, linear_graph, model, node, number, opset, part, tensor
from support.models import CORPUS, MODELS, make_bundle

SHARDS = {SHARD: SHARD_BYTES}
HOSTILE = hostile_graphs()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_graph_that_only_computes_is_accepted_and_its_operators_are_told(name: str) -> None:
    operators_in = check_bundle_graph(CORPUS / name)
    assert ("Loop" in operators_in) is (name == "slow")
    assert all(operators_in)


def test_a_graph_made_anew_from_its_parts_is_accepted() -> None:
    check_graph(model(), {}, where="model.onnx")


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_graph_that_does_more_is_refused(name: str) -> None:
    with pytest.raises(SealiftError, match=r"^model\.onnx: ") as caught:
        check_graph(HOSTILE[name].data, SHARDS, where="model.onnx")
    assert HOSTILE[name].words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_bundle_with_such_a_graph_is_not_loaded(name: str, tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "weights").mkdir()
    (tmp_path / "bundle" / SHARD).write_bytes(bytes(SHARD_BYTES))
    (tmp_path / "bundle" / files.GRAPH).write_bytes(HOSTILE[name].data)
    with pytest.raises(EngineError, match="the model does not load: ") as caught:
        ModelSession.open(tmp_path / "bundle")
    assert HOSTILE[name].words in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        part(5, external(SHARD, length="64")),
        part(5, external(SHARD, offset="0", length="64")),
        part(5, external(SHARD, offset="48", length="16", checksum="da39a3ee")),
        part(1, node("Gelu", domain="com.microsoft", inputs=("x",))),
        part(1, node("Scaler", domain="ai.onnx.ml", inputs=("x",))),
        part(1, node("Conv", domain="com.microsoft.nchwc", inputs=("x",))),
    ],
)
def test_what_computes_is_accepted_beside_the_rest(fields: bytes) -> None:
    check_graph(model(fields), SHARDS, where="model.onnx")


def test_a_function_of_the_model_may_have_a_domain_of_its_own() -> None:
    mean_function = function("pkg.onnxscript.torch_lib", "aten_mean", part(7, node("Identity", inputs=("x",), output="y")))
    call = part(1, node("aten_mean", domain="pkg.onnxscript.torch_lib", inputs=("x",)))
    check_graph(model(call, opset("pkg.onnxscript.torch_lib") + mean_function), {}, where="model.onnx")
    with pytest.raises(IntegrityError, match="an operator that a bundle may not use"):
        check_graph(model(call), {}, where="model.onnx")


def test_every_operator_of_the_installed_onnxruntime_is_allowed_or_refused_on_purpose() -> None:
    installed = {(row.domain, row.name) for row in state.get_all_operator_schema()}
    refused = {row for row in installed if not operators.is_allowed(*row)}
    assert refused == {("com.microsoft", "EPContext"), ("com.microsoft", "Snpe")}


def test_weights_that_are_links_are_none_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "secret").write_bytes(bytes(SHARD_BYTES))
    (tmp_path / SHARD).symlink_to(tmp_path / "secret")
    (tmp_path / files.GRAPH).write_bytes(model(part(5, external(SHARD, length="16"))))
    with pytest.raises(IntegrityError, match="a file that isn't part of the bundle"):
        check_bundle_graph(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "00000.bin").write_bytes(bytes(SHARD_BYTES))
    (tmp_path / SHARD).unlink()
    (tmp_path / "weights").rmdir()
    (tmp_path / "weights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="a file that isn't part of the bundle"):
        check_bundle_graph(tmp_path)


@pytest.mark.parametrize("file_type", ["folder", "link", "pipe", "nothing", "empty"])
def test_a_graph_that_is_no_file_is_refused(file_type: str, tmp_path: Path) -> None:
    path = tmp_path / files.GRAPH
    if file_type == "folder":
        path.mkdir()
    elif file_type == "link":
        path.symlink_to(CORPUS / "linear" / "model.onnx")
    elif file_type == "pipe":
        os.mkfifo(path)
    elif file_type == "empty":
        path.touch()
    with pytest.raises(SealiftError, match=r"model\.onnx"):
        check_bundle_graph(tmp_path)


def test_a_graph_that_is_replaced_while_it_loads_does_not_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bundle(tmp_path / "bundle")
    path = tmp_path / "bundle" / files.GRAPH

    def replace(directory: Path) -> frozenset[str]:
        operators_in = check_bundle_graph(directory)
        path.write_bytes(model())
        return operators_in

    monkeypatch.setattr("sealift_runtime.engine.session.check_bundle_graph", replace)
    with pytest.raises(EngineError, match="the graph changed while it was being loaded"):
        ModelSession.open(tmp_path / "bundle")


# Time and memory


def seconds(data: bytes) -> float:
    start = time.process_time()
    check_graph(data, {}, where="model.onnx")
    return time.process_time() - start


@pytest.mark.slow
def test_weights_inside_the_graph_cost_no_time(tmp_path: Path) -> None:
    layer = part(1, node("MatMul", part(3, "/encoder/layer/attention/self/MatMul"), inputs=("x", "w"))) * 1500
    weights = part(5, tensor(part(9, bytes(920_000)), values=230_000)) * 100
    path = tmp_path / "model.onnx"
    path.write_bytes(model(layer + weights))
    assert path.stat().st_size > 90_000_000
    start = time.process_time()
    check_graph_file(path, {})
    assert time.process_time() - start < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "count"),
    [
        (part(8, b"\x01" * 1000), 1_000),
        (number(8, 300), 1_000_000),
        (number(8, 2**64 - 1), 1_000_000),
        (b"\x3d\x00\x00\x80\x3f", 1_000_000),
        (part(9, "BRANCH_LEQ"), 1_000_000),
        (part(9, "a longer word of which a vocabulary is made"), 1_000_000),
    ],
)
def test_a_million_numbers_of_a_tree_take_a_moment(field: bytes, count: int) -> None:
    tree = node("TreeEnsembleRegressor", part(5, part(1, "values") + field * count), domain="ai.onnx.ml", inputs=("x",))
    assert seconds(model(part(1, tree))) < 5


@pytest.mark.slow
@pytest.mark.parametrize("field", [part(1, b""), part(1, part(1, b"")), part(5, b""), part(13, b"\x0a\x00"), part(14, b""), part(16, b"")])
def test_twice_the_fields_take_twice_the_time(field: bytes) -> None:
    small, large = (min(seconds(model(field * count)) for _ in range(3)) for count in (20_000, 80_000))
    assert large < 4 * 2.5 * small


def test_too_many_fields_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 10_000)
    with pytest.raises(LimitError, match="too many fields: expected at most 10,000"):
        check_graph(model(part(1, node("Add")) * 5_000), {}, where="model.onnx")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_accepted(data: bytes) -> None:
    check_or_refuse(data)


@given(st.data())
def test_a_graph_with_other_bytes_in_it_is_refused_or_accepted(data: st.DataObject) -> None:
    whole = bytearray(model(part(5, external(SHARD, length="16"))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    check_or_refuse(bytes(whole))


@given(st.integers(0, len(model()) - 1))
def test_a_graph_that_is_cut_off_is_refused(size: int) -> None:
    rest, _ = linear_graph()
    if size > len(rest):
        with pytest.raises(SealiftError):
            check_graph(model()[:size], {}, where="model.onnx")


def check_or_refuse(data: bytes) -> None:
    """No other exception than ours, and never for long."""
    try:
        check_graph(data, SHARDS, where="model.onnx")
    except SealiftError as error:
        assert error.where == "model.onnx"
