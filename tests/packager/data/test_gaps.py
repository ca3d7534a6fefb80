"""Rows with missing numbers are left out only where the model itself, asked with them, has no answer; whatever its format says about gaps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.errors import DataError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import Array, Arrays, LoadOptions, SourceModel

ROWS = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)


def filling(folder: Path, batch: int | str = "n", *, columns: tuple[float, float] = (0.0, 0.0)) -> SourceModel:
    """A graph that gives these numbers in the place of a gap."""
    nodes = [helper.make_node("IsNaN", ["x"], ["gap"]), helper.make_node("Where", ["gap", "fill", "x"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(np.array(columns, np.float32), "fill")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "m.onnx")
    return load_model(folder / "m.onnx", LoadOptions())


def bound(source: SourceModel, rows: Array, folder: Path) -> Holdout:
    np.savez(folder / "d.npz", x=rows, target=np.arange(float(len(rows))))
    return bind(read_data(folder / "d.npz", None, "target"), source, "target")


def with_gaps(*places: Any) -> Array:
    rows = ROWS.copy()
    for place in places:
        rows[place] = np.nan
    return rows


@pytest.mark.parametrize("batch", ["n", 4])
def test_a_graph_that_answers_gaps_keeps_their_rows(batch: int | str, tmp_path: Path) -> None:
    rows = with_gaps(slice(3, 30), (50, 1))
    holdout = bound(filling(tmp_path, batch), rows, tmp_path)
    assert (holdout.rows, holdout.left_out, holdout.numbers) == (100, (), ())
    assert np.array_equal(holdout.inputs["x"], rows, equal_nan=True)


@pytest.mark.parametrize("batch", ["n", 4])
def test_rows_that_a_graph_answers_with_no_number_are_left_out_and_the_others_kept(batch: int | str, tmp_path: Path) -> None:
    holdout = bound(filling(tmp_path, batch, columns=(0.0, np.nan)), with_gaps((3, 0), (5, 1), (9, 1)), tmp_path)
    assert [(part.rows, part.reason) for part in holdout.left_out] == [((5, 9), "missing values")]
    assert holdout.rows == 98
    assert np.isnan(holdout.inputs["x"]).sum() == 1
    assert holdout.target.tolist() == [row for row in range(100) if row not in (5, 9)]


def test_many_of_them_are_refused_by_the_first_one_that_has_no_answer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x: missing values, which this model does not accept.*row 20"):
        bound(filling(tmp_path, columns=(0.0, np.nan)), with_gaps((3, 0), (slice(20, 40), 1)), tmp_path)


def test_rows_that_the_model_refuses_are_left_out_where_they_are_few(tmp_path: Path) -> None:
    def predict(arrays: Arrays) -> dict[str, Array]:
        if np.isnan(arrays["x"][:, 1]).any():
            raise ValueError("no gaps, please")
        return {"y": np.nan_to_num(arrays["x"])}

    source = dataclasses.replace(filling(tmp_path), predict=predict)
    holdout = bound(source, with_gaps((3, 0), (5, 1)), tmp_path)
    assert [part.rows for part in holdout.left_out] == [(5,)]
    with pytest.raises(DataError, match=r"missing values, which this model does not accept.*row 20"):
        bound(source, with_gaps((3, 0), (slice(20, 40), 1)), tmp_path)


def test_rows_with_a_gap_where_only_a_whole_number_can_be_given_are_left_out(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["n"], ["whole"], to=TensorProto.FLOAT), helper.make_node("Add", ["whole", "x"], ["y"])]
    ends = [helper.make_tensor_value_info(name, kind, ["batch", 1]) for name, kind in (("n", TensorProto.INT64), ("x", TensorProto.FLOAT))]
    graph = helper.make_graph(nodes, "g", ends, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "m.onnx")
    whole, other = np.arange(100.0), np.arange(100.0)
    whole[7], other[[2, 9]] = np.nan, np.nan
    np.savez(tmp_path / "d.npz", n=whole, x=other, target=np.arange(100.0))
    holdout = bind(read_data(tmp_path / "d.npz", None, "target"), load_model(tmp_path / "m.onnx", LoadOptions()), "target")
    assert [part.rows for part in holdout.left_out] == [(2, 7, 9)]
    assert holdout.inputs["n"].ravel().tolist() == holdout.target.tolist() == [row for row in range(100) if row not in (2, 7, 9)]
