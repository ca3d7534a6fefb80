"""--inputs: a table's columns as one array, or as an input each; the answers are the source's either way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift_core.bundle import files
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.manifest import BundleManifest
from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.diff import artifact
from sealift_packager.errors import SourceModelError
from sealift_packager.model.columns import column_inputs
from sealift_packager.model.source import Arrangement
from support.packing import elsewhere

ROWS = 200
RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame({"age": RANDOM.normal(40, 9, ROWS), "income, net": RANDOM.normal(3e4, 1e3, ROWS), "3rd": RANDOM.normal(size=ROWS)})
LABELS = (TABLE["age"] + TABLE["3rd"] * 5 > 40).to_numpy().astype(int)
#: Numbers that float32 rounds, and that decide.
BIG = TABLE.assign(**{"income, net": 1.7e9 + np.arange(ROWS)})


def packed(folder: Path, model: Any, data: pd.DataFrame | None, **options: Any) -> tuple[Path, BundleManifest]:
    joblib.dump(model, folder / "model.joblib")
    if data is not None:
        data.assign(target=LABELS).to_parquet(folder / "data.parquet")
        options["data"] = folder / "data.parquet"
    request = PackRequest(
        model=folder / "model.joblib", name="m", version="1.0.0", profiles=(elsewhere(),), out=folder / "out", trust_pickle=True, **options
    )
    release = pack(request)
    artifact.unpack(release.directory, "elsewhere", folder / "bundle")
    return folder / "bundle", release.manifests["elsewhere"]


def probabilities(bundle: Path, request: dict[str, Any]) -> Any:
    session = onnxruntime.InferenceSession(str(bundle / files.GRAPH))
    return session.run(["probabilities"], request)[0]


def by_column(table: pd.DataFrame, manifest: BundleManifest) -> dict[str, Any]:
    return {spec.name: table[[spec.name]].to_numpy(spec.numpy_dtype) for spec in manifest.inputs}


MODELS: dict[str, Callable[[Any], Any]] = {
    "steps": lambda rows: make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, LABELS),
    "trees": lambda rows: RandomForestClassifier(5, random_state=0).fit(rows, LABELS),
    "trees behind a step": lambda rows: make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(rows, LABELS),
    "xgboost": lambda rows: xgboost.XGBClassifier(n_estimators=5).fit(rows, LABELS),
}


@pytest.mark.parametrize("name", ["steps", "trees", "xgboost"])
def test_columns_of_numbers_become_an_input_each(name: str, tmp_path: Path) -> None:
    model = MODELS[name](TABLE)
    bundle, manifest = packed(tmp_path, model, TABLE, inputs="columns")
    assert [(spec.name, spec.shape, spec.dtype) for spec in manifest.inputs] == [(name, ("batch", 1), "float32") for name in TABLE.columns]
    assert probabilities(bundle, by_column(TABLE, manifest)) == pytest.approx(model.predict_proba(TABLE), abs=1e-5)


@pytest.mark.parametrize("name", ["trees behind a step", "xgboost"])
def test_columns_with_digits_stay_one_array_of_float64(name: str, tmp_path: Path) -> None:
    model = MODELS[name](BIG)
    bundle, manifest = packed(tmp_path, model, BIG, inputs="array")
    (features,) = manifest.inputs
    assert (features.name, features.shape, features.columns) == ("features", ("batch", 3), tuple(BIG.columns))
    rows = {"features": BIG.to_numpy(features.numpy_dtype)}
    assert probabilities(bundle, rows) == pytest.approx(model.predict_proba(BIG), abs=1e-5)


def test_a_model_fitted_on_an_array_takes_the_data_s_names(tmp_path: Path) -> None:
    model = MODELS["steps"](TABLE.to_numpy())
    bundle, manifest = packed(tmp_path, model, TABLE, inputs="columns")
    assert [spec.name for spec in manifest.inputs] == list(TABLE.columns)
    assert probabilities(bundle, by_column(TABLE, manifest)) == pytest.approx(model.predict_proba(TABLE.to_numpy()), abs=1e-5)


def test_an_array_has_the_data_s_names_where_the_model_knows_none(tmp_path: Path) -> None:
    _, manifest = packed(tmp_path, MODELS["trees"](TABLE.to_numpy()), TABLE)
    assert manifest.inputs[0].columns == tuple(TABLE.columns)
    assert [spec.classes for spec in manifest.outputs] == [(0, 1), (0, 1)]


def test_classes_of_text_stand_in_the_order_of_the_probabilities(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, np.where(LABELS, "yes", "no"))
    _, manifest = packed(tmp_path, model, None)
    assert [spec.classes for spec in manifest.outputs] == [("no", "yes"), ("no", "yes")]


def mixed() -> Any:
    words = TABLE.assign(word=np.where(LABELS, "a", "b"))
    encoded = make_column_transformer((OneHotEncoder(), ["word"]), remainder="passthrough")
    return make_pipeline(encoded, LogisticRegression(max_iter=1000)).fit(words, LABELS)


@pytest.mark.parametrize(
    ("model", "form", "message"),
    [
        (mixed, "array", "columns of text and of numbers can't be one array.*found text in word"),
        (lambda: MODELS["steps"](TABLE.to_numpy()), "columns", "the columns have no names.*found a model that was fitted on an array"),
    ],
)
def test_what_can_not_be_arranged_so_is_refused(model: Any, form: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match=message):
        packed(tmp_path, model(), None, inputs=form)


def test_a_word_that_is_no_arrangement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match="--inputs: not a way to take columns: expected columns or array, found 'rows'"):
        packed(tmp_path, MODELS["steps"](TABLE), None, inputs="rows")


def test_more_columns_than_a_bundle_has_inputs_are_one_array_even_of_float64() -> None:
    names = [f"c{number}" for number in range(LIMITS.tensors + 1)]
    (spec,) = column_inputs(names, len(names), {0})
    assert (spec.dtype, spec.columns) == ("float64", tuple(names))
    assert len(column_inputs(names[:-1], len(names) - 1, {0})) == LIMITS.tensors
    with pytest.raises(SourceModelError, match="more columns than a bundle can have inputs"):
        column_inputs(names, len(names), (), Arrangement(form="columns"))


def test_a_model_of_something_else_than_a_table_is_refused_with_its_inputs(tmp_path: Path) -> None:
    from support import trained

    with pytest.raises(SourceModelError, match="--inputs is only for models that take the columns of a table.*image: float32"):
        pack(PackRequest(model=trained.onnx_net().model, name="m", version="1.0.0", profiles=(elsewhere(),), out=tmp_path / "out", inputs="array"))


def test_a_booster_s_own_file_is_arranged_too(tmp_path: Path) -> None:
    booster = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(TABLE.rename(columns={"income, net": "income"}), LABELS)
    booster.booster_.save_model(tmp_path / "model.txt")
    release = pack(
        PackRequest(model=tmp_path / "model.txt", name="m", version="1.0.0", profiles=(elsewhere(),), out=tmp_path / "out", inputs="columns")
    )
    assert [spec.name for spec in release.manifests["elsewhere"].inputs] == ["age", "income", "3rd"]
