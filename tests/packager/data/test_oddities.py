"""What the data never show is said: when a model is packed, in the report, and in the bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from click.testing import CliRunner
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift_packager.build.pipeline import pack
from sealift_packager.cli import cli
from sealift_packager.data.oddities import MIN_ROWS, describe_oddities, describe_unknown
from sealift_packager.report.facts import report_facts
from support import packing
from support.scikit import loaded
from support.trained import Trained

NAN = float("nan")


def test_categories_in_another_case_and_columns_of_unknown_ones_are_named() -> None:
    known = {"city": (np.array(["Köln", "Rome"], dtype=object),), "pay": (None,)}

    def notes(*cities: str) -> tuple[str, ...]:
        return describe_unknown({"city": np.array([[city] for city in cities], dtype=object), "pay": np.ones((len(cities), 1))}, known)

    assert notes("Köln", "Oslo", "") == ()
    (close,) = notes("Köln", "ROME", " Köln")
    assert close.startswith("Warning: values of city differ from the model's categories by case or spaces only, and count as unknown: ")
    assert close.endswith(": ' Köln' for 'Köln', 'ROME' for 'Rome'.")
    (none,) = notes("Oslo", "Bergen")
    assert none == "Warning: the model knows no value of city ('Bergen', 'Oslo'); it knows 'Köln', 'Rome'."


def test_columns_without_a_value_and_constant_ones_are_named() -> None:
    table = np.array([[NAN, 7.0, 1.0], [NAN, 7.0, 2.0]] * 60)
    notes = describe_oddities({"features": table}, {"features": ("age", "shop", "price")})
    assert len(notes) == 2
    assert notes == (
        "No row of the data has a value in the column age: values there were not evaluated, and devices can't detect drift in it.",
        "All rows of the data have the same value in the column shop: a device reports any other value as out of range.",
    )


def test_an_input_of_text_and_an_array_without_names_are_columns_too() -> None:
    inputs = {"word": np.array([[""]] * 120, dtype=object), "town": np.array(["Ulm"] * 120, dtype=object), "x": np.arange(240.0).reshape(120, 2)}
    assert describe_oddities(inputs, {})[0].startswith("No row of the data has a value in the column word:")
    assert "the column town:" in describe_oddities(inputs, {})[1]
    assert "the column x[1]:" in describe_oddities({"x": np.array([[1.0, 2], [3, 2]] * 60)}, {})[0]


def test_a_column_of_which_some_values_are_missing_is_not_constant() -> None:
    assert describe_oddities({"x": np.array([NAN, 1.0] * 60)}, {}) == ()


def test_few_rows_are_said_to_show_large_drift_only() -> None:
    assert f"at least {MIN_ROWS} (min_rows)" in describe_oddities({"x": np.arange(MIN_ROWS - 1.0)}, {})[0]
    assert describe_oddities({"x": np.arange(float(MIN_ROWS))}, {}) == ()


def test_pictures_have_no_columns() -> None:
    assert describe_oddities({"x": np.zeros((120, 3, 4, 4))}, {}) == ()


def test_they_stand_in_the_terminal_in_the_report_and_in_the_bundle(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"age": random.normal(size=200), "price": random.normal(size=200), "shop": random.normal(size=200)})
    joblib.dump(HistGradientBoostingClassifier(max_iter=3).fit(table, table["price"] > 0), tmp_path / "m.joblib")
    holdout = table.assign(age="", shop=1.5, target=(table["price"] > 0).astype(int))[:60]
    holdout.to_csv(tmp_path / "d.csv", index=False)
    profile = dataclasses.replace(packing.elsewhere(), precisions=("fp32",))
    packed = pack(packing.request(Trained(model=tmp_path / "m.joblib", data=tmp_path / "d.csv", target="target"), tmp_path / "out", profile))
    notes = packed.manifests["elsewhere"].lineage.annotations["data_notes"]
    assert [words in note for words, note in zip(("column age", "column shop", "60 rows"), notes, strict=True)] == [True] * 3
    assert set(notes) <= set(packed.notes)
    assert set(notes) <= set(report_facts(packed)["notes"])
    done = CliRunner().invoke(cli, ["unpack", str(tmp_path / "out"), str(tmp_path / "bundle"), "--profile", "elsewhere"])
    assert done.exit_code == 0, done.output
    assert "in the column age" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()


def test_documents_are_not_compared_with_a_vectorizer_s_words(tmp_path: Path) -> None:
    documents = ["good movie", "bad movie", "great film", "terrible film"] * 5
    source = loaded(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(documents, [1, 0] * 10), tmp_path)
    (name,) = source.categories
    given = {name: np.array(documents, dtype=object).reshape(-1, 1)}
    assert source.words == {name}
    assert describe_unknown(given, source.categories, source.words) == ()
    table = pd.DataFrame({"city": ["Köln", "Rome"] * 10})
    encoded = loaded(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, [1, 0] * 10), tmp_path)
    assert not encoded.words
    assert describe_unknown({"city": np.array([["KÖLN"]], dtype=object)}, encoded.categories, encoded.words)
