"""A file that another version of its library wrote: that is said first, whatever else there is to say; and what a pickle needs that isn't here."""

from __future__ import annotations

import dataclasses
import gzip
import pickle
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.errors import ConversionError, DataError, SourceModelError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions, WeightPlace
from sealift_packager.parity.digits import with_digits
from support.packing import elsewhere

SAID = rf"the model was made with scikit-learn 1\.2\.0, read with {sklearn.__version__}"
ROWS = np.random.default_rng(0).normal(size=(60, 2))
LABELS = (ROWS[:, 0] > 0).astype(int)


@pytest.fixture
def as_of_old(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Saves a model as scikit-learn 1.2.0 would."""

    def save(model: Any, path: Path, **options: Any) -> Path:
        with monkeypatch.context() as patched:
            patched.setattr("sklearn.base.__version__", "1.2.0")
            joblib.dump(model, path, **options)
        return path

    return save


def read(path: Path) -> Any:
    return load_model(path, LoadOptions(trust_pickle=True))


def request(model: Path, folder: Path, **options: Any) -> PackRequest:
    return PackRequest(
        model=model, name="m", version="1.0.0", profiles=(elsewhere(),), out=folder / "release", trust_pickle=True, sandbox=False, **options
    )


def test_a_file_of_another_version_is_packed_with_a_note_that_comes_first(as_of_old: Any, tmp_path: Path) -> None:
    path = as_of_old(make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS), tmp_path / "m.joblib")
    notes = pack(request(path, tmp_path)).notes
    assert notes[0].startswith(f"Warning: the model was made with scikit-learn 1.2.0, read with {sklearn.__version__}. ")
    assert "pip install scikit-learn==1.2.0" in notes[0]


def test_a_file_of_this_version_has_no_such_note(tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit(ROWS, LABELS), tmp_path / "m.joblib")
    assert read(tmp_path / "m.joblib").skew is None


def test_what_can_t_be_converted_says_the_version_first(as_of_old: Any, tmp_path: Path) -> None:
    path = as_of_old(make_pipeline(FunctionTransformer(np.heaviside), LogisticRegression()), tmp_path / "m.joblib")
    with pytest.raises(SourceModelError, match=rf"m\.joblib: {SAID}; the model is not fitted.* train and save it again with"):
        read(path)
    model = make_pipeline(FunctionTransformer(pickle.dumps), LogisticRegression())
    model.steps[-1][1].fit(ROWS, LABELS)
    with pytest.raises((ConversionError, SourceModelError, DataError), match=f"{SAID}; "):
        pack(request(as_of_old(model, tmp_path / "n.joblib"), tmp_path))


def test_data_that_the_model_doesn_t_take_come_after_the_version(as_of_old: Any, tmp_path: Path) -> None:
    path = as_of_old(LogisticRegression().fit(ROWS, LABELS), tmp_path / "m.joblib")
    (tmp_path / "d.csv").write_text("a,target\n1.5,0\n2.5,1\n")
    with pytest.raises(DataError, match=f"{SAID}; the data and the model have different numbers of columns"):
        pack(request(path, tmp_path, data=tmp_path / "d.csv"))


class _Unreadable(LogisticRegression):  # type: ignore[misc]
    def __setstate__(self, state: Any) -> None:
        raise ValueError("node array from the pickle has an incompatible dtype")


@pytest.mark.parametrize("options", [{}, {"compress": 3}, {"protocol": 2}, {"compress": ("xz", 3)}], ids=["plain", "zlib", "protocol 2", "xz"])
def test_a_file_that_can_t_be_read_says_the_version_that_stands_in_it(options: dict[str, Any], as_of_old: Any, tmp_path: Path) -> None:
    scaler, broken = StandardScaler().fit(ROWS), _Unreadable().fit(ROWS, LABELS)
    path = as_of_old([broken, scaler], tmp_path / "m.joblib", **options)
    with pytest.raises(SourceModelError, match=rf"m\.joblib: {SAID}; can't be unpickled \(caused by: ValueError: node array"):
        read(path)


def test_other_warnings_of_a_file_are_not_swallowed(tmp_path: Path) -> None:
    joblib.dump(_Talkative(), tmp_path / "m.joblib")
    with pytest.warns(UserWarning, match="as it happens"), pytest.raises(SourceModelError, match="not a model"):
        read(tmp_path / "m.joblib")


class _Talkative:
    def __setstate__(self, state: Any) -> None:
        warnings.warn("as it happens", stacklevel=1)

    def __getstate__(self) -> Any:
        return {"a": 1}


def needing(module: str, name: str, path: Path) -> Path:
    path.write_bytes(b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93.")
    return path


@pytest.mark.filterwarnings("ignore:.*module_repr:DeprecationWarning")  # of pickle, which shows a __main__ that pytest-xdist made
@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        ("tailored.steps", "Ratio", r"the model needs the module tailored, which is not installed\. Install the package .* PYTHONPATH"),
        ("imblearn.nowhere", "A", r"the model needs the module imblearn[.a-z]*, which .*imbalanced-learn"),
        (
            "sklearn.ensemble.forest",
            "A",
            rf"needs the module sklearn\.ensemble\.forest, which scikit-learn {sklearn.__version__} doesn't have\. Pack it",
        ),
        ("sklearn.ensemble", "Thicket", rf"needs Thicket of the module sklearn\.ensemble, which scikit-learn {sklearn.__version__} doesn't have"),
        ("numpy._nowhere", "a", r"needs the module numpy\._nowhere, which numpy [\d.]+ doesn't have\. It was saved with another numpy: pip install"),
        ("__main__", "Own", r"the model needs Own, which was defined in the script or notebook that saved it.* Move it into a \.py file"),
    ],
)
def test_a_module_that_isn_t_here_is_named_with_the_way_to_it(module: str, name: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match=error) as raised:
        read(needing(module, name, tmp_path / "m.pkl"))
    assert "Error" not in str(raised.value)


def test_a_name_that_a_module_of_one_s_own_lacks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "own_steps_of_mine", types.ModuleType("own_steps_of_mine"))
    with pytest.raises(SourceModelError, match="needs Ratio of the module own_steps_of_mine, which that module doesn't have"):
        read(needing("own_steps_of_mine", "Ratio", tmp_path / "m.pkl"))


def test_a_compiled_module_of_an_old_version_is_the_library_s(as_of_old: Any, tmp_path: Path) -> None:
    kept = as_of_old(StandardScaler().fit(ROWS), tmp_path / "m.pkl").read_bytes()
    broken = needing("_loss_of_old", "a", tmp_path / "n.pkl").read_bytes()
    (tmp_path / "n.pkl").write_bytes(broken[:-1] + kept[2:])
    with pytest.raises(
        SourceModelError, match=f"{SAID}; the model needs the module _loss_of_old, which scikit-learn {sklearn.__version__} doesn't have"
    ):
        read(tmp_path / "n.pkl")


def test_what_is_no_pickle_names_no_version(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(gzip.compress(b"\x80\x04nothing"))
    with pytest.raises(SourceModelError, match=r"m\.joblib: can't be unpickled"):
        read(tmp_path / "m.joblib")


def test_a_program_without_a_module_s_name_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(b"no pickle at all")
    code = f"from sealift_packager.sklearn.unpickle import unpickle; from pathlib import Path; unpickle(Path({str(tmp_path / 'm.joblib')!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "can't be unpickled (caused by: " in done.stderr


#: What float64 inputs and other arrangements change; whatever else a loader sets stays.
CHANGED = {
    "predict",
    "inputs",
    "columns",
    "usual",
    "categories",
    "trees",
    "arbitrary",
    "steps",
    "scores",
    "digits",
    "wide_outputs",
    "classes",
    "words",
}


def test_a_model_with_float64_inputs_or_other_arrangement_keeps_all_that_its_loader_knows_of_the_file(as_of_old: Any, tmp_path: Path) -> None:
    rows = np.add(ROWS, [1.7e9, 0])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(pd.DataFrame(rows, columns=["at", "level"]), LABELS)
    path = as_of_old(model, tmp_path / "m.joblib")
    place = WeightPlace(folder=tmp_path)
    narrow = load_model(path, LoadOptions(trust_pickle=True, place=place))
    arranged = load_model(path, LoadOptions(trust_pickle=True, place=place, inputs="columns"))
    wide = with_digits(narrow, {"features": rows})
    assert wide.inputs[0].dtype == "float64"
    assert len(arranged.inputs) == 2
    assert narrow.skew is not None
    assert narrow.place == place
    kept = {field.name for field in dataclasses.fields(narrow)} - CHANGED
    for name in sorted(kept):
        assert getattr(wide, name) == getattr(narrow, name), name
        assert getattr(arranged, name) == getattr(narrow, name) or name in ("native", "inner"), name


def test_a_packed_model_with_float64_inputs_has_the_note_too(as_of_old: Any, tmp_path: Path) -> None:
    rows = np.add(ROWS, [1.7e9, 0])
    path = as_of_old(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, LABELS), tmp_path / "m.joblib")
    np.savez(tmp_path / "d.npz", features=rows, target=LABELS)
    notes = pack(request(path, tmp_path, data=tmp_path / "d.npz")).notes
    assert notes[0].startswith("Warning: the model was made with scikit-learn 1.2.0")
    assert "float64" in notes[1]
