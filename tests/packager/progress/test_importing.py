"""Starting a build imports what it needs, and no more, without a search for garbage."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from sealift_packager.progress.importing import importing

HOLDS_THE_KEY = """
import sys
from sealift_packager.build.isolated import pack
from sealift_packager.graph.settings import Settings
from sealift_packager.measure.emulation import PROCESSORS, find_emulator
from sealift_packager.measure.probe import probe
for processor in PROCESSORS:
    find_emulator(processor)
print([name for name in ("onnx", "onnxruntime", "pandas", "sklearn") if name in sys.modules])
"""
BUILDS = """
import sys
import sealift_packager.build.pipeline
print([name for name in sys.modules if name.startswith(("sealift_packager.torch.", "sealift_packager.sklearn.", "sealift_packager.onnx.l"))])
"""


@pytest.mark.parametrize("code", [HOLDS_THE_KEY, BUILDS], ids=["the process that holds the key", "the process that builds"])
def test_what_a_build_may_not_need_is_not_imported_for_it(code: str) -> None:
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_garbage_is_looked_for_again_after_an_import() -> None:
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_where_nobody_looks_for_garbage_it_stays_so() -> None:
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
