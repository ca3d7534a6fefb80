"""Models of several outputs, and outputs of several scales: what is judged is named, and what is small isn't hidden."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from sealift_core.bundle.evaluation import CandidateRecord
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.errors import DataError
from sealift_packager.measure.channels import CHANNEL_LIMIT, channel_axis, in_units, mean_loss, worst_channel
from sealift_packager.measure.metrics import METRICS
from sealift_packager.measure.predictions import read_prediction
from sealift_packager.measure.target import choose_metric
from sealift_packager.model.source import Array
from support import graphs, packing
from support.trained import Trained

RANDOM = np.random.default_rng(5)
ROWS = RANDOM.normal(size=(400, 16)).astype(np.float32)
PRECISIONS = ("fp32", "int8-static")
BOXES = 640 * RANDOM.random((300, 4))
SCORES = RANDOM.random((300, 3))


def detector(path: Path, *, apart: bool) -> Array:
    """Writes a network of boxes in hundreds and scores below 1, in two outputs or in one, and gives what it answers for `ROWS`."""
    first, second = RANDOM.normal(size=(16, 64)).astype(np.float32) / 4, RANDOM.normal(size=(64, 6)).astype(np.float32) / 8
    second *= np.array([640, 640, 640, 640, 0.3, 0.3], np.float32)
    weights = [graphs.constant("first", first), graphs.constant("second", second), graphs.constant("same", np.eye(6, dtype=np.float32))]
    nodes = [("MatMul", ["x", "first"], ["a"]), ("Relu", ["a"], ["b"]), ("MatMul", ["b", "second"], ["c"]), ("MatMul", ["c", "same"], ["y"])]
    shapes = {"y": 6}
    if apart:
        nodes.append(("Split", ["y", "sizes"], ["boxes", "scores"]))
        weights.append(graphs.constant("sizes", np.array([4, 2], np.int64)))
        shapes = {"boxes": 4, "scores": 2}
    made = [onnx.helper.make_node(operator, inputs, outputs, name=outputs[0]) for operator, inputs, outputs in nodes]
    if apart:
        made[-1].attribute.append(onnx.helper.make_attribute("axis", 1))
    outputs = [graphs.value(name, ["batch", size]) for name, size in shapes.items()]
    onnx.save(graphs.model(made, [graphs.value("x", ["batch", 16])], outputs, weights), path)
    return np.maximum(ROWS @ first, 0) @ second


def packed(tmp_path: Path, target: Array, **options: object) -> Packed:
    np.savez(tmp_path / "d.npz", x=ROWS, target=target)
    what = Trained(model=tmp_path / "m.onnx", data=tmp_path / "d.npz", target="target")
    return pack(packing.request(what, tmp_path / "out", dataclasses.replace(packing.elsewhere(), precisions=PRECISIONS), **options))


def records(build: Packed) -> dict[str, CandidateRecord]:
    return {candidate.name: candidate for candidate in build.manifests["elsewhere"].evaluation.candidates}


def check_scores(candidates: dict[str, CandidateRecord], output: str, channels: tuple[int, ...]) -> None:
    """In int8, one scale for boxes and scores makes the scores zeros: that layer is put back to fp32, or the channel is named."""
    reason = candidates["int8-static"].reason
    named = any(f"channel {number} of the output {output} is too far from the source model's" in reason for number in channels)
    assert named or "of its nodes in fp32 (y" in reason, candidates


@pytest.mark.parametrize("metric", ["cosine", "rmse"])
def test_boxes_in_hundreds_hide_no_broken_scores(metric: str, tmp_path: Path) -> None:
    answers = detector(tmp_path / "m.onnx", apart=False)
    build = packed(tmp_path, answers + RANDOM.normal(0, 20, answers.shape), metric=metric)
    check_scores(records(build), "y", (4, 5))


def test_what_the_metric_does_not_judge_is_compared_all_the_same(tmp_path: Path) -> None:
    answers = detector(tmp_path / "m.onnx", apart=True)
    build = packed(tmp_path, answers[:, :4] + RANDOM.normal(0, 20, (400, 4)), output="boxes")
    accuracy = build.manifests["elsewhere"].evaluation.accuracy
    assert accuracy is not None
    assert accuracy.metric == "rmse"
    check_scores(records(build), "scores", (0, 1))


def test_with_several_outputs_and_none_named_all_are_compared_with_the_source(tmp_path: Path) -> None:
    answers = detector(tmp_path / "m.onnx", apart=True)
    build = packed(tmp_path, answers[:, :4].argmax(axis=1))
    accuracy = build.manifests["elsewhere"].evaluation.accuracy
    assert accuracy is not None
    assert accuracy.metric == "cosine"
    assert any("several outputs (boxes, scores)" in note and "--output" in note for note in build.notes)
    check_scores(records(build), "scores", (0, 1))


def test_a_metric_of_one_output_is_refused_while_several_could_be_meant(tmp_path: Path) -> None:
    answers = detector(tmp_path / "m.onnx", apart=True)
    with pytest.raises(DataError, match=r"accuracy judges one output.*boxes, scores.*--output"):
        packed(tmp_path, answers[:, :4].argmax(axis=1), metric="accuracy")
    with pytest.raises(DataError, match="no such output.*Did you mean 'scores'"):
        packed(tmp_path, answers[:, :4].argmax(axis=1), output="score")


def test_an_output_is_judged_by_its_name() -> None:
    outputs: dict[str, Array] = {"offsets": np.zeros((3, 4), np.float32), "scores": np.eye(3, 2, dtype=np.float32), "count": np.arange(3)}
    assert read_prediction(outputs).label is None
    named = read_prediction(outputs, "scores")
    assert named.label is not None
    assert named.label.tolist() == [0, 1, 0]
    counted = read_prediction(outputs, "count")
    assert counted.label is not None
    assert counted.label.tolist() == [0, 1, 2]
    both = {**outputs, "label": np.arange(3), "probabilities": np.eye(3, dtype=np.float32)}
    assert read_prediction(both).judged == ("label", "probabilities")
    assert read_prediction(both, "label").judged == ("label", "probabilities")
    assert read_prediction(both, "scores").judged == ("scores",)


def test_several_outputs_of_whole_numbers_are_not_guessed_among() -> None:
    outputs = {"first": np.arange(3), "second": np.arange(3)}
    with pytest.raises(DataError, match="--output"):
        choose_metric(METRICS["accuracy"], read_prediction(outputs), np.arange(3))
    with pytest.raises(DataError, match="--output"):
        choose_metric(None, read_prediction(outputs), np.arange(3))


@pytest.mark.parametrize("turned", [False, True])
def test_the_channel_that_is_broken_is_named_whichever_axis_it_lies_along(*, turned: bool) -> None:
    source = np.concatenate([BOXES, SCORES], axis=1).reshape(3, 100, 7)
    broken = source.copy()
    broken[..., 6] = np.round(broken[..., 6] / 2.5) * 2.5
    pair = [np.moveaxis(value, 2, 1) if turned else value for value in (source, broken)]
    worst = worst_channel({"y": pair[0]}, {"y": pair[1]}, ["y"])
    assert worst is not None
    assert (worst.axis, worst.index) == ((1, 6) if turned else (2, 6))
    assert worst.loss > 4 * CHANNEL_LIMIT
    assert channel_axis(pair[0]) == worst.axis
    assert mean_loss({"y": pair[0]}, {"y": pair[1]}) > 0.03


def test_every_channel_weighs_alike_in_units_of_its_own() -> None:
    source = np.concatenate([BOXES, SCORES], axis=1)
    assert np.allclose(np.square(in_units(source, source)).mean(axis=0), 1)
    cosine = METRICS["cosine"]
    broken = np.concatenate([BOXES, 1 - SCORES], axis=1).astype(np.float32)
    prediction = read_prediction({"y": source.astype(np.float32)})
    assert cosine.against_source is not None
    target = cosine.against_source(prediction)
    assert cosine.score(target, prediction) == pytest.approx(1)
    assert cosine.score(target, read_prediction({"y": broken})) < 0.95


def test_a_channel_that_never_changes_or_never_fires_fails_for_no_last_digit() -> None:
    source = np.concatenate([SCORES, np.full((300, 1), 7.0), np.full((300, 1), 1e-9)], axis=1)
    worst = worst_channel({"y": source}, {"y": source + np.array([0, 0, 0, 1e-4, 1e-4])}, ["y"])
    assert worst is not None
    assert worst.loss < CHANNEL_LIMIT


def test_a_number_that_was_lost_is_the_worst_there_is() -> None:
    source = np.array([[1.0, 2], [np.nan, 3], [4, np.inf]])
    assert worst_channel({"y": source}, {"y": source}, ["y"]).loss == 0  # type: ignore[union-attr]
    lost = source.copy()
    lost[2, 0] = np.nan
    assert worst_channel({"y": source}, {"y": lost}, ["y"]).loss == np.inf  # type: ignore[union-attr]
    assert mean_loss({"y": source}, {"y": lost}) == np.inf


def test_whole_numbers_and_text_are_compared_as_they_are() -> None:
    source, other = np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])
    worst = worst_channel({"n": source, "t": source.astype(object)}, {"n": other, "t": source.astype(object)}, ["n", "t"])
    assert worst is not None
    assert (worst.output, worst.index, worst.loss, str(worst)) == ("n", None, 0.25, "the output n")


def test_only_a_lost_number_is_an_infinite_loss() -> None:
    zeros, others = {"y": np.zeros((4, 2))}, {"y": np.full((4, 2), 0.5)}
    far = worst_channel(zeros, others, ["y"])
    assert far is not None
    assert CHANNEL_LIMIT < far.loss < np.inf
