"""What packs is served: graphs whose outputs are awkward, packed, published and asked by a client of a real agent, in requests of several sizes."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from sealift_core.errors import SealiftError
from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from support import graphs, packing
from support.agents import AgentUnderTest, device, wait_until
from support.repositories import Repository

pytestmark = pytest.mark.long

INT = TensorProto.INT64
PRODUCT = helper.make_node("MatMul", ["x", "w"], ["y"])
X, Y = graphs.value("x", ["N", 6]), graphs.value("y", ["N", 3])
WEIGHTS = [graphs.weights("w", 6, 3), *(graphs.constant(name, np.array([value], np.int64)) for name, value in (("zero", 0), ("one", 1)))]
Nodes = list[NodeProto]
Outputs = list[ValueInfoProto]

CASES: dict[str, tuple[Nodes, Outputs]] = {
    "another-width": ([PRODUCT], [graphs.value("y", ["N", 5])]),
    "another-rank": ([PRODUCT], [graphs.value("y", ["N"])]),
    "a-fixed-batch": ([PRODUCT], [graphs.value("y", [1, 3])]),
    "no-dimension": ([PRODUCT, helper.make_node("ReduceSum", ["y"], ["s"], keepdims=0)], [Y, graphs.value("s", [])]),
    "nothing-in-it": ([PRODUCT, helper.make_node("Slice", ["y", "zero", "zero", "one"], ["e"])], [Y, graphs.value("e", ["N", 0])]),
    "by-values": ([PRODUCT, helper.make_node("Relu", ["y"], ["r"]), helper.make_node("NonZero", ["r"], ["z"])], [graphs.value("z", [2, "K"], INT)]),
    "rows-by-values": (
        [
            PRODUCT,
            helper.make_node("ReduceMax", ["y", "one"], ["m"], keepdims=0),
            helper.make_node("Relu", ["m"], ["n"]),
            helper.make_node("Cast", ["n"], ["c"], to=TensorProto.BOOL),
            helper.make_node("Compress", ["y", "c"], ["k"], axis=0),
        ],
        [graphs.value("k", ["N", 3])],
    ),
    "twice-the-rows": ([PRODUCT, helper.make_node("Concat", ["y", "y"], ["d"], axis=0)], [graphs.value("d", ["N", 3])]),
    "the-input-too": ([PRODUCT], [Y, X]),
    "odd-names": ([helper.make_node("MatMul", ["x", "w"], ['größe/0:0 "q"'])], [graphs.value('größe/0:0 "q"', ["N", 3])]),
}
REFUSED: dict[str, tuple[Nodes, Outputs, str]] = {
    "two-of-one-name": ([PRODUCT], [Y, Y], "with a name of its own"),
    "a-long-name": ([helper.make_node("MatMul", ["x", "w"], ["n" * 600])], [graphs.value("n" * 600, ["N", 3])], "at most 500 characters"),
    "a-sequence": (
        [PRODUCT, helper.make_node("SplitToSequence", ["y"], ["s"])],
        [helper.make_value_info("s", helper.make_sequence_type_proto(helper.make_tensor_type_proto(graphs.FLOAT, None)))],
        "must be tensors",
    ),
}


def request(folder: Path, name: str, nodes: Nodes, outputs: Outputs) -> PackRequest:
    folder.mkdir(exist_ok=True)
    onnx.save(graphs.model(nodes, [X], outputs, WEIGHTS), folder / f"{name}.onnx")
    profile = dataclasses.replace(packing.here(), precisions=("fp32",))
    return PackRequest(
        model=folder / f"{name}.onnx", name=name, version="1.0.0", profiles=(profile,), out=folder / name, signer=packing.KEY, measure_seconds=0.1
    )


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentUnderTest]:
    """A device with all models of `CASES`."""
    folder = tmp_path_factory.mktemp("awkward")
    repository = Repository(folder / "repository", now=datetime.datetime.now(datetime.UTC))
    for name, (nodes, outputs) in CASES.items():
        packed = pack(request(folder / "built", name, nodes, outputs))
        repository.vouch(packed.directory, packed.release)
    repository.publish_targets()
    (folder / "root.json").write_bytes(repository.trusted_root())
    with device(folder / "home") as started:
        started.init(repository.directory, folder / "root.json")
        started.command("sync").ok()
        started.start()
        wait_until(lambda: all(started.serving(name) for name in CASES), 60, "every model to be served")
        yield started


@pytest.mark.parametrize("name", CASES)
def test_it_is_served_with_any_number_of_rows(name: str, agent: AgentUnderTest) -> None:
    nodes, outputs = CASES[name]
    source = graphs.model(nodes, [X], outputs, WEIGHTS)
    del source.graph.output[:]
    source.graph.output.extend(helper.make_empty_tensor_value_info(output.name) for output in outputs)
    session = onnxruntime.InferenceSession(source.SerializeToString(), providers=["CPUExecutionProvider"])
    declared = {output["name"]: output["shape"] for output in agent.get(f"/v2/models/{name}")["outputs"]}
    for number, rows in enumerate((1, 2, 7, 7, 7)):  # of a shape that comes again, the buffers are kept
        x = np.random.default_rng(number).normal(size=(rows, 6)).astype(np.float32)
        answer = agent.infer(name, [{"name": "x", "datatype": "FP32", "shape": list(x.shape), "data": x.tolist()}])
        expected = dict(zip([output.name for output in outputs], session.run(None, {"x": x}), strict=True))
        got: dict[str, Any] = {output["name"]: output for output in answer["outputs"]}
        assert set(got) == set(expected)
        for output, value in expected.items():
            assert got[output]["shape"] == list(value.shape)
            assert np.allclose(got[output]["data"], value.ravel(), rtol=1e-4, atol=1e-5)
            assert all(size in (-1, given) for size, given in zip(declared[output], value.shape, strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_or_it_is_refused_when_it_is_packed(name: str, tmp_path: Path) -> None:
    nodes, outputs, words = REFUSED[name]
    with pytest.raises(SealiftError, match=words):
        pack(request(tmp_path / "built", name, nodes, outputs))
    assert not (tmp_path / "built" / name).exists()
