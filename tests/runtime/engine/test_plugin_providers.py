"""Providers that come as a plug-in: OpenVINO's beside plain onnxruntime."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sealift_core.errors import EngineError
from sealift_runtime.engine import plugin_providers, session
from sealift_runtime.engine.facts import machine_providers, providers
from support.models import make_manifest

OPENVINO = "OpenVINOExecutionProvider"
GRAPH = Path(__file__).parents[2] / "corpus" / "models" / "linear" / "model.onnx"
INSTALLED = importlib.util.find_spec("onnxruntime_ep_openvino") is not None


@pytest.fixture(autouse=True)
def _devices_looked_up_anew() -> Iterator[None]:
    plugin_providers.devices.cache_clear()
    yield
    plugin_providers.devices.cache_clear()


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in package whose library is none."""
    (tmp_path / "broken_plugin.so").write_text("no library")
    (tmp_path / "broken_plugin.py").write_text(f"def get_library_path():\n    return {str(tmp_path / 'broken_plugin.so')!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugin_providers, "MODULES", {OPENVINO: "broken_plugin"})


@pytest.mark.skipif(INSTALLED, reason="OpenVINO's plug-in is installed")
def test_without_the_plug_in_only_what_onnxruntime_was_built_with_is_there() -> None:
    assert plugin_providers.installed() == ()
    assert OPENVINO not in providers()


@pytest.mark.skipif(INSTALLED, reason="OpenVINO's plug-in is installed")
def test_a_bundle_for_openvino_says_which_package_is_missing() -> None:
    plain = make_manifest()
    manifest = dataclasses.replace(plain, session=dataclasses.replace(plain.session, providers=(OPENVINO, "CPUExecutionProvider")))
    with pytest.raises(EngineError, match="Install onnxruntime-ep-openvino in addition to onnxruntime"):
        session._check_requirements(manifest, "model.onnx")


@pytest.mark.usefixtures("broken")
def test_a_library_that_can_t_be_loaded_is_named() -> None:
    assert plugin_providers.installed() == (OPENVINO,)
    too_old = not hasattr(onnxruntime, "register_execution_provider_library")  # below 1.22
    message = f"can't load a plug-in for {OPENVINO}" if too_old else f"the library of {OPENVINO} can't be loaded"
    for ask in (providers, machine_providers):
        with pytest.raises(EngineError, match=message):
            ask()


@pytest.mark.skipif(not INSTALLED, reason="OpenVINO's plug-in is not installed: pip install onnxruntime-ep-openvino")
def test_openvino_answers_as_the_processor_s_own_kernels_or_has_no_device_here() -> None:
    plain = make_manifest()
    settings = dataclasses.replace(plain.session, providers=(OPENVINO, "CPUExecutionProvider"))
    if not plugin_providers.usable():
        with pytest.raises(EngineError, match="finds no device on this machine"):
            session._check_requirements(dataclasses.replace(plain, session=settings), "model.onnx")
        return
    inputs = {spec.name: np.full([2 if isinstance(size, str) else size for size in spec.shape], 0.5, spec.dtype) for spec in plain.inputs}
    names = [spec.name for spec in plain.outputs]
    fast = session.open_session(GRAPH, settings, list(settings.providers), [{}, {}], where="model")
    slow = session.open_session(GRAPH, plain.session, ["CPUExecutionProvider"], [{}], where="model")
    assert fast.get_providers()[0] == OPENVINO
    for ours, theirs in zip(fast.run(names, inputs), slow.run(names, inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
