"""What a device carries: nothing that only packaging or the hub needs."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest

FOREIGN = {"torch", "onnx", "skl2onnx", "sklearn", "pandas", "pydantic", "fastapi", "sqlalchemy", "jinja2", "rich", "sealift_packager", "sealift_hub"}


@functools.cache
def modules_after_importing(name: str) -> frozenset[str]:
    program = f"import json, sys, {name}; print(json.dumps(sorted({{key.split('.')[0] for key in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize("process", ["data_plane", "control_plane", "supervisor"])
def test_a_process_of_the_agent_imports_nothing_foreign(process: str) -> None:
    assert not modules_after_importing(f"sealift_runtime.agent.{process}") & FOREIGN


def test_the_control_plane_does_without_numpy_and_onnxruntime() -> None:
    assert not modules_after_importing("sealift_runtime.agent.control_plane") & {"numpy", "onnxruntime"}


def test_the_data_plane_does_without_what_fetches_and_updates_and_without_a_database() -> None:
    assert not modules_after_importing("sealift_runtime.agent.data_plane") & {"tuf", "requests", "urllib3", "sqlite3"}


def test_the_supervisor_needs_next_to_nothing() -> None:
    beyond = modules_after_importing("sealift_runtime.agent.supervisor") - set(sys.stdlib_module_names)
    assert not beyond & {"numpy", "onnxruntime", "requests", "tuf", "cryptography", "click"}
