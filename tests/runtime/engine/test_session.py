"""A bundle directory becomes a session that answers as its manifest says."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as state

from sealift_core.bundle.manifest import BundleManifest, Requirements
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import EngineError
from sealift_core.hardware.limits import usable_cores
from sealift_core.session_entries import ARENA_KEY
from sealift_runtime.engine.facts import onnxruntime_version, providers
from sealift_runtime.engine.session import ModelSession, session_options
from sealift_runtime.engine.translate import FOREIGN, translating
from support.models import CORPUS, MODELS, answer, make_bundle, make_manifest


def open_model(tmp_path: Path, model: str = "linear", **changes: Any) -> ModelSession:
    make_bundle(tmp_path / "bundle", model=model, **changes)
    return ModelSession.open(tmp_path / "bundle")


@pytest.mark.parametrize("model", MODELS)
def test_a_session_answers_as_onnxruntime_does(tmp_path: Path, model: str) -> None:
    session = open_model(tmp_path, model)
    for request in MODELS[model].requests:
        expected = answer(model, request)
        for _ in range(5):  # the later ones take the fast path
            outputs = session.run(request)
            assert list(outputs) == [spec.name for spec in session.manifest.outputs]
            for name, value in expected.items():
                np.testing.assert_array_equal(outputs[name], value)


def test_a_session_gives_only_the_requested_outputs(tmp_path: Path) -> None:
    outputs = open_model(tmp_path).run(MODELS["linear"].requests[0], ["label"])
    assert list(outputs) == ["label"]


def test_the_example_is_the_smallest_golden_case(tmp_path: Path) -> None:
    np.testing.assert_array_equal(open_model(tmp_path).example["x"], MODELS["linear"].requests[0]["x"])


def test_repeated_requests_do_not_share_memory_with_earlier_answers(tmp_path: Path) -> None:
    session = open_model(tmp_path)
    inputs = [np.random.default_rng(i).normal(size=(1, 4)).astype(np.float32) for i in range(6)]
    answers = [session.run({"x": x}) for x in inputs]
    for x, outputs in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(outputs["scores"], answer("linear", {"x": x})["scores"])


def test_many_threads_get_their_own_answers(tmp_path: Path) -> None:
    session = open_model(tmp_path)
    wrong: list[int] = []

    def ask(seed: int) -> None:
        generator = np.random.default_rng(seed)
        for _ in range(300):
            x = generator.normal(size=(generator.integers(1, 3), 4)).astype(np.float32)
            scores = session.run({"x": x})["scores"]
            if not np.allclose(scores, session.run({"x": x}, ["scores"])["scores"]):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_wrong_dtypes_and_shapes_are_refused_after_the_fast_path_has_learnt(tmp_path: Path) -> None:
    session = open_model(tmp_path)
    for _ in range(4):
        session.run(MODELS["linear"].requests[0])
    for wrong in (np.ones((1, 4)), np.ones((1, 5), np.float32), np.ones(4, np.float32)):
        with pytest.raises(EngineError, match="the model does not run"):
            session.run({"x": wrong})
    with pytest.raises(EngineError, match="x"):
        session.run({})


def test_weights_come_from_the_shards_beside_the_graph(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", model="sharded")
    (tmp_path / "bundle" / "weights" / "00001.bin").unlink()
    with pytest.raises(EngineError, match="the model does not load"):
        ModelSession.open(tmp_path / "bundle")


def test_a_broken_graph_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"model\.onnx: the model does not load"):
        ModelSession.open(tmp_path / "bundle")


def test_a_missing_manifest_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"bundle\.json: the file can't be read"):
        ModelSession.open(tmp_path)


def _requiring(versions: str) -> Requirements:
    return Requirements(onnxruntime=versions, cpu_flags=(), memory_bytes=0, disk_bytes=0)


def test_another_onnxruntime_is_refused_with_both_versions(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"the bundle needs another version of onnxruntime: expected <1.0, found {onnxruntime_version()}"):
        open_model(tmp_path, requires=_requiring("<1.0"))


def test_a_malformed_version_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="malformed"):
        open_model(tmp_path, requires=_requiring("about 1.20"))


def test_a_missing_provider_is_refused_and_never_replaced(tmp_path: Path) -> None:
    settings = dataclasses.replace(make_manifest().session, providers=("TensorrtExecutionProvider", "CPUExecutionProvider"))
    with pytest.raises(EngineError, match="expected TensorrtExecutionProvider") as caught:
        open_model(tmp_path, session=settings)
    assert all(name in str(caught.value) for name in providers())


@pytest.mark.parametrize(
    ("spec", "graph_tensor"),
    [
        (TensorSpec(name="x", dtype="float64", shape=("batch", 4)), "tensor(float)"),
        (TensorSpec(name="x", dtype="float32", shape=("batch", 5)), "['batch', 4]"),
        (TensorSpec(name="x", dtype="float32", shape=("batch",)), "['batch', 4]"),
    ],
)
def test_a_manifest_that_contradicts_the_graph_is_refused(tmp_path: Path, spec: TensorSpec, graph_tensor: str) -> None:
    make_bundle(tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    path.write_bytes(dataclasses.replace(BundleManifest.parse(path.read_bytes()), inputs=(spec,)).to_bytes())
    with pytest.raises(EngineError, match="the graph and the manifest disagree") as caught:
        ModelSession.open(tmp_path / "bundle")
    assert graph_tensor in str(caught.value)


def test_a_manifest_with_another_input_name_is_refused(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    spec = TensorSpec(name="y", dtype="float32", shape=("batch", 4))
    path.write_bytes(dataclasses.replace(BundleManifest.parse(path.read_bytes()), inputs=(spec,)).to_bytes())
    with pytest.raises(EngineError, match="expected y, found x"):
        ModelSession.open(tmp_path / "bundle")


def test_options_follow_the_manifest() -> None:
    config = {ARENA_KEY: "0", "session.force_spinning_stop": "1"}
    settings = dataclasses.replace(make_manifest().session, intra_op_threads=2, graph_optimization="basic", config=config)
    options = session_options(settings)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (min(2, usable_cores()), 1)
    assert options.graph_optimization_level.name == "ORT_ENABLE_BASIC"
    assert options.enable_cpu_mem_arena is False
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_every_exception_of_onnxruntime_is_translated() -> None:
    native = {error_type for error_type in vars(state).values() if isinstance(error_type, type) and issubclass(error_type, Exception)}
    assert native
    assert native <= set(FOREIGN)
    for error_type in FOREIGN:
        with pytest.raises(EngineError, match="it broke"), translating("here", "it broke"):
            raise error_type("why")


def test_the_committed_graphs_are_tiny() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 20_000
