"""What says which code a build went through."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sealift_core
import sealift_packager
from sealift_packager.cache import tools

PACKAGES = (Path(sealift_packager.__file__).parent, Path(sealift_core.__file__).parent)


def copies(folder: Path) -> list[Path]:
    return [Path(shutil.copytree(package, folder / package.name)) for package in PACKAGES]


@pytest.mark.parametrize("edited", ["sealift_packager/assemble/golden.py", "sealift_core/drift/features.py", "sealift_core/timing/alternation.py"])
def test_an_edited_line_of_any_of_sealifts_code_is_another_tool(tmp_path: Path, edited: str) -> None:
    packages = copies(tmp_path)
    assert tools.source_digest(*packages) == tools.code_digest()
    with (tmp_path / edited).open("a") as file:
        file.write("# edited\n")
    assert tools.source_digest(*packages) != tools.code_digest()


def test_a_renamed_module_is_another_tool(tmp_path: Path) -> None:
    packages = copies(tmp_path)
    (tmp_path / "sealift_core" / "clock.py").rename(tmp_path / "sealift_core" / "clocks.py")
    assert tools.source_digest(*packages) != tools.code_digest()
