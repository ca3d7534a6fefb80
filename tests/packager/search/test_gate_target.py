"""The gate holds the right things against each other, or says why it can't."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from sklearn import metrics as reference
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.cli import cli
from sealift_packager.errors import DataError
from sealift_packager.measure.constant import warn_of_constant, warn_of_rare_class
from sealift_packager.measure.metrics import METRICS
from sealift_packager.measure.predictions import read_prediction, sample_of
from sealift_packager.measure.target import fit_target, guess_metric
from sealift_packager.model.source import Array
from sealift_packager.search import run
from support import packing
from support.trained import Trained

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(400, 4)).astype(np.float32)


def packed(tmp_path: Path, model: object, target: Array, *precisions: str, rows: Array = ROWS, max_drop: float | None = None) -> Packed:
    """A build of a scikit-learn model, or of ``m.onnx`` where there is none."""
    path = tmp_path / ("m.joblib" if model else "m.onnx")
    if model:
        joblib.dump(model, path)
    np.savez(tmp_path / "d.npz", features=rows, target=target)
    what = Trained(model=path, data=tmp_path / "d.npz", target="target")
    profile = dataclasses.replace(packing.elsewhere(), precisions=precisions or ("fp32",))
    return pack(packing.request(what, tmp_path / "out", profile, max_drop=max_drop))


def chosen_accuracy(build: Packed) -> tuple[str, float, float]:
    accuracy = build.manifests["elsewhere"].evaluation.accuracy
    assert accuracy is not None
    return accuracy.metric, accuracy.reference, accuracy.budget


def regressor_of_three(path: Path) -> Array:
    """Writes a network of three outputs, one layer of it fitted, and gives the target that it is fitted to."""
    target = np.asarray(np.sin(ROWS[:, :3]) + RANDOM.normal(0, 0.1, (400, 3)))
    first = RANDOM.normal(size=(4, 256)).astype(np.float32)
    second = np.linalg.lstsq(np.maximum(ROWS @ first, 0), target, rcond=1e-3)[0].astype(np.float32)
    weights = [onnx.numpy_helper.from_array(first, "first"), onnx.numpy_helper.from_array(second, "second")]
    made = [("MatMul", ["features", "first"], "a"), ("Relu", ["a"], "b"), ("MatMul", ["b", "second"], "y")]
    nodes = [onnx.helper.make_node(operator, inputs, [output], name=output) for operator, inputs, output in made]
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", size]) for name, size in (("features", 4), ("y", 3))]
    graph = onnx.helper.make_graph(nodes, "three", tensors[:1], tensors[1:], weights)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), path)
    return target


def test_a_regressor_of_several_outputs_is_judged_by_all_of_them(tmp_path: Path) -> None:
    target = regressor_of_three(tmp_path / "m.onnx")
    build = packed(tmp_path, None, target, "fp32", "int8-static", "int8-dynamic")
    metric, score, _ = chosen_accuracy(build)
    assert metric == "rmse"
    assert 0.05 < score < 0.3
    candidates = {candidate.name: candidate for candidate in build.manifests["elsewhere"].evaluation.candidates}
    for name in ("int8-static", "int8-dynamic"):
        accuracy = candidates[name].accuracy
        assert accuracy is not None
        assert accuracy.loss != 0, candidates[name].reason


def test_scores_of_several_columns_are_scikit_learn_s() -> None:
    target, value = RANDOM.normal(size=(100, 3)) * (1, 5, 20), RANDOM.normal(size=(100, 3)).astype(np.float32)
    numbers = read_prediction({"prediction": value})
    assert METRICS["mae"].score(target, numbers) == pytest.approx(reference.mean_absolute_error(target, value))
    assert METRICS["rmse"].score(target, numbers) == pytest.approx(
        np.sqrt(reference.mean_squared_error(target, value, multioutput="raw_values")).mean()
    )
    assert METRICS["r2"].score(target, numbers) == pytest.approx(reference.r2_score(target, value))


def test_one_hot_rows_are_the_classes_of_logits_and_that_is_said() -> None:
    logits = read_prediction({"y": RANDOM.normal(size=(50, 3)).astype(np.float32)})
    target = np.eye(3)[RANDOM.integers(0, 3, 50)]
    assert guess_metric(logits, target).name == "accuracy"
    fitted = fit_target(METRICS["accuracy"], target, logits)
    assert fitted.target.tolist() == target.argmax(axis=1).tolist()
    assert "one-hot" in fitted.note


@pytest.mark.parametrize(
    ("output", "target"),
    [
        ((9, 1, 4, 4), np.tile([0, 1], (9, 8)).reshape(9, 4, 4)),
        ((9, 3, 4, 4), np.tile([0, 2], (9, 8)).reshape(9, 4, 4)),
        ((9, 3), np.tile([1, 1, 0], (9, 1))),
        ((9, 3), np.linspace(0, 1, 9)),
        ((9, 3), np.arange(9)),
        ((9, 3), np.zeros((9, 2))),
    ],
    ids=["binary masks", "masks of classes", "multilabel targets", "fractions", "classes that the output lacks", "other columns"],
)
def test_a_target_that_no_metric_fits_is_refused_with_what_to_do(output: tuple[int, ...], target: Array) -> None:
    answers = read_prediction({"y": np.zeros(output, np.float32)})
    with pytest.raises(DataError, match=r"--target.*expected .*found .*--metric module:function"):
        guess_metric(answers, target)


def test_an_image_for_an_image_is_a_regression() -> None:
    answers = read_prediction({"y": np.zeros((9, 1, 4, 4), np.float32)})
    target = RANDOM.normal(size=(9, 4, 4))
    metric = guess_metric(answers, target)
    assert metric.name == "rmse"
    assert metric.score(fit_target(metric, target, answers).target, answers) == pytest.approx(float(np.sqrt((target**2).mean(axis=0)).mean()))


LABELS = {"label": np.array([0, 1, 0]), "probabilities": np.tile(np.array([0.4, 0.6], np.float32), (3, 1))}
NAMES = {"label": np.array(["no", "yes", "no"], dtype=object), "probabilities": np.tile(np.array([0.4, 0.6], np.float32), (3, 1))}


@pytest.mark.parametrize(
    ("metric", "outputs", "target", "words"),
    [
        ("accuracy", LABELS, np.array([0.5, 1.25, 3]), r"accuracy does not fit.*text or whole numbers.*found numbers like 0\.5.*rmse, mae or r2"),
        ("accuracy", LABELS, np.zeros((3, 2)), r"one class per row, found \[rows, 2\] of zeros and ones"),
        (
            "f1",
            LABELS,
            np.array(["no", "yes", "no"], dtype=object),
            "f1 does not fit.*numbers like 0, found text like 'no'.*as the model returns them",
        ),
        ("f1", NAMES, np.array([0, 1, 0]), "f1 does not fit.*text like 'no', found numbers like 0\\."),
        (
            "rmse",
            {"y": np.zeros((3, 1), np.float32)},
            np.array(["a", "b", "c"], dtype=object),
            "numbers, found text like 'a'|rmse needs a numeric target",
        ),
        ("r2", {"y": np.zeros((3, 2), np.float32)}, np.zeros(3), r"2 for each row, for the metric r2, found 1"),
        ("auc", {"y": np.zeros((3, 3), np.float32)}, np.array([0, 1, 2]), "auc needs two classes.*expected 2, found 3 classes.*accuracy or f1"),
        ("mae", LABELS, np.zeros(3), "mae needs numbers, which the model doesn't return"),
    ],
)
def test_a_metric_that_does_not_fit_says_what_was_expected(metric: str, outputs: dict[str, Array], target: Array, words: str) -> None:
    answers = read_prediction(outputs)
    with pytest.raises(DataError, match=words):
        METRICS[metric].score(fit_target(METRICS[metric], target, answers).target, answers)


def test_f1_of_labels_of_text_is_scikit_learn_s() -> None:
    answers, target = read_prediction(NAMES), np.array(["no", "yes", "yes"], dtype=object)
    score = METRICS["f1"].score(fit_target(METRICS["f1"], target, answers).target, answers)
    assert score == pytest.approx(reference.f1_score(target.astype(str), NAMES["label"].astype(str), average="macro"))


@pytest.mark.parametrize("name", ["accuracy", "f1", "auc", "rmse", "mae", "r2"])
def test_a_model_no_better_than_a_constant_is_warned_of_and_a_better_one_is_not(name: str) -> None:
    metric, target = METRICS[name], np.tile([0.0, 1.0], 20)
    good = np.where(target == 1, 0.9, 0.1).astype(np.float32).reshape(-1, 1)
    for value, warned in ((good, False), (1 - good, True)):
        answers = read_prediction({"y": value})
        text = warn_of_constant(metric, target, answers, metric.score(target, answers))
        assert ("no better than that of one constant answer" in text) == warned


def test_the_terminal_and_the_report_warn_of_a_wrong_target(tmp_path: Path) -> None:
    classes = np.tile([0, 1], 200)
    joblib.dump(LogisticRegression().fit(ROWS + classes[:, None], classes), tmp_path / "m.joblib")
    np.savez(tmp_path / "d.npz", features=ROWS + classes[:, None], target=1 - classes)
    arguments = [
        tmp_path / "m.joblib",
        "--trust-pickle",
        "--name",
        "m",
        "--version",
        "1.0.0",
        "--profile",
        "arm64-baseline",
        "--data",
        tmp_path / "d.npz",
    ]
    result = CliRunner().invoke(
        cli, ["pack", *map(str, arguments), "--out", str(tmp_path / "out"), "--report", str(tmp_path / "report"), "--no-cache"]
    )
    assert result.exit_code == 0, result.output
    for text in (result.stdout, (tmp_path / "report" / "report.html").read_text(), (tmp_path / "report" / "report.json").read_text()):
        assert "no better than that of one constant answer" in text
        assert "not tried, because a loss couldn't be seen in this metric" in " ".join(html.unescape(text).split())


def test_a_model_that_fits_its_data_exactly_can_be_packed(tmp_path: Path) -> None:
    target = (ROWS @ RANDOM.normal(size=4) * 30 + 150).astype(np.float64)
    _, score, budget = chosen_accuracy(packed(tmp_path, make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS, target), target))
    assert score < 1e-3
    assert budget == pytest.approx(1e-5 * target.std())


def test_a_forest_that_knows_its_rows_by_heart_can_be_packed(tmp_path: Path) -> None:
    target = RANDOM.normal(150, 77, 400)
    _, score, budget = chosen_accuracy(packed(tmp_path, ExtraTreesRegressor(20, random_state=0).fit(ROWS, target), target))
    assert score < budget


def clear_classes(path: Path) -> tuple[Array, Array]:
    """The same network as a classifier, with the 45 rows that it is surest of."""
    target = regressor_of_three(path)
    best = np.sort(target, axis=1)
    surest = np.argsort(best[:, 1] - best[:, 2])[:45]
    return ROWS[surest], target[surest].argmax(axis=1)


def test_few_rows_ship_fp32_and_say_how_many_the_budget_needs_without_looking_for_nodes_to_revert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "revert", lambda *_: pytest.fail("no node can bring back what wasn't lost"))
    monkeypatch.setattr(run, "first_that_passes", lambda *_: pytest.fail("no node can bring back what wasn't lost"))
    rows, target = clear_classes(tmp_path / "m.onnx")
    manifest = packed(tmp_path, None, target, "fp32", "int8-weights", rows=rows, max_drop=0.01).manifests["elsewhere"]
    fp32, candidate = manifest.evaluation.candidates
    assert fp32.chosen
    assert (
        "loses no accuracy on these rows, but so few rows can't rule out a loss of 0.064 (95 % bound): a budget of 0.01 needs 299 rows"
        in candidate.reason
    )


def test_a_budget_of_0_ships_what_flips_no_label_of_these_rows(tmp_path: Path) -> None:
    rows, target = clear_classes(tmp_path / "m.onnx")
    manifest = packed(tmp_path, None, target, "fp32", "int8-weights", rows=rows, max_drop=0.0).manifests["elsewhere"]
    assert manifest.model.precision == "int8-weights"


@pytest.mark.parametrize("names", [(-1, 1), ("bad", "good")])
def test_the_two_classes_of_auc_may_be_called_anything(names: tuple[object, object]) -> None:
    classes = RANDOM.integers(0, 2, 60)
    scores = (classes + RANDOM.normal(size=60)).astype(np.float32)
    answers, target = (
        read_prediction({"y": scores.reshape(-1, 1)}),
        np.array(names, dtype=np.array(names).dtype if names[0] == -1 else object)[classes],
    )
    score = METRICS["auc"].score(fit_target(METRICS["auc"], target, answers).target, answers)
    assert score == pytest.approx(reference.roc_auc_score(classes, scores))


def test_auc_of_one_class_is_refused_with_the_class() -> None:
    answers = read_prediction({"label": np.zeros(5, np.int64), "probabilities": np.tile([0.7, 0.3], (5, 1))})
    with pytest.raises(DataError, match="the metric auc says nothing about one class.*found 5 rows of the class 1.*Pass data with rows of both"):
        fit_target(METRICS["auc"], np.ones(5, np.int64), answers)


@pytest.mark.parametrize(
    ("target", "warning"),
    [
        (["yes"] * 2 + ["no"] * 198, "the class yes is rare (2 of 200 rows), so accuracy hardly shows"),
        (["yes"] * 20 + ["no"] * 180, ""),
        (list(range(100)) * 2, ""),
        (["no"] * 20, ""),
    ],
)
def test_a_class_that_accuracy_hardly_sees_is_named(target: list[object], warning: str) -> None:
    sentence = warn_of_rare_class(METRICS["accuracy"], np.array(target))
    assert sentence.startswith(warning)
    assert bool(sentence) == bool(warning)
    assert warn_of_rare_class(METRICS["f1"], np.array(target)) == ""


def test_truth_values_are_called_so() -> None:
    assert sample_of(np.array([True])) == "truth values like True"
    assert sample_of(np.array([3])) == "numbers like 3"
    assert sample_of(np.array(["a"], dtype=object)) == "text like 'a'"


def test_a_candidate_s_probabilities_are_read_as_the_source_s_are_though_rounding_takes_them_out_of_range() -> None:
    scores = np.linspace(0.02, 1, 100, dtype=np.float32).reshape(-1, 1)
    source = read_prediction({"y": scores})
    candidate = read_prediction({"y": scores + np.float32(2e-3)}, threshold=source.threshold)
    assert source.threshold == 0.5
    assert source.label is not None
    assert candidate.label is not None
    assert (source.label == candidate.label).mean() == 1
    assert read_prediction({"y": scores - 1}).threshold == 0
