"""Missing text is None or NaN in the table that a model was fitted on, which encoders tell apart, and ``""`` in the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sealift_packager.errors import ConversionError
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


def test_an_imputer_of_text_with_an_indicator_is_refused_in_words(tmp_path: Path) -> None:
    table = pd.DataFrame({"word": np.array(["a", "b", np.nan] * 10, dtype=object)})
    steps = SimpleImputer(strategy="constant", fill_value="missing", add_indicator=True), OneHotEncoder(handle_unknown="ignore")
    source = loaded(
        make_pipeline(*steps, LogisticRegression()).fit(table, [0, 1, 1] * 10), tmp_path, examples={"word": np.array(["a"], dtype=object)}
    )
    with pytest.raises(ConversionError, match="SimpleImputer: an imputer of text with an indicator has no ONNX form"):
        convert_model(source)
