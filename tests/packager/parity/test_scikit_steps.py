"""A conversion that answers otherwise is laid to the step that it is the fault of."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

from sealift_packager.errors import ParityError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Arrays, LoadOptions, SourceModel
from sealift_packager.parity.check import check_parity
from sealift_packager.parity.scikit_steps import advice_on
from sealift_packager.sklearn.converters import registry as own
from support.ensembles import TRUST

ROWS, TARGET = load_wine(return_X_y=True)
REQUEST = {"features": ROWS[:9].astype(np.float32)}
WHOLE = (
    SimpleImputer(),
    StandardScaler(),
    KBinsDiscretizer(encode="ordinal", strategy="uniform"),
    LogisticRegression(max_iter=300),
)


def loaded(model: Any, folder: Path, options: LoadOptions = TRUST) -> SourceModel:
    joblib.dump(model, folder / "m")
    return load_model(folder / "m", options)


def negated(scope: Any, operator: Any, container: Any) -> None:
    """A converter of anything that is wrong."""
    writer = NodeWriter(scope.get_unique_operator_name("wrong"))
    writer.add("Neg", operator.inputs[0].full_name, output=operator.outputs[0].full_name)
    writer.put_into(container)


@pytest.mark.parametrize(("estimator", "step"), [("SimpleImputer", "simpleimputer"), ("KBinsDiscretizer", "kbinsdiscretizer")])
def test_the_first_step_that_differs_is_named(estimator: str, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = loaded(make_pipeline(*WHOLE).fit(ROWS, TARGET), tmp_path)
    monkeypatch.setitem(own.CONVERTERS, estimator, (negated, own.CONVERTERS[estimator][1]))
    with pytest.raises(ParityError, match=rf"The ONNX form of step '{step}' \({estimator}\) computes something else.*use another estimator"):
        check_parity(source, convert_model(source), REQUEST, seed=0)


def test_where_all_before_agree_it_is_the_last_step(tmp_path: Path) -> None:
    source = loaded(make_pipeline(*WHOLE).fit(ROWS, TARGET), tmp_path)
    assert "The ONNX form of step 'logisticregression' (LogisticRegression) computes something else" in advice_on(source, REQUEST)


def test_a_step_that_could_classify_is_asked_for_what_it_transforms(tmp_path: Path) -> None:
    source = loaded(make_pipeline(LinearDiscriminantAnalysis(), LogisticRegression()).fit(ROWS, TARGET), tmp_path)
    assert "step 'logisticregression'" in advice_on(source, REQUEST)


def test_the_steps_of_a_pipeline_of_text_can_be_asked(tmp_path: Path) -> None:
    texts = ["red wine", "white wine", "red beer", "white beer"] * 5
    options = dataclasses.replace(TRUST, examples={"review": np.array(texts, dtype=object)})
    source = loaded(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [0, 1] * 10), tmp_path, options)
    assert "step 'logisticregression'" in advice_on(source, {"review": np.array([["red wine"], ["new"]], dtype=object)})


def test_an_estimator_by_itself_is_named_by_its_class(tmp_path: Path) -> None:
    source = loaded(KMeans(2, n_init=1).fit(ROWS), tmp_path)
    assert advice_on(source, REQUEST).startswith("The ONNX form of KMeans computes something else")


def test_a_step_that_can_t_be_asked_leaves_it_open_which_one_it_is(tmp_path: Path) -> None:
    def refuses(_: Arrays) -> Any:
        raise ValueError("not alone")

    source = loaded(make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, TARGET), tmp_path)
    broken = dataclasses.replace(source, steps=tuple(dataclasses.replace(part, predict=refuses) for part in source.steps))
    assert advice_on(broken, REQUEST).startswith("The ONNX form of one of its steps")


def test_a_step_whose_form_fails_where_the_step_answers_is_named(tmp_path: Path) -> None:
    source = loaded(make_pipeline(*WHOLE).fit(ROWS, TARGET), tmp_path)
    answering = tuple(dataclasses.replace(part, predict=lambda _: {"values": ROWS}) for part in source.steps)
    one_column = {"features": ROWS[:, :1].astype(np.float32)}
    assert "The ONNX form of step 'simpleimputer' (SimpleImputer)" in advice_on(dataclasses.replace(source, steps=answering), one_column)


def test_a_model_of_another_library_has_no_steps_to_name(tmp_path: Path) -> None:
    source = loaded(make_pipeline(*WHOLE).fit(ROWS, TARGET), tmp_path)
    assert advice_on(dataclasses.replace(source, format="onnx"), REQUEST) == ""
