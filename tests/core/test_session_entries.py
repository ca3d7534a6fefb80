"""What a manifest may set of a session: a short list, and nothing that onnxruntime has beside it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from sealift_core.bundle.manifest import BundleManifest, SessionSettings
from sealift_core.errors import DocumentError, EngineError
from sealift_core.hardware.limits import usable_cores
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.session_entries import ENTRIES, MAX_THREADS, PROVIDERS
from sealift_runtime.engine.session import ModelSession, session_options
from support.models import make_bundle, make_manifest, make_profile
from support.native_entries import native_entries


def with_session(**changes: Any) -> bytes:
    fields = json.loads(make_manifest().to_bytes())
    fields["session"] |= changes
    return json.dumps(fields).encode()


def settings(**changes: Any) -> SessionSettings:
    return dataclasses.replace(make_manifest().session, **changes)


def test_the_installed_onnxruntime_has_many_more_entries_than_are_allowed() -> None:
    entries = native_entries()
    assert len(entries) > 30
    assert {"session.node_partition_config_file", "ep.context_file_path"} <= entries
    assert "session.model_external_initializers_file_folder_path" in entries
    assert {name for name in ENTRIES if not name.startswith("sealift.")} <= entries


@pytest.mark.parametrize("name", sorted(native_entries() - set(ENTRIES)))
def test_an_entry_that_is_not_on_the_list_is_refused_by_the_manifest_and_by_the_session(name: str) -> None:
    with pytest.raises(DocumentError, match=r"^m: session\.config: this session entry isn't allowed: expected one of .*, found ") as caught:
        BundleManifest.parse(with_session(config={name: "1"}), where="m")
    assert name in str(caught.value)
    with pytest.raises(DocumentError, match="this session entry isn't allowed"):
        session_options(settings(config={name: "1"}))


@pytest.mark.parametrize(
    "name", ["", "session", "session.disable_quant_qdq ", "SESSION.DISABLE_QUANT_QDQ", "session.disable_quant_qdq\0", "x" * 10_000]
)
def test_nor_is_a_name_that_looks_like_an_allowed_one(name: str) -> None:
    with pytest.raises(DocumentError, match="this session entry isn't allowed") as caught:
        BundleManifest.parse(with_session(config={name: "1"}), where="m")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", sorted(ENTRIES))
@pytest.mark.parametrize("value", ["", "2", "true", "/etc/passwd", "1\0", "1 "])
def test_a_value_that_is_not_on_the_list_is_refused(name: str, value: str) -> None:
    with pytest.raises(
        DocumentError, match=rf"^m: session\.config\.{re.escape(name)}: this value isn't allowed for the session entry: expected '0' or '1'"
    ):
        BundleManifest.parse(with_session(config={name: value}), where="m")


def test_what_is_on_the_list_is_taken() -> None:
    config = {name: values[-1] for name, values in ENTRIES.items()}
    assert BundleManifest.parse(with_session(config=config)).session.config == config
    options = session_options(settings(config=config))
    assert options.get_session_config_entry("session.disable_quant_qdq") == "1"


@pytest.mark.parametrize("name", [*sorted(set(onnxruntime.get_all_providers()) - set(PROVIDERS)), "", "cpu", "/tmp/evil.so"])
def test_a_provider_that_the_product_does_not_support_is_refused(name: str) -> None:
    with pytest.raises(DocumentError, match="an execution provider that isn't supported: expected one of CPUExecutionProvider, .*, found "):
        BundleManifest.parse(with_session(providers=[name, "CPUExecutionProvider"]))
    with pytest.raises(DocumentError, match="an execution provider that isn't supported"):
        session_options(settings(providers=(name,)))
    fields = make_profile().json()
    fields["runtime"] = {"onnxruntime": ">=1.20", "providers": [name]}
    toml = json.loads(json.dumps(fields))
    with pytest.raises(DocumentError, match="not a known value"):
        HardwareProfile.parse(_document(toml))


@pytest.mark.parametrize("providers", [[], ["CPUExecutionProvider", "CPUExecutionProvider"]])
def test_providers_are_there_and_different(providers: list[str]) -> None:
    with pytest.raises(DocumentError, match="not a list of execution providers"):
        BundleManifest.parse(with_session(providers=providers))


@pytest.mark.parametrize("field", ["intra_op_threads", "inter_op_threads"])
def test_threads_are_bounded_by_the_format_and_by_the_cores(field: str) -> None:
    for wrong in (0, -1, MAX_THREADS + 1, 2**62):
        with pytest.raises(DocumentError, match=f"session.{field}: out of range"):
            BundleManifest.parse(with_session(**{field: wrong}))
        with pytest.raises(DocumentError, match="out of range"):
            session_options(settings(**{field: wrong}))
    options = session_options(settings(**{field: MAX_THREADS}))
    assert getattr(options, field.replace("threads", "num_threads")) == usable_cores()


def test_a_profile_asks_for_no_more_threads_and_memory_than_there_can_be() -> None:
    fields = json.loads(json.dumps(make_profile().json()))
    fields["search"]["threads"] = [MAX_THREADS + 1]
    with pytest.raises(DocumentError, match="out of range"):
        HardwareProfile.parse(_document(fields))
    fields["search"]["threads"] = [1]
    fields["accelerator"] = {"provider": "CUDAExecutionProvider", "memory_limit_mb": 2**40}
    with pytest.raises(DocumentError, match="memory_limit_mb: out of range"):
        HardwareProfile.parse(_document(fields))


def test_settings_in_the_graph_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the check of the graph failed, and somebody asked onnxruntime to read them."""
    from support.hostile_graphs import hostile_graphs

    make_bundle(tmp_path / "bundle")
    written = tmp_path / "written.onnx"
    (tmp_path / "bundle" / "model.onnx").write_bytes(hostile_graphs(str(written))["ort-config"].data)
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    with pytest.raises(EngineError, match="session settings inside the graph"):
        ModelSession.open(tmp_path / "bundle")
    assert not written.exists()


def _document(fields: Any) -> Any:
    from sealift_core.schema.documents import Document

    return Document(fields, "profile")
