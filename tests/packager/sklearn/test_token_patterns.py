"""Token patterns: the tokens are those of Python's `re` in the lowered text, or the pattern is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

TEXTS = np.array(
    ["foo-bar abc abcdef a1b", "ab abcd x 2b3 #tag #a", "İstanbul IZMİR fİlm abİ İİ", "Straße STRASSE K größer", "i̇stanbul", "don't b-52 x_y"], object
)


def model_with(pattern: str, *, lowercase: bool) -> Any:
    vectorizer = CountVectorizer(token_pattern=pattern, lowercase=lowercase)
    return make_pipeline(vectorizer, LogisticRegression()).fit(np.concatenate([TEXTS, TEXTS]), np.arange(2 * len(TEXTS)) % 2)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize(
    "pattern",
    [
        r"(?u)\b\w{3,}\b", r"\b(\w\w+)\b", "[a-z]+", "[a-zA-Z]{2,3}", "[a-z]{2}", "[a-z][a-z0-9]+", "#[a-z]{1,4}", "[a-zß]{2,}", "[i-k]+", "[st]+",
    ],
)  # fmt: skip
def test_tokens_are_those_of_python(pattern: str, *, lowercase: bool, tmp_path: Path) -> None:
    model = model_with(pattern, lowercase=lowercase)
    source = loaded(model, tmp_path, {"text": TEXTS})
    converted = convert_model(source)
    requests = {"text": TEXTS.reshape(-1, 1)}
    assert check_parity(source, converted, requests, seed=0) >= 7
    answers = run_session(open_session(converted.model, Settings(), where="model.onnx"), requests)["probabilities"]
    np.testing.assert_allclose(answers, model.predict_proba(TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z]+|[a-z]+-[a-z]+",
        "[a-z]+?",
        "a|ab|abc",
        "[a-z]*b",
        "[a-z]{1,3}[b-e]+",
        "[^a]+",
        r"\b[a-z]+\b",
        "(?:a|b)+c",
        "(a)b",
        "[a-σ]+",
        ".+",
        "x?y",
    ],
)
def test_a_pattern_that_onnxruntime_reads_otherwise_is_refused_by_name(pattern: str, tmp_path: Path) -> None:
    model = make_pipeline(CountVectorizer(token_pattern=pattern, vocabulary=["a", "b"]), LogisticRegression()).fit(TEXTS, [0, 1, 0, 1, 0, 1])
    with pytest.raises(ConversionError, match="token_pattern.*expected the default") as caught:
        convert_model(loaded(model, tmp_path, {"text": TEXTS}))
    assert repr(pattern) in str(caught.value)
