"""A conversion that answers otherwise stops the build and shows where."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from sealift_packager.build.pipeline import pack
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import bind
from sealift_packager.errors import DataError, ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions, SourceModel
from sealift_packager.parity.check import check_parity, prove_parity
from sealift_packager.parity.compare import compare, sizes
from support import trained
from support.packing import request
from support.scikit import loaded
from support.versions import since


def test_equal_answers_have_no_difference() -> None:
    answer = {"y": np.array([[1.0, np.nan], [np.inf, -2]], np.float32), "label": np.array([1, 0])}
    assert compare(answer, {name: value.copy() for name, value in answer.items()}) == []


def test_a_difference_names_output_rows_and_amount() -> None:
    reference = np.ones((5, 2), np.float32)
    answer = reference.copy()
    answer[3, 1] += 0.25
    (difference,) = compare({"y": reference}, {"y": answer})
    assert difference.rows == (3,)
    assert difference.worst == pytest.approx(0.25)
    assert "output 'y' differs in 1 of 5 rows (3), by up to 0.25" in str(difference)


def test_an_answer_near_zero_is_judged_by_the_size_that_answers_usually_have() -> None:
    reference, answer = {"y": np.array([1e-5])}, {"y": np.array([1.03e-5])}
    assert compare(reference, answer) != []
    assert compare(reference, answer, usual=sizes({"y": np.array([-2.0, np.inf, np.nan])})) == []
    assert compare(reference, {"y": np.array([5e-5])}, usual={"y": 2.0}) != []


def test_a_missing_output_and_another_shape_are_differences() -> None:
    assert "nothing" in str(compare({"y": np.ones(2)}, {})[0])
    assert "[3]" in str(compare({"y": np.ones(2)}, {"y": np.ones(3)})[0])


def test_a_label_may_differ_only_where_the_source_s_probabilities_tie() -> None:
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9]])
    reference = {"label": np.array([0, 1]), "probabilities": probabilities}
    assert compare(reference, reference | {"label": np.array([1, 1])}) == []
    assert compare(reference, reference | {"label": np.array([0, 0])})[0].rows == (1,)


def test_synthetic_rows_are_judged_by_the_size_of_the_holdout_s_answers(tmp_path: Path) -> None:
    rows = np.random.default_rng(104).normal(size=(300, 6))
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), transformer=MinMaxScaler()).fit(rows, rows[:, 0] * 2 + rows[:, 1])
    source = loaded(model, tmp_path)
    assert check_parity(source, convert_model(source), {"features": rows.astype(np.float32)}, seed=4) >= 7


@pytest.mark.parametrize("name", ["cancer", "forest", "ridge"])
def test_scikit_learn_models_convert_faithfully(name: str) -> None:
    source = load_model(getattr(trained, name)().model, LoadOptions(trust_pickle=True))
    assert check_parity(source, convert_model(source), None, seed=0) >= 5


def test_a_wrong_conversion_stops_the_build() -> None:
    source = load_model(trained.ridge().model, LoadOptions(trust_pickle=True))
    wrong = dataclasses.replace(source, predict=lambda arrays: {"prediction": source.predict(arrays)["prediction"] * np.float32(1.01)})
    with pytest.raises(ParityError, match="output 'prediction' differs in"):
        check_parity(wrong, convert_model(source), None, seed=0)


@since("scikit-learn", "1.4", "take missing values in forests")
def test_missing_values_go_where_the_forest_sends_them() -> None:
    source = load_model(trained.forest().model, LoadOptions(trust_pickle=True))
    assert source.takes_nan
    rows = np.array(np.load(trained.forest().data)["features"])
    rows[np.random.default_rng(0).uniform(size=rows.shape) < 0.3] = np.nan
    assert check_parity(source, convert_model(source), {"features": rows}, seed=0) >= 5


def test_columns_of_text_are_inputs_of_their_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": np.arange(40.0), "city": ["Rom", "Paris", "Wien", "Köln"] * 10, "late": [0, 1] * 20})
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    joblib.dump(make_pipeline(columns, LogisticRegression()).fit(table[["age", "city"]], table["late"]), tmp_path / "m.joblib")
    table.to_csv(tmp_path / "d.csv", index=False)
    data = read_data(tmp_path / "d.csv")
    source = load_model(tmp_path / "m.joblib", LoadOptions(trust_pickle=True, examples=data.arrays, target="late"))
    assert [(spec.name, spec.dtype, spec.shape) for spec in source.inputs] == [("age", "float32", ("batch", 1)), ("city", "string", ("batch", 1))]
    assert check_parity(source, convert_model(source), bind(data, source, "late").inputs, seed=0) >= 4


def test_a_classifier_without_probabilities_gives_a_label_alone(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3))
    joblib.dump(LinearSVC().fit(rows, (rows.sum(axis=1) > 0).astype(int)), tmp_path / "svc.joblib")
    source = load_model(tmp_path / "svc.joblib", LoadOptions(trust_pickle=True))
    converted = convert_model(source)
    assert [spec.name for spec in converted.outputs] == ["label"]
    assert check_parity(source, converted, {"features": rows.astype(np.float32)}, seed=0) >= 4


def one_hot(tmp_path: Path, unknown: str) -> SourceModel:
    """Over two columns of numbers that are categories, as codes are."""
    rows = np.array([[10.0 * (i % 5), 3 + j] for i in range(20) for j in range(4)])
    joblib.dump(make_pipeline(OneHotEncoder(handle_unknown=unknown), LogisticRegression()).fit(rows, rows.sum(axis=1) > 25), tmp_path / "m.joblib")
    return load_model(tmp_path / "m.joblib", LoadOptions(trust_pickle=True))


def negated(source: SourceModel) -> SourceModel:
    """The same model, wrong."""
    return dataclasses.replace(source, predict=lambda arrays: {name: value[..., ::-1] for name, value in source.predict(arrays).items()})


def test_synthetic_requests_are_of_categories_that_the_encoder_knows(tmp_path: Path) -> None:
    source = one_hot(tmp_path, "error")
    proof = prove_parity(source, convert_model(source), None, seed=0)
    assert proof.compared >= 5
    assert "an unseen category in features[1]" in proof.refused
    assert f"answers to {proof.compared} requests" in str(proof)
    assert f"refused {len(proof.refused)} synthetic ones" in str(proof)
    with pytest.raises(ParityError, match="answers differently"):
        prove_parity(negated(source), convert_model(source), None, seed=0)


def test_an_unseen_category_is_asked_where_the_source_takes_it(tmp_path: Path) -> None:
    source = one_hot(tmp_path, "ignore")
    assert prove_parity(source, convert_model(source), None, seed=0).refused == ()


def test_a_source_that_refuses_every_request_proves_nothing(tmp_path: Path) -> None:
    source = dataclasses.replace(one_hot(tmp_path, "error"), categories={})
    with pytest.raises(ParityError, match=r"can't be compared.*refused \(caused by: ValueError: Found unknown categories.*Pass --data"):
        prove_parity(source, convert_model(source), None, seed=0)


def test_a_source_that_answers_by_chance_alone_proves_nothing_either(tmp_path: Path) -> None:
    source = dataclasses.replace(one_hot(tmp_path, "ignore"), arbitrary=lambda inputs: np.ones(len(next(iter(inputs.values()))), bool))
    with pytest.raises(ParityError, match=r"has a tie in every request.*no single right answer"):
        prove_parity(source, convert_model(source), None, seed=0)


@pytest.mark.parametrize(("unknown", "answered"), [("ignore", True), ("error", False)])
def test_unseen_text_is_asked_beside_the_holdout(tmp_path: Path, unknown: str, answered: bool) -> None:
    table = pd.DataFrame({"age": np.arange(40.0), "city": ["Rom", "Paris", "Wien", "Köln"] * 10, "late": [0, 1] * 20})
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(handle_unknown=unknown), ["city"]))
    joblib.dump(make_pipeline(columns, LogisticRegression()).fit(table[["age", "city"]], table["late"]), tmp_path / "m.joblib")
    table.to_csv(tmp_path / "d.csv", index=False)
    data = read_data(tmp_path / "d.csv")
    source = load_model(tmp_path / "m.joblib", LoadOptions(trust_pickle=True, examples=data.arrays, target="late"))
    assert [None if values is None else values.tolist() for values in source.categories["city"]] == [["Köln", "Paris", "Rom", "Wien"]]
    proof = prove_parity(source, convert_model(source), bind(data, source, "late").inputs, seed=0)
    assert ("an unseen category in city[0]" not in proof.refused) == answered


def test_text_among_the_numbers_of_a_column_is_shown_where_the_source_refuses_it(tmp_path: Path) -> None:
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["ash", "hue"])
    joblib.dump(LogisticRegression().fit(rows, rows.ash > 0), tmp_path / "m.joblib")
    (tmp_path / "h.csv").write_text("ash,hue,target\n1.5,1,0\n2,1,1\noops,1,0\n3,1,1\n")
    with pytest.raises(DataError, match="it takes numbers, not text.*ash: 'oops' in row 2, among numbers"):
        pack(request(trained.Trained(model=tmp_path / "m.joblib", data=tmp_path / "h.csv", target="target"), tmp_path / "out", trust_pickle=True))


def test_an_output_that_is_only_called_like_a_models_distances_is_compared_as_any_other() -> None:
    answer: dict[str, np.ndarray[Any, np.dtype[Any]]] = {"distances": np.arange(3, dtype=np.float32), "label": np.arange(3)}
    assert compare(answer, dict(answer)) == []
    assert len(compare(answer, answer | {"label": np.arange(3)[::-1].copy()})) == 1


def test_a_tie_of_probabilities_is_none_where_scores_tell_classes_apart() -> None:
    saturated = {"label": np.array([1, 0]), "probabilities": np.array([[0.5, 0.5], [0.5, 0.5]])}
    other = saturated | {"label": np.array([0, 0])}
    assert compare(saturated, other) == []
    assert compare(saturated, other, scores=np.array([[40.0, 40.0001], [3.0, 1.0]])) == []
    assert [str(row) for row in compare(saturated, other, scores=np.array([[40.0, 90.0], [3.0, 1.0]]))] == [
        "output 'label' differs in 1 of 2 rows (0): 1 became 0"
    ]
    assert compare(saturated, other, scores=np.array([1e-7, 0.0])) == []
