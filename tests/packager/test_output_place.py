"""An output appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_packager.assemble.output import building
from sealift_packager.errors import OutputError


def build(target: Path, content: str, *, force: bool = False, fail: bool = False) -> None:
    with building(target, force=force) as scratch:
        (scratch / "release").mkdir()
        (scratch / "release" / "oci-layout").write_text(content)
        if fail:
            raise ValueError("stop")


def test_a_build_appears_and_leaves_nothing_beside(tmp_path: Path) -> None:
    build(tmp_path / "out", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"):
        build(tmp_path / "out", "1", fail=True)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_place_is_refused_unless_forced(tmp_path: Path) -> None:
    build(tmp_path / "out", "1")
    with pytest.raises(OutputError, match="taken"):
        build(tmp_path / "out", "2")
    assert (tmp_path / "out" / "oci-layout").read_text() == "1"
    build(tmp_path / "out", "2", force=True)
    assert (tmp_path / "out" / "oci-layout").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_replaces_only_what_is_a_release(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="only an earlier release"):
        build(tmp_path / "out", "1", force=True)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"
