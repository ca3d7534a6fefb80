"""Tables as people have them: exact, unseen and missing values too, or refused with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from sealift_packager.data.files import DataFile, read_data
from sealift_packager.data.holdout import bind
from sealift_packager.errors import DataError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.compare import compare
from support.scikit import loaded
from support.versions import since

ROWS = 300
RANDOM = np.random.default_rng(0)
NUMBERS, TEXTS = ["age", "income"], ["city", "job"]
IMPUTED = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
HIST = HistGradientBoostingClassifier(max_iter=10)
FOREST = RandomForestClassifier(5, random_state=0)
UNSEEN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}


def table(*, missing: bool = False) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "age": RANDOM.normal(50, 10, ROWS),
            "income": RANDOM.lognormal(10, 1, ROWS),
            "city": RANDOM.choice(["Rom", "Paris", "Wien", "Köln"], ROWS).astype(object),
            "job": RANDOM.choice(["a", "b", "c"], ROWS, p=[0.9, 0.09, 0.01]).astype(object),
            "member": RANDOM.choice([True, False], ROWS),
        }
    )
    if missing:
        frame.loc[::7, "age"] = np.nan
        frame.loc[::5, "city"] = np.nan
    return frame


def fitted(columns: Any, final: Any, *, missing: bool = False) -> tuple[Any, pd.DataFrame]:
    frame = table(missing=missing)
    label = ((frame["income"] > 22_000) ^ (frame["city"] == "Rom")).astype(int)
    return make_pipeline(columns, final).fit(frame, label), frame


def encoded(encoder: Any, numbers: Any = "passthrough", *more: Any) -> Any:
    return make_column_transformer((numbers, NUMBERS), (encoder, TEXTS), *more)


def one_hot(**options: Any) -> OneHotEncoder:
    return OneHotEncoder(sparse_output=False, **options)


TABLES: dict[str, Callable[[], tuple[Any, pd.DataFrame]]] = {
    "ordinal, unseen": lambda: fitted(encoded(OrdinalEncoder(**UNSEEN), StandardScaler()), LogisticRegression()),
    "ordinal before trees": lambda: fitted(encoded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)), HIST),
    "one-hot, unseen ignored": lambda: fitted(encoded(one_hot(handle_unknown="ignore"), StandardScaler()), LogisticRegression()),
    "one-hot, infrequent": lambda: fitted(
        encoded(one_hot(handle_unknown="infrequent_if_exist", min_frequency=0.1), StandardScaler()), LogisticRegression()
    ),
    "one-hot, first dropped": lambda: fitted(encoded(one_hot(handle_unknown="ignore", drop="first"), StandardScaler()), LogisticRegression()),
    "one-hot, sparse": lambda: fitted(encoded(OneHotEncoder(handle_unknown="ignore"), StandardScaler()), LogisticRegression()),
    "booleans": lambda: fitted(
        encoded(one_hot(handle_unknown="ignore"), StandardScaler(), (one_hot(handle_unknown="ignore"), ["member"])), LogisticRegression()
    ),
    "the rest passed through": lambda: fitted(
        make_column_transformer((one_hot(handle_unknown="ignore"), TEXTS), (StandardScaler(), NUMBERS), remainder="passthrough"), LogisticRegression()
    ),
    "numbers and text imputed": lambda: fitted(
        encoded(make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot(handle_unknown="ignore")), IMPUTED),
        LogisticRegression(),
        missing=True,
    ),
    "text imputed by a word": lambda: fitted(
        encoded(make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), one_hot(handle_unknown="ignore")), IMPUTED),
        LogisticRegression(),
        missing=True,
    ),
    "a forest behind imputed numbers": lambda: fitted(encoded(one_hot(handle_unknown="ignore"), IMPUTED), FOREST, missing=True),
    "a forest behind marked gaps": lambda: fitted(
        encoded(one_hot(handle_unknown="ignore"), make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())), FOREST, missing=True
    ),
    "missing text as a category": lambda: fitted(encoded(one_hot(handle_unknown="ignore")), HIST, missing=True),
    "missing text as a number": lambda: fitted(encoded(OrdinalEncoder(**UNSEEN, encoded_missing_value=-2)), HIST, missing=True),
}


def columns_of(frame: pd.DataFrame) -> dict[str, Array]:
    return {name: frame[name].to_numpy() for name in frame}


def requests(frame: pd.DataFrame) -> dict[str, Array]:
    """Columns as the graph takes them, missing text as ``""``, an unseen word in each column of text."""
    arrays: dict[str, Array] = {}
    for name in frame:
        values = frame[name].to_numpy()
        if name in TEXTS:
            values = np.array(["" if item != item else item for item in values], dtype=object)
            values[-20:] = "unseen"
        else:
            values = values.astype(np.float32)
        arrays[name] = values.reshape(-1, 1)
    return arrays


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_exact_with_unseen_and_missing_values(name: str, tmp_path: Path) -> None:
    model, frame = TABLES[name]()
    source = loaded(model, tmp_path, columns_of(frame))
    converted = convert_model(source)
    inputs = requests(frame)
    assert check_parity(source, converted, inputs, seed=0) >= 6
    session = open_session(converted.model, Settings(), where="m")
    assert compare(source.predict(inputs), run_session(session, inputs)) == []


def test_missing_values_reach_the_source_as_it_knows_them(tmp_path: Path) -> None:
    model, frame = TABLES["numbers and text imputed"]()
    answers = loaded(model, tmp_path, columns_of(frame)).predict({name: values[:-20] for name, values in requests(frame).items()})
    exact = model.predict_proba(frame.astype({"age": np.float32, "income": np.float32}))[:-20]
    np.testing.assert_allclose(answers["probabilities"], exact, atol=1e-6)


def test_pandas_categories_are_text(tmp_path: Path) -> None:
    rows = table().astype({"city": "category", "job": "category"})
    model = make_pipeline(encoded(one_hot(handle_unknown="ignore"), StandardScaler()), LogisticRegression()).fit(rows, rows["member"])
    plain = rows.astype({"city": object, "job": object})
    source = loaded(model, tmp_path, columns_of(plain))
    assert check_parity(source, convert_model(source), requests(plain), seed=0) >= 6


@pytest.mark.parametrize("final", [LogisticRegression(), HIST, FOREST], ids=lambda value: type(value).__name__)
def test_columns_of_numbers_may_be_taken_by_name(final: Any, tmp_path: Path) -> None:
    rows = table(missing=True)[["age", "income"]]
    columns = make_column_transformer(
        (IMPUTED, ["income"]), (SimpleImputer(strategy="constant", fill_value=40.0), ["age"]), (MinMaxScaler(), ["income"])
    )
    source = loaded(make_pipeline(columns, final).fit(rows, rows["income"] > 22_000), tmp_path, columns_of(rows))
    assert check_parity(source, convert_model(source), {"features": rows.to_numpy(np.float32)}, seed=0) >= 7


@since("scikit-learn", "1.4", "have it")
def test_trees_that_encode_categories_themselves_name_the_step_and_the_encoder_to_use(tmp_path: Path) -> None:
    rows = table().astype({"city": "category", "job": "category"})
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype").fit(rows, rows["member"])
    with pytest.raises(SourceModelError, match=r"HistGradientBoostingClassifier: .*categorical_features='from_dtype'\. Put OrdinalEncoder"):
        loaded(model, tmp_path, columns_of(table()))


@pytest.mark.parametrize("none", [[], make_column_selector(dtype_include="datetime"), [False, False]], ids=["list", "selector", "mask"])
def test_a_part_of_no_columns_packs(none: Any, tmp_path: Path) -> None:
    numbers = table()[NUMBERS]
    columns = make_column_transformer((one_hot(handle_unknown="ignore"), none), (StandardScaler(), NUMBERS))
    model = make_pipeline(columns, LogisticRegression()).fit(numbers, numbers["age"] > 50)
    source = loaded(model, tmp_path, columns_of(numbers))
    assert check_parity(source, convert_model(source), {"features": numbers.to_numpy(np.float32)}, seed=0) >= 7


def test_text_is_known_from_the_model_without_data(tmp_path: Path) -> None:
    model, _ = TABLES["one-hot, unseen ignored"]()
    source = loaded(model, tmp_path)
    assert {spec.name for spec in source.inputs if spec.dtype == "string"} == set(TEXTS)
    assert check_parity(source, convert_model(source), None, seed=0) >= 6


def unnamed() -> tuple[Any, pd.DataFrame]:
    rows = table()[[*NUMBERS, *TEXTS]]
    columns = make_column_transformer((StandardScaler(), [0, 1]), (one_hot(handle_unknown="ignore"), [2, 3]))
    return make_pipeline(columns, LogisticRegression()).fit(rows.to_numpy(), rows["age"] > 50), rows


def test_columns_without_names_have_those_of_the_data(tmp_path: Path) -> None:
    model, rows = unnamed()
    source = loaded(model, tmp_path, columns_of(rows))
    assert [spec.name for spec in source.inputs] == list(rows)
    assert check_parity(source, convert_model(source), requests(rows), seed=0) >= 6


def test_text_without_names_asks_for_data(tmp_path: Path) -> None:
    model, _ = unnamed()
    with pytest.raises(SourceModelError, match="the columns of text have no names: .*--data with a column for each of the model's 4, found no data"):
        loaded(model, tmp_path)


def bound(codes: list[Any], folder: Path) -> Array:
    """The column ``code``, which the model knows as text, of a CSV file with these values."""
    fitted_on = pd.DataFrame({"code": ["01067", "10115"] * 5, "n": np.arange(10.0)})
    model = make_pipeline(make_column_transformer((one_hot(handle_unknown="ignore"), ["code"]), remainder="passthrough"), LogisticRegression())
    pd.DataFrame({"code": codes, "n": 1.0, "target": 1}).to_csv(folder / "data.csv", index=False)
    data = read_data(folder / "data.csv")
    assert isinstance(data, DataFile)
    return bind(data, loaded(model.fit(fitted_on, np.arange(10) % 2), folder, data.arrays), "target").inputs["code"]


def test_numbers_in_a_csv_file_of_which_the_model_knows_none_are_refused(tmp_path: Path) -> None:
    said = "code: this column must be text: expected text, as the model was trained on, found numbers.*save the table as Parquet"
    with pytest.raises(DataError, match=said):
        bound(["1067", "1015"], tmp_path)


def test_a_column_of_text_without_a_value_is_missing_text(tmp_path: Path) -> None:
    assert bound([None, None], tmp_path).tolist() == [[""], [""]]
