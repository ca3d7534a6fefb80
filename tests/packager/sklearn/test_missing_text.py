"""Missing text is None or NaN in the table that a model was fitted on, which encoders tell apart, and ``""`` in the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sealift_packager.errors import SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

WORDS: Final = ["a", "b", "c", "a"] * 15
STEPS: Final[dict[str, Any]] = {
    "one-hot": lambda _: OneHotEncoder(),
    "one-hot, unknown ones ignored": lambda _: OneHotEncoder(handle_unknown="ignore"),
    "numbered, missing ones apart": lambda _: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
    "filled with the most frequent": lambda gap: make_pipeline(SimpleImputer(missing_values=gap, strategy="most_frequent"), OneHotEncoder()),
    "filled with a word": lambda gap: make_pipeline(SimpleImputer(missing_values=gap, strategy="constant", fill_value="none"), OneHotEncoder()),
}


@pytest.mark.parametrize("gap", [None, np.nan], ids=["None", "NaN"])
@pytest.mark.parametrize("name", STEPS)
def test_a_gap_is_what_the_model_was_fitted_on(name: str, gap: Any, tmp_path: Path) -> None:
    table = pd.DataFrame({"word": pd.Series([gap if at % 7 == 3 else word for at, word in enumerate(WORDS)], dtype=object)})
    target = [int(word == "b" or at % 7 == 3) for at, word in enumerate(WORDS)]
    model = make_pipeline(STEPS[name](gap), LogisticRegression()).fit(table, target)
    texts = np.array([["" if at % 7 == 3 else word] for at, word in enumerate(WORDS)], dtype=object)
    source = loaded(model, tmp_path, examples={"word": texts.ravel()})
    converted = convert_model(source)
    assert check_parity(source, converted, {"word": texts}, seed=0) >= 2
    found = run_session(open_session(converted.model, Settings(), where="m"), {"word": texts})
    assert (found["label"] == model.predict(table)).all()


@pytest.mark.parametrize("examples", [{}, {"word": np.array(["a"], dtype=object)}], ids=["without data", "with data"])
@pytest.mark.parametrize("strategy", ["constant", "most_frequent"])
def test_an_imputer_of_text_with_an_indicator_gives_text_and_numbers(strategy: Any, examples: dict[str, Any], tmp_path: Path) -> None:
    words = np.array(["a", "b", np.nan, "a"] * 10, dtype=object)
    table = pd.DataFrame({"word": words, "other": np.roll(words, 1)})
    steps = SimpleImputer(strategy=strategy, fill_value="missing", add_indicator=True), OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(*steps, LogisticRegression()).fit(table, [0, 1, 1, 0] * 10)
    source = loaded(model, tmp_path, examples=examples and {"word": examples["word"], "other": examples["word"]})
    converted = convert_model(source)
    request = {name: table[name].fillna("").to_numpy(object).reshape(-1, 1) for name in table}
    answer = run_session(open_session(converted.model, Settings(), where="m"), request)
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(table), atol=1e-5)
    assert check_parity(source, converted, request, seed=0) >= 2


def test_an_imputer_of_text_beside_one_of_numbers_shows_which_columns_are_text(tmp_path: Path) -> None:
    table = pd.DataFrame({"word": np.array(["a", "b", np.nan, "a"] * 10, dtype=object), "number": np.arange(40.0)})
    filled = make_column_transformer((SimpleImputer(strategy="most_frequent"), ["word"]), (SimpleImputer(), ["number"]))
    model = make_pipeline(filled, OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(table, [0, 1, 1, 0] * 10)
    source = loaded(model, tmp_path)
    assert [spec.dtype for spec in source.inputs] == ["string", "float32"]
    assert check_parity(source, convert_model(source), None, seed=0) >= 2


def test_an_imputer_leaves_none_to_the_encoder_that_was_fitted_on_it(tmp_path: Path) -> None:
    gaps = np.arange(len(WORDS)) % 7 == 3
    none, nan = (pd.Series([gap if missing else word for missing, word in zip(gaps, WORDS, strict=True)], dtype=object) for gap in (None, np.nan))
    table = pd.DataFrame({"none": none, "nan": nan})
    steps = SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(*steps, LogisticRegression(C=100)).fit(table, gaps.astype(int))
    texts = np.where(gaps, "", WORDS).astype(object).reshape(-1, 1)
    source = loaded(model, tmp_path, examples={"none": texts.ravel(), "nan": texts.ravel()})
    request = {"none": texts, "nan": texts}
    converted = convert_model(source)
    assert check_parity(source, converted, request, seed=0) >= 2
    found = run_session(open_session(converted.model, Settings(), where="m"), request)
    assert np.allclose(found["probabilities"], model.predict_proba(table), atol=1e-5)


def test_each_column_has_its_own_kind_of_gap(tmp_path: Path) -> None:
    gaps = np.arange(len(WORDS)) % 7 == 3
    none, nan = (pd.Series([gap if missing else word for missing, word in zip(gaps, WORDS, strict=True)], dtype=object) for gap in (None, np.nan))
    table = pd.DataFrame({"none": none, "nan": nan})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=100)).fit(table, gaps.astype(int))
    texts = np.where(gaps, "", WORDS).astype(object).reshape(-1, 1)
    source = loaded(model, tmp_path, examples={"none": texts.ravel(), "nan": texts.ravel()})
    assert np.allclose(source.predict({"none": texts, "nan": texts})["probabilities"], model.predict_proba(table))


def test_a_column_that_tells_none_from_nan_is_refused_with_its_name(tmp_path: Path) -> None:
    table = pd.DataFrame({"word": pd.Series(["a", None, np.nan, "b"] * 15, dtype=object)})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, [0, 1, 0, 1] * 15)
    with pytest.raises(SourceModelError, match="word: the model tells two kinds of missing text apart, None and NaN"):
        loaded(model, tmp_path, examples={"word": np.array(["a", ""], dtype=object)})


@pytest.mark.parametrize("unknown", ["ignore", "error"])
def test_empty_text_as_a_category_of_one_column_leaves_other_columns_their_gaps(unknown: Any, tmp_path: Path) -> None:
    city = ["x", "", "y", "x"] * 15
    table = pd.DataFrame({"word": pd.Series([np.nan if at % 7 == 3 else word for at, word in enumerate(WORDS)], dtype=object), "city": city})
    target = [int(word == "b" or at % 7 == 3) for at, word in enumerate(WORDS)]
    model = make_pipeline(OneHotEncoder(handle_unknown=unknown), LogisticRegression()).fit(table, target)
    request = {name: table[name].fillna("").to_numpy(object).reshape(-1, 1) for name in table}
    source = loaded(model, tmp_path, examples={name: value.ravel() for name, value in request.items()})
    np.testing.assert_allclose(source.predict(request)["probabilities"], model.predict_proba(table), atol=1e-6)
    converted = convert_model(source)
    assert check_parity(source, converted, request, seed=0) >= 2
    answer = run_session(open_session(converted.model, Settings(), where="m"), request)
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(table), atol=1e-5)


@pytest.mark.parametrize("gap", [None, np.nan], ids=["None", "NaN"])
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder(encoded_missing_value=-1)], ids=lambda encoder: type(encoder).__name__)
def test_a_column_that_knows_empty_text_and_missing_text_is_refused(encoder: Any, gap: Any, tmp_path: Path) -> None:
    table = pd.DataFrame({"word": pd.Series(["a", "", gap, "b"] * 10, dtype=object)})
    model = make_pipeline(encoder, LogisticRegression()).fit(table, [0, 1, 1, 0] * 10)
    with pytest.raises(SourceModelError, match="word: the model tells empty text and missing text apart") as caught:
        loaded(model, tmp_path)
    assert caught.value.found == f"both among the categories of {type(encoder).__name__}, or one of them filled before it"
    assert caught.value.advice == 'Train it on a table with one of them: table.fillna("").'


def test_empty_text_behind_an_imputer_that_fills_gaps_with_a_word_is_refused_and_with_empty_text_is_not(tmp_path: Path) -> None:
    table = pd.DataFrame({"word": pd.Series(["a", "", np.nan, "b"] * 10, dtype=object)})

    def model(word: str) -> Any:
        filled = SimpleImputer(strategy="constant", fill_value=word)
        return make_pipeline(filled, OneHotEncoder(), LogisticRegression()).fit(table, [0, 1, 1, 0] * 10)

    with pytest.raises(SourceModelError, match="tells empty text and missing text apart"):
        loaded(model("none"), tmp_path)
    source = loaded(model(""), tmp_path)
    assert check_parity(source, convert_model(source), {"word": np.array([["a"], [""], ["b"]], dtype=object)}, seed=0) >= 2
