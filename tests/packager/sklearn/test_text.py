"""Texts go in as they are: every token counts as scikit-learn counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sealift_packager
from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.model.source import SourceModel
from sealift_packager.parity.check import check_parity
from support.scikit import loaded

DRAW = np.random.default_rng(0)
WORDS = ["the", "a", "good", "bad", "Film", "of", "great", "awful", "don't", "e-mail", "über", "3D", "x", "größe", "плохо", "film_noir", "  ", "\n"]
TEXTS = np.array([" ".join(DRAW.choice(WORDS, DRAW.integers(0, 12))) for _ in range(200)], dtype=object)
LABELS = np.array(["good" in text or "great" in text for text in TEXTS], dtype=int)
EXAMPLES = {"text": TEXTS}
#: Empty, of words that nobody knows, of stop words alone, of single letters.
HARD = np.array(["", "   ", "unheard of", "the of a", "x y z", "GOOD good Good", "film-film_noir film"], dtype=object)


def agreed(source: SourceModel) -> int:
    rows = {source.inputs[0].name: np.concatenate([HARD, TEXTS]).reshape(-1, 1)}
    return check_parity(source, convert_model(source), rows, seed=0)


VECTORIZERS = {
    "tf-idf": TfidfVectorizer(),
    "stop words before pairs": TfidfVectorizer(ngram_range=(1, 2), stop_words="english", min_df=2),
    "pairs over what is no word": CountVectorizer(ngram_range=(2, 2)),
    "triples": CountVectorizer(ngram_range=(1, 3), max_features=50),
    "sublinear": TfidfVectorizer(sublinear_tf=True, norm="l1"),
    "counts of one": CountVectorizer(binary=True),
    "no idf, no norm": TfidfVectorizer(use_idf=False, norm=None),
    "letters as they are": CountVectorizer(lowercase=False),
    "words of one letter": CountVectorizer(token_pattern=r"(?u)\b\w+\b"),
    "a class of characters": TfidfVectorizer(token_pattern=r"[a-zA-Z]+"),
    "a vocabulary of one's own": CountVectorizer(vocabulary=["good", "bad", "über"]),
}


@pytest.mark.parametrize("name", VECTORIZERS)
def test_words_are_counted_and_weighted_as_in_scikit_learn(name: str, tmp_path: Path) -> None:
    source = loaded(make_pipeline(VECTORIZERS[name], LogisticRegression()).fit(TEXTS, LABELS), tmp_path, EXAMPLES)
    assert [(spec.name, spec.dtype, spec.shape) for spec in source.inputs] == [("text", "string", ("batch", 1))]
    assert agreed(source) >= 7


@pytest.mark.parametrize(
    "steps",
    [
        (CountVectorizer(), MultinomialNB()),
        (CountVectorizer(), TfidfTransformer(sublinear_tf=True), TruncatedSVD(5, random_state=0), LogisticRegression()),
        (TfidfVectorizer(), RandomForestClassifier(10, random_state=0)),
    ],
    ids=lambda steps: type(steps[-1]).__name__,
)
def test_what_comes_behind_a_vectorizer_agrees_and_keeps_its_batch_free(steps: Any, tmp_path: Path) -> None:
    source = loaded(make_pipeline(*steps).fit(TEXTS, LABELS), tmp_path, EXAMPLES)
    assert agreed(source) >= 7
    assert {spec.shape[0] for spec in convert_model(source).outputs} == {"batch"}


def test_a_table_may_have_a_column_of_prose(tmp_path: Path) -> None:
    table = pd.DataFrame({"body": TEXTS, "length": [float(len(text)) for text in TEXTS]})
    columns = make_column_transformer((TfidfVectorizer(), "body"), (StandardScaler(), ["length"]))
    source = loaded(make_pipeline(columns, LogisticRegression()).fit(table, LABELS), tmp_path, {name: table[name].to_numpy() for name in table})
    rows = {"body": TEXTS.reshape(-1, 1), "length": table[["length"]].to_numpy(np.float32)}
    assert check_parity(source, convert_model(source), rows, seed=0) >= 7


def test_a_classifier_of_texts_packs(tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    data = pd.DataFrame({"review": TEXTS, "target": LABELS})
    packed = sealift_packager.pack(model, name="m", data=data, profile="x86-64-avx2", out=tmp_path / "out")
    assert [spec.name for spec in packed.manifests["x86-64-avx2"].inputs] == ["review"]


@pytest.mark.parametrize(
    ("vectorizer", "words"),
    [
        (TfidfVectorizer(analyzer="char_wb"), "analyzer: .*expected 'word', found 'char_wb'"),
        (TfidfVectorizer(strip_accents="unicode"), "strip_accents: .*expected None, found 'unicode'"),
        (TfidfVectorizer(tokenizer=str.split, token_pattern=None), "tokenizer: .*found 'split'.*before the model"),
        (TfidfVectorizer(token_pattern=r"\d+(?=x)|\w+"), "token_pattern: .*the default"),
        (HashingVectorizer(n_features=16), "HashingVectorizer has no ONNX form"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_onnx_form_names_the_option(vectorizer: Any, words: str, tmp_path: Path) -> None:
    source = loaded(make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS, LABELS), tmp_path, EXAMPLES)
    with pytest.raises(ConversionError, match=words):
        convert_model(source)


SIGMA = ("ΚΑΛΟΣ ΔΡΟΜΟΣ", "κακό δέντρο", "καλος δρομος", "κακό τέλος")


@pytest.mark.parametrize(
    "options", [{}, {"token_pattern": r"[α-ως]+"}, {"ngram_range": (2, 2), "stop_words": ["δρομος"], "vocabulary": ["κακό δέντρο"]}]
)
def test_a_word_whose_lower_case_depends_on_its_neighbours_is_refused(options: Any, tmp_path: Path) -> None:
    model = make_pipeline(CountVectorizer(**options), LogisticRegression()).fit(SIGMA, [1, 0, 1, 0])
    with pytest.raises(ConversionError, match=r"vocabulary.*found 'δρομος'|vocabulary.*'καλος'.*lowercase=False"):
        convert_model(loaded(model, tmp_path, EXAMPLES))


@pytest.mark.parametrize("options", [{"lowercase": False}, {"vocabulary": ["κακό", "σκύλο", "μέσα"]}])
def test_a_word_that_is_lowered_letter_by_letter_packs(options: Any, tmp_path: Path) -> None:
    texts = np.array([*SIGMA, "ΣΚΎΛΟ ΜΈΣΑ", "Κακό ΣΚΎΛΟΣ μέσα"], dtype=object)
    source = loaded(make_pipeline(CountVectorizer(**options), LogisticRegression()).fit(texts, [1, 0, 1, 0, 1, 0]), tmp_path, EXAMPLES)
    assert check_parity(source, convert_model(source), {"text": texts.reshape(-1, 1)}, seed=0) >= 7


@pytest.mark.parametrize("pattern", [r"(?u)\b\w+\b", r"(?u)\b\w\w+\b", r"(?u)\b\w\w\w+\b"])
def test_a_dotted_capital_i_ends_a_word_as_in_python(pattern: str, tmp_path: Path) -> None:
    texts = np.array(["İstanbul", "istanbul", "ISTANBUL", "stanbul", "fİlm İİ", "film", "xİ", "abİcd3İ_", "x xi abi cd3i"], dtype=object)
    model = make_pipeline(CountVectorizer(token_pattern=pattern), LogisticRegression()).fit(texts, np.arange(len(texts)) % 2)
    source = loaded(model, tmp_path, EXAMPLES)
    assert check_parity(source, convert_model(source), {"text": texts.reshape(-1, 1)}, seed=0) >= 7


def test_words_of_a_vocabulary_are_requests_in_capitals_too(tmp_path: Path) -> None:
    source = loaded(make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, LABELS), tmp_path, EXAMPLES)
    (values,) = source.categories["text"]
    assert values is not None
    assert {"good", "GOOD", "ÜBER"} <= set(values)
