"""Weights leave the graph once they exceed 4 MiB, in page-aligned shards that onnxruntime loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.graph.weights import PAGE_BYTES, SHARD_BYTES, place, write_model

MIB = 2**20


@given(st.lists(st.integers(1, 40 * MIB), max_size=30))
def test_tensors_lie_on_pages_of_their_own_in_order_and_shards_keep_their_bound(sizes: list[int]) -> None:
    places = place(sizes)
    ends: dict[int, int] = {}
    for size, where in zip(sizes, places, strict=True):
        assert where.offset % PAGE_BYTES == 0
        assert where.offset >= ends.get(where.shard, 0)
        assert where.offset + size <= SHARD_BYTES or where.offset == 0
        ends[where.shard] = where.offset + size
    assert [placement.shard for placement in places] == sorted(placement.shard for placement in places)


def test_a_tensor_larger_than_a_shard_has_one_of_its_own() -> None:
    assert [placement.shard for placement in place([MIB, 20 * MIB, MIB])] == [0, 1, 2]


def model(columns: int) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    weights = [numpy_helper.from_array(random.normal(size=(256, columns)).astype(np.float32), f"w{i}") for i in range(3)]
    nodes = [helper.make_node("MatMul", ["x", f"w{i}"], [f"h{i}"]) for i in range(3)] + [helper.make_node("Sum", ["h0", "h1", "h2"], ["y"])]
    shapes = (
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", columns])],
    )
    return helper.make_model(helper.make_graph(nodes, "g", *shapes, weights), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_sharded_model_loads_from_its_directory_and_gives_the_same_answers(tmp_path: Path) -> None:
    whole = model(8192)  # 3 × 8 MiB
    before = whole.SerializeToString()
    write_model(whole, tmp_path)
    assert whole.SerializeToString() == before
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == ["00000.bin", "00001.bin"]
    x = np.ones((2, 256), np.float32)
    answers = [onnxruntime.InferenceSession(source).run(None, {"x": x})[0] for source in (before, str(tmp_path / "model.onnx"))]
    assert np.array_equal(*answers)


def test_small_weights_stay_inside(tmp_path: Path) -> None:
    write_model(model(1024), tmp_path)  # 3 MiB
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
