"""No error and no log shows how a library talks to programmers: numpy's names of types, tracebacks, warnings with a line of source."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from sealift_packager.errors import caused_by, first_line, without_numpy
from support.cli import Ran, call

ROWS = np.random.default_rng(0).normal(size=(60, 2))
LABELS = (ROWS[:, 0] > 0).astype(int)


def pack(folder: Path, *words: object) -> Ran:
    options = ["--name", "m", "--version", "1.0.0", "--profile", "arm64-baseline", "--out", folder / "out", "--trust-pickle", "--no-cache"]
    return call("sealift", "pack", folder / "m.joblib", *options, *words)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("found np.float64(0.5) and np.int64(-3)", "found 0.5 and -3"),
        ("categories [np.str_('a b'), np.str_(\"it's\")] in column 0", "categories ['a b', \"it's\"] in column 0"),
        ("{'a': np.float32(nan), 'b': np.True_}", "{'a': nan, 'b': np.True_}"),
        ("np.bool_(True), np.uint8(7), np.datetime64('2026')", "True, 7, np.datetime64('2026')"),
        ("my np.floats(1)", "my np.floats(1)"),
    ],
)
def test_numpy_s_values_are_shown_as_others(text: str, plain: str) -> None:
    assert without_numpy(text) == plain
    assert first_line(ValueError(f"{text}\nand more")) == plain


def test_what_a_library_says_is_its_first_line_of_bounded_length() -> None:
    assert caused_by(ValueError("no\nTraceback")) == "caused by: ValueError: no"
    assert caused_by(KeyError()) == "caused by: KeyError: KeyError"
    assert len(caused_by(ValueError("x" * 10_000))) < 400


@pytest.mark.long
def test_a_library_s_warnings_are_not_printed_but_logged(tmp_path: Path) -> None:
    joblib.dump(
        make_pipeline(FunctionTransformer(np.abs), FunctionTransformer(np.sqrt), LogisticRegression()).fit(ROWS, LABELS), tmp_path / "m.joblib"
    )
    code = "import warnings, numpy as np\ndef holdout():\n    warnings.warn('as it happens', RuntimeWarning)\n    return ROWS, LABELS\n"
    (tmp_path / "own.py").write_text(code.replace("ROWS", repr(ROWS.tolist())).replace("LABELS", repr(LABELS.tolist())))
    done = pack(tmp_path, "--data", f"{tmp_path / 'own.py'}:holdout")
    assert "Warning" not in done.complaint
    assert "RuntimeWarning: as it happens" in pack(tmp_path, "--data", f"{tmp_path / 'own.py'}:holdout", "--force", "-v").err


def test_what_the_source_says_of_a_row_names_no_type_of_numpy(tmp_path: Path) -> None:
    codes = np.array([["a"], ["b"]] * 30, dtype=object)
    joblib.dump(make_pipeline(OrdinalEncoder(), LogisticRegression()).fit(codes, LABELS), tmp_path / "m.joblib")
    (tmp_path / "d.csv").write_text("x,target\n" + "a,0\nb,1\nzebra,1\n" * 10)
    done = pack(tmp_path, "--data", tmp_path / "d.csv")
    assert done.code == 3
    assert "zebra" in done.complaint
    assert "np." not in done.err
    assert len(done.complaint.splitlines()) == 1
