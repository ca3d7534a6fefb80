"""A file of a newer XGBoost is refused: an older one reads it without a word, and drops what it doesn't know."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xgboost

from sealift_packager.boosters.load import READERS
from sealift_packager.errors import SourceModelError

ROWS = np.random.default_rng(0).normal(size=(50, 3))
INSTALLED = [int(part) for part in xgboost.__version__.split(".")[:2]]


@pytest.fixture(params=["json", "ubj"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"model.{request.param}"
    xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(ROWS, ROWS[:, 0]), 2).save_model(path)
    return path


def written_by(path: Path, major: int, minor: int) -> Path:
    """The same file, as if another version had written it."""
    data = path.read_bytes()
    text = re.sub(rb'"version":\[\d+,\d+,', b'"version":[%d,%d,' % (major, minor), data)
    path.write_bytes(re.sub(rb"(version\[#L\x00{7}\x03)i.i.", rb"\1i" + bytes([major]) + b"i" + bytes([minor]), text, flags=re.DOTALL))
    return path


@pytest.mark.parametrize("later", [(0, 1), (1, 0)])
def test_a_newer_file_is_refused_with_both_versions_and_what_to_do(saved: Path, later: tuple[int, int]) -> None:
    major, minor = INSTALLED[0] + later[0], INSTALLED[1] + later[1]
    with pytest.raises(SourceModelError, match="saved by a newer XGBoost") as caught:
        READERS["xgboost"](written_by(saved, major, minor))
    assert f"found XGBoost {major}.{minor}" in str(caught.value)
    assert f"Pack it where XGBoost {major}.{minor} or newer is installed" in str(caught.value)


@pytest.mark.parametrize("version", [(0, 90), (1, 7)])
def test_an_older_file_and_one_s_own_are_read(saved: Path, version: tuple[int, int]) -> None:
    assert READERS["xgboost"](saved).framework == f"XGBoost {xgboost.__version__}"
    READERS["xgboost"](written_by(saved, *version))
