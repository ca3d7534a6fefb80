"""Libraries are imported without their telemetry, and onnxruntime takes no files, libraries or settings from variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_core.onnxruntime_environment import KEPT, SET, prepare

#: What onnxruntime and its providers are known to read or write files by.
DANGEROUS = {
    "ORT_LOAD_CONFIG_FROM_MODEL": "1",
    "ORT_DISABLE_TELEMETRY": "0",
    "ORT_GENAI_TELEMETRY_DISABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "1",
    "DO_NOT_TRACK": "0",
    "ORT_TENSORRT_EXTRA_PLUGIN_LIB_PATHS": "/tmp/evil.so",
    "ORT_TENSORRT_DUMP_SUBGRAPHS": "1",
    "ORT_TENSORRT_CACHE_PATH": "/tmp",
    "ORT_DEBUG_NODE_IO_DUMP_OUTPUT_DATA": "1",
    "ONNXRUNTIME_PLUGIN": "/tmp/evil.so",
}


def test_variables_are_set_kept_or_dropped() -> None:
    kept = dict.fromkeys(KEPT, "1")
    environment = DANGEROUS | kept | {"HOME": "/root", "OMP_NUM_THREADS": "1"}
    prepare(environment)
    assert environment == kept | SET | {"HOME": "/root", "OMP_NUM_THREADS": "1"}
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["ORT_LOAD_CONFIG_FROM_MODEL"] == "0"


@pytest.mark.parametrize(
    "module",
    [
        "sealift_runtime",
        "sealift_core.errors",
        "sealift_runtime.engine.session",
        "sealift_runtime.engine.graph",
        "sealift_runtime.engine.facts",
        "sealift_runtime.measuring.process",
    ],
)
def test_whoever_imports_anything_of_the_runtime_leaves_nothing_in_the_home(module: str, tmp_path: Path) -> None:
    environment = {**os.environ, **DANGEROUS, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    code = f"import {module}, onnxruntime, os; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['ORT_LOAD_CONFIG_FROM_MODEL'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]
    assert list(tmp_path.rglob("*")) == []
