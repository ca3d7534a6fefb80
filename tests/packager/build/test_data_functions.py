"""Holdout data that a function of the user's gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_packager.build.pipeline import pack
from sealift_packager.data.function import is_function
from sealift_packager.errors import DataError
from support import trained
from support.packing import request

FUNCTIONS = """
import numpy as np
with np.load({path!r}) as archive:
    ROWS = dict(archive)
def pair():
    return ROWS["image"][:50], ROWS["target"][:50]
def mapping():
    return {{"image": ROWS["image"][:50], "target": ROWS["target"][:50]}}
def fails():
    raise OSError("the store is away")
def nothing():
    pass
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    path = tmp_path / "own_data.py"
    path.write_text(FUNCTIONS.format(path=str(trained.digits_holdout())))
    return path


def test_a_function_gives_the_holdout_and_its_content_is_what_counts(tmp_path: Path, functions: Path) -> None:
    one, two = (
        pack(request(trained.onnx_net(), tmp_path / name, data=Path(f"{functions}:{name}"), max_drop=1.0)).manifests["elsewhere"].evaluation
        for name in ("pair", "mapping")
    )
    assert one.holdout_rows == 50
    assert one.holdout_digest == two.holdout_digest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fails", r"the function failed \(caused by: OSError: the store is away\)"),
        ("nothing", "no data: expected"),
        ("pairs", "Did you mean 'pair'"),
    ],
)
def test_a_function_that_gives_no_data_is_named(tmp_path: Path, functions: Path, name: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        pack(request(trained.onnx_net(), tmp_path / "out", data=Path(f"{functions}:{name}")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "named"), [("a.b:c", True), ("x/y z.py:f", True), ("data.csv", False), ("a:b.csv", False), ("C:", False), (":f", False)]
)
def test_a_function_is_known_by_its_form(text: str, named: bool) -> None:
    assert is_function(Path(text)) is named


def test_what_only_looks_like_a_function_and_is_there_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b").touch()
    assert not is_function(Path("a:b"))
