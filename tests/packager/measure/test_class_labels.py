"""Labels in the data are what the model was trained with: 1, "1", "01", True and "True" are told apart by the model's classes, not by the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.errors import DataError
from sealift_packager.measure.class_labels import as_classes
from sealift_packager.measure.metrics import METRICS
from sealift_packager.measure.predictions import read_prediction
from sealift_packager.measure.target import fit_target
from support.packing import elsewhere

ROWS = np.random.default_rng(0).normal(size=(80, 2))
RNG = np.random.default_rng(1)
SIDE = (ROWS[:, 0] > 0).astype(int)


def packed(labels: Any, text: list[str], folder: Path, suffix: str = ".csv", **options: Any) -> Any:
    """A model that was trained with ``labels`` on data whose target holds ``text``."""
    joblib.dump(LogisticRegression().fit(ROWS, labels), folder / "m.joblib")
    data = folder / f"d{suffix}"
    if suffix == ".jsonl":
        data.write_text("".join(json.dumps({"a": a, "b": b, "target": t}) + "\n" for (a, b), t in zip(ROWS, text, strict=True)))
    elif suffix == ".parquet":
        pd.DataFrame(ROWS, columns=["a", "b"]).assign(target=text).to_parquet(data)
    else:
        data.write_text("a,b,target\n" + "".join(f"{a},{b},{t}\n" for (a, b), t in zip(ROWS, text, strict=True)))
    request = PackRequest(
        model=folder / "m.joblib",
        name="m",
        version="1.0.0",
        profiles=(elsewhere(),),
        out=folder / "release",
        trust_pickle=True,
        sandbox=False,
        data=data,
        **options,
    )
    return pack(request)


def score(result: Any) -> float:
    return float(result.manifests["elsewhere"].evaluation.candidates[0].accuracy.reference)


NAMES = {
    "text 0 and 1": (["0", "1"], ["0", "1"]),
    "text with leading zeros": (["01", "02"], ["01", "02"]),
    "text of fractions": (["0.0", "1.0"], ["0.0", "1.0"]),
    "text that was whole": (["0", "1"], ["0.0", "1.0"]),
    "text True and False": (["False", "True"], ["False", "True"]),
    "text true and false": (["false", "true"], ["false", "true"]),
    "truth values": ([False, True], ["False", "True"]),
    "truth values as numbers": ([False, True], ["0", "1"]),
    "numbers": ([0, 1], ["0", "1"]),
    "numbers as fractions": ([0, 1], ["0.0", "1.0"]),
    "numbers as truth values": ([0, 1], ["False", "True"]),
    "quoted numbers": ([3, 7], ['"3"', '"7"']),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_model_s_classes_decide_what_a_label_in_a_csv_is(name: str, tmp_path: Path) -> None:
    classes, text = NAMES[name]
    assert score(packed(np.array(classes)[SIDE], [text[side] for side in SIDE], tmp_path)) > 0.9


@pytest.mark.parametrize(
    ("classes", "values", "suffix"),
    [
        (["0", "1"], [0, 1], ".parquet"),
        ([0, 1], ["0", "1"], ".parquet"),
        ([False, True], ["False", "True"], ".jsonl"),
        (["False", "True"], [False, True], ".jsonl"),
        ([1.5, 2.0], ["1.5", "2"], ".jsonl"),
    ],
)
def test_so_it_is_in_files_with_types(classes: list[Any], values: list[Any], suffix: str, tmp_path: Path) -> None:
    if isinstance(classes[0], float):
        labels, note = as_classes(np.array(values, dtype=object), None, np.array(classes))
        assert (labels.tolist(), note) == (classes, "")
    else:
        assert score(packed(np.array(classes)[SIDE], [values[side] for side in SIDE], tmp_path, suffix)) > 0.9


@pytest.mark.parametrize(("text", "found"), [(["yes", "No"], "'No' for 'no'"), (["yes ", "no"], "'yes '"), (["YES", "NO"], "'NO' for 'no'")])
def test_labels_in_another_case_or_with_spaces_are_refused(text: list[str], found: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"a label differs from the model's class by case or spaces only: expected .* 'no', 'yes', found {found}"):
        packed(np.array(["yes", "no"])[SIDE], [text[side] for side in SIDE], tmp_path)


def test_labels_of_which_none_is_a_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the labels is one of the model's classes: expected .* 'no', 'yes', found 'a', 'b'\."):
        packed(np.array(["yes", "no"])[SIDE], ["ab"[side] for side in SIDE], tmp_path)


def test_labels_that_are_new_to_the_model_are_named_and_count_as_wrong(tmp_path: Path) -> None:
    text = ["maybe" if number < 8 else "yes" if side else "no" for number, side in enumerate(SIDE)]
    result = packed(np.array(["no", "yes"])[SIDE], text, tmp_path)
    assert any("8 of 80 rows have a label that the model doesn't know ('maybe'); they count as wrong answers." in note for note in result.notes)
    assert score(result) <= 0.9


def test_numbers_that_no_class_is_called_are_still_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not fit the target: expected the model's own labels, .*Write the classes into the data"):
        packed(np.array(["yes", "no"])[SIDE], [str(side) for side in SIDE], tmp_path)


@pytest.mark.parametrize("classes", [["10", "9"], ["no", "yes"], [9, 10], [False, True]])
def test_auc_takes_the_model_s_last_class_for_the_positive_one(classes: list[Any]) -> None:
    side = RNG.integers(0, 2, 200)
    scores = (side + RNG.normal(size=200)).astype(np.float32)
    answers = read_prediction({"label": np.array(classes)[side], "probabilities": np.column_stack([1 - scores, scores])})
    text = isinstance(classes[0], str)
    for labels in (np.array(classes)[side], np.array([str(label) for label in classes], dtype=object)[side]):
        given = labels.astype(object) if text else labels
        written = labels.astype(str).astype(object)
        target = fit_target(METRICS["auc"], given, answers, classes=np.array(classes), written=written).target
        assert METRICS["auc"].score(target, answers) == pytest.approx(roc_auc_score(side, scores))
    if classes == ["10", "9"]:
        numbers = np.array([10, 9])[side]  # as a CSV is read
        target = fit_target(METRICS["auc"], numbers, answers, classes=np.array(classes), written=numbers.astype(str).astype(object)).target
        assert METRICS["auc"].score(target, answers) == pytest.approx(roc_auc_score(side, scores))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["negative", "positive"], "none of the labels is one of the model's classes"),
        (["no", "Yes"], "a label differs from the model's class by case"),
        (["no", "maybe"], "the metric auc needs labels that are the model's two classes.*expected 'no', 'yes', found 'maybe'"),
    ],
)
def test_auc_refuses_labels_whose_order_nobody_knows(labels: list[str], message: str) -> None:
    answers = read_prediction({"label": np.array(["no", "yes"], dtype=object), "probabilities": np.eye(2)})
    with pytest.raises(DataError, match=message):
        fit_target(METRICS["auc"], np.array(labels, dtype=object), answers, classes=np.array(["no", "yes"]))


def test_numbers_as_text_keep_all_their_digits() -> None:
    classes = np.array([2**53, 2**53 + 1])
    labels, note = as_classes(np.array([str(2**53 + 1), f" {2**53}.0", str(2**53)], dtype=object), None, classes)
    assert labels.tolist() == [2**53 + 1, 2**53, 2**53]
    assert not note
    assert as_classes(np.array([str(2**53 + 1)], dtype=object), None, np.array([2**53, 5]))[0].dtype == object
    assert as_classes(np.array(["1e999999999", "nan", "x"], dtype=object), None, np.array([0, 1]))[0].dtype == object
    assert as_classes(np.array(["1.5", "2"], dtype=object), None, np.array([1.5, 2.0]))[0].tolist() == [1.5, 2.0]
