"""Source and graph are asked the same: what is compared, what proves nothing, and what stops the build. On graphs of one node."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import DataError, ParityError
from sealift_packager.graph.result import Converted
from sealift_packager.model.source import Array, Arrays, Nullable, SourceModel
from sealift_packager.parity.check import Parity, check_parity, prove_parity
from support.parity_sources import SAME, Predict, X, added, converted, grown, holdout, same, source, stump, trees

TITLES = ("1 random rows", "2 random rows", "7 random rows", "zeros", "values ten times as large as usual")


# What is compared


def test_every_request_that_both_answer_alike_is_counted() -> None:
    assert prove_parity(source(), SAME, None, seed=1) == Parity(compared=5, refused=())
    assert check_parity(source(), SAME, None, seed=1) == 5
    assert check_parity(source(), SAME, holdout((1, 2), (3, 4)), seed=1) == 7
    assert check_parity(source(takes_nan=True), SAME, None, seed=1) == 8


def test_the_same_seed_asks_the_same() -> None:
    asked: list[list[Any]] = []
    for seed in (1, 1, 2):
        seen: list[Any] = []

        def predict(inputs: Arrays, seen: list[Any] = seen) -> dict[str, Array]:
            seen.append(inputs["x"].tolist())
            return same(inputs)

        prove_parity(source(predict), SAME, None, seed=seed)
        asked.append(seen)
    assert asked[0] == asked[1] != asked[2]


def test_known_categories_are_asked_too() -> None:
    assert check_parity(source(categories={"x": (np.array([1.0, 2.0]), None)}), SAME, None, seed=1) == 12


# What stops the build


def test_another_answer_stops_the_build_and_says_where() -> None:
    with pytest.raises(ParityError) as caught:
        prove_parity(source(), added(np.array([0.0, 0.5])), None, seed=1)
    error = caught.value
    assert error.message == "the converted model answers differently on 1 random rows"
    assert (error.where, error.expected) == ("model.onnx", "what here gives")
    assert str(error.found).startswith("output 'y' differs in 1 of 1 rows (0), by up to 0.5: ")
    assert error.advice == "The build stops here; nothing was written."


def test_every_output_that_differs_is_named() -> None:
    def two(inputs: Arrays) -> dict[str, Array]:
        return {"y": inputs["x"] + 1, "z": inputs["x"]}

    with pytest.raises(ParityError, match=r"output 'y' differs in .*; output 'z' differs in 1 of 1 rows \(0\): \[1, 2\] became nothing"):
        prove_parity(source(two), SAME, None, seed=1)


def test_the_holdout_is_asked_first() -> None:
    with pytest.raises(ParityError, match="answers differently on the holdout"):
        prove_parity(source(), added(np.array([0.0, 0.5])), holdout((1, 2)), seed=1)


def test_a_graph_that_fails_where_its_source_answers_stops_the_build() -> None:
    one_row = converted([helper.make_node("Reshape", ["x", "shape"], ["y"])], 2, shape=np.array([1, 2]))
    with pytest.raises(ParityError, match=r"^model\.onnx: the converted model fails on 2 random rows, which its source answers: ") as caught:
        prove_parity(source(), one_row, None, seed=1)
    assert caught.value.advice == "The build stops here; nothing was written."


def test_a_source_that_draws_random_numbers_is_told_apart() -> None:
    random = np.random.default_rng(1)
    with pytest.raises(ParityError, match="^here: the model itself answers the same request differently each time: .*output 'y' differs") as caught:
        prove_parity(source(lambda inputs: {"y": inputs["x"] + random.random(inputs["x"].shape, dtype=np.float32)}), SAME, None, seed=1)
    assert "It draws random numbers" in str(caught.value.advice)


def test_an_answer_near_zero_is_judged_by_the_size_of_those_to_real_rows() -> None:
    shifted = added(np.array([0.0, 1e-4]))
    rows = holdout((3, 12), (1, 8))
    assert check_parity(source(), shifted, rows, seed=1) == 7
    assert check_parity(source(), shifted, holdout((1, 8), (3, 12)), seed=1) == 7
    with pytest.raises(ParityError, match="answers differently on"):
        check_parity(source(), added(np.array([0.0, 5e-6])), holdout((0.1, 0.1), (0.1, 0.1)), seed=1)
    with pytest.raises(ParityError, match="answers differently on"):
        check_parity(source(), shifted, None, seed=1)


# What proves nothing


def refusing(*titles: int) -> Predict:
    asked = iter(range(100))

    def predict(inputs: Arrays) -> dict[str, Array]:
        if next(asked) in titles:
            raise ValueError("no such row\nat all")
        return same(inputs)

    return predict


def test_what_the_source_refuses_is_left_out_and_named() -> None:
    parity = prove_parity(source(refusing(1, 3)), SAME, None, seed=1)
    assert parity == Parity(compared=3, refused=(TITLES[1], TITLES[3]))
    assert str(parity) == (
        "The converted model gave the source model's answers to 3 requests, and the source refused 2 synthetic ones (2 random rows; zeros)."
    )


def test_of_what_was_refused_three_are_named() -> None:
    assert str(Parity(compared=5, refused=())) == "The converted model gave the source model's answers to 5 requests."
    assert "refused 3 synthetic ones (a; b; c)." in str(Parity(compared=1, refused=("a", "b", "c")))
    assert "refused 4 synthetic ones (a; b; c; …)." in str(Parity(compared=1, refused=("a", "b", "c", "d")))


def test_a_source_that_refuses_everything_proves_nothing_and_says_why() -> None:
    with pytest.raises(ParityError) as caught:
        prove_parity(source(refusing(*range(5))), SAME, None, seed=1)
    error = caught.value
    assert error.message == "the converted model can't be compared with its source, which refuses every synthetic request"
    assert (error.where, error.found) == ("here", "5 refused (caused by: ValueError: no such row)")


@pytest.mark.parametrize(("asked", "title"), [(0, "the holdout"), (1, "one row of the holdout")])
def test_a_source_that_refuses_the_holdout_is_an_error_of_the_data(asked: int, title: str) -> None:
    with pytest.raises(DataError, match=rf"--data, for here: the source model fails on {title} \(caused by: ValueError: no such row\)"):
        prove_parity(source(refusing(asked)), SAME, holdout((1, 2)), seed=1)


def test_a_column_may_be_called_like_the_holdout_without_being_taken_for_it() -> None:
    words = TensorSpec(name="holdout", dtype="string", shape=("batch", 1))

    def known_alone(inputs: Arrays) -> dict[str, Array]:
        if not set(inputs["holdout"].ravel()) <= {"a", "b"}:
            raise ValueError("unknown category")
        return {"y": inputs["holdout"].copy()}

    value = helper.make_tensor_value_info
    ends = [value("holdout", TensorProto.STRING, ["batch", 1])], [value("y", TensorProto.STRING, ["batch", 1])]
    graph = helper.make_graph([helper.make_node("Identity", ["holdout"], ["y"])], "g", *ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    holdout = {"holdout": np.array([["a"], ["b"]], dtype=object)}
    converted = Converted(model=model, inputs=(words,), outputs=())
    parity = prove_parity(source(known_alone, inputs=(words,)), converted, holdout, seed=1, originals=holdout)
    assert "an unseen category in holdout[0]" in parity.refused


def test_rows_are_called_by_their_numbers_in_the_data() -> None:
    rows = {"x": np.column_stack([np.arange(10_000.0), np.zeros(10_000)]).astype(np.float32)}

    def wrong_at_the_end(inputs: Arrays) -> dict[str, Array]:
        return {"y": inputs["x"] + (inputs["x"][:, :1] >= 9000).astype(np.float32)}

    with pytest.raises(ParityError) as caught:
        prove_parity(source(wrong_at_the_end), SAME, rows, seed=1)
    assert caught.value.message == "the converted model answers differently on the holdout"
    first = re.search(r"output 'y' differs in (\d+) of 4096 rows \((\d+), ", str(caught.value.found))
    assert first is not None
    assert 300 < int(first[1]) < 500
    assert 9000 <= int(first[2]) < 9050

    def by_chance(inputs: Arrays) -> Array:
        return np.asarray(inputs["x"][:, 0] < 9900)

    with pytest.raises(ParityError, match=r"of \d+ rows \(99\d\d, "):
        prove_parity(source(wrong_at_the_end, arbitrary=by_chance), SAME, rows, seed=1)


def test_rows_of_a_synthetic_request_are_called_by_their_place_in_it() -> None:
    def first_two(inputs: Arrays) -> Array:
        return np.array([number < 2 for number in range(len(inputs["x"]))])

    with pytest.raises(ParityError, match=r"differently on 7 random rows.*differs in 5 of 5 rows \(2, 3, 4, 5, 6\)"):
        prove_parity(source(arbitrary=first_two), added(np.array([0.0, 0.5])), None, seed=1)


def test_rows_that_the_source_answers_by_chance_may_differ_and_no_others() -> None:
    first_differs = added(np.zeros(2))

    def by_chance(inputs: Arrays) -> dict[str, Array]:
        values = inputs["x"].copy()
        values[:1] += 1
        return {"y": values, "whole": np.ones(3)}

    def first(inputs: Arrays) -> Array:
        return np.array([number < 1 for number in range(len(inputs["x"]))])

    def other(inputs: Arrays) -> Array:
        return ~first(inputs)

    plain = source(lambda inputs: {"y": by_chance(inputs)["y"]}, arbitrary=first)
    assert check_parity(plain, first_differs, None, seed=1) == 4  # one row, which is by chance, proves nothing
    with pytest.raises(ParityError, match="answers differently on 1 random rows"):
        check_parity(source(plain.predict, arbitrary=other), first_differs, None, seed=1)
    with pytest.raises(ParityError, match=r"output 'whole' differs in 3 of 3 rows"):
        check_parity(source(by_chance, arbitrary=first), first_differs, None, seed=1)


def test_a_source_that_answers_everything_by_chance_proves_nothing() -> None:
    with pytest.raises(ParityError, match="which has a tie in every request: .*found only ties"):
        prove_parity(source(arbitrary=lambda inputs: np.ones(len(inputs["x"]), dtype=bool)), SAME, None, seed=1)


# Thresholds of trees


def test_rows_on_both_sides_of_every_threshold_are_asked_too() -> None:
    assert check_parity(source(grown, trees=trees(0.5)), stump("LessOrEqual"), None, seed=1) == 6
    assert check_parity(source(grown, trees=trees(0.5)), stump("LessOrEqual"), holdout((1, 2), (0, 4)), seed=1) == 8
    assert check_parity(source(grown), stump("Less"), None, seed=1) == 5
    for rows in (None, holdout((1, 2), (0, 4))):
        with pytest.raises(ParityError) as caught:
            check_parity(source(grown, trees=trees(0.5)), stump("Less"), rows, seed=1)
        error = caught.value
        assert error.message == "the converted model answers differently near a threshold of its trees"
        assert (error.where, error.expected) == ("model.onnx", "what here gives")
        assert str(error.found).startswith("output 'y' differs in 1 of 2 rows (0), by up to 1: ")
        assert str(error.advice).startswith("The build stops here")


def test_thresholds_are_asked_with_missing_values_where_the_source_takes_them() -> None:
    seen: list[Array] = []

    def predict(inputs: Arrays) -> dict[str, Array]:
        seen.append(inputs["x"])
        return grown(inputs)

    for takes_nan, rows in ((False, 2), (True, 3)):
        check_parity(source(predict, trees=trees(0.5), takes_nan=takes_nan), stump("LessOrEqual"), None, seed=1)
        assert len(seen[-1]) == rows
    check_parity(source(predict, trees=trees(0.5)), stump("LessOrEqual"), holdout((1, 77)), seed=1)
    assert seen[-1][:, 1].tolist() == [77.0, 77.0]
    check_parity(source(predict, trees=trees(0.5)), stump("LessOrEqual"), None, seed=2)
    check_parity(source(predict, trees=trees(0.5)), stump("LessOrEqual"), None, seed=2)
    assert seen[-1].tolist() == seen[-7].tolist()


def test_what_is_near_a_threshold_is_answered_nearly_exactly() -> None:
    def nearly(inputs: Arrays) -> dict[str, Array]:
        return {"y": grown(inputs)["y"] * np.float32(1 + 1e-4)}

    assert check_parity(source(nearly), stump("LessOrEqual"), None, seed=1) == 5
    with pytest.raises(ParityError, match="near a threshold"):
        check_parity(source(nearly, trees=trees(0.5)), stump("LessOrEqual"), None, seed=1)


# What the source is asked with, and what it chose labels by


def test_the_source_is_asked_with_the_datas_own_numbers_on_the_holdout_alone() -> None:
    seen: list[list[Any]] = []

    def predict(inputs: Arrays) -> dict[str, Array]:
        seen.append(inputs["x"].tolist())
        return {"y": inputs["x"].astype(np.float32)}

    originals = {"x": np.array([[1.25, 2.0], [3.0, 4.0]])}
    rounded = holdout((1, 2), (3, 4))
    with pytest.raises(ParityError, match="answers differently on the holdout"):
        prove_parity(source(predict), SAME, rounded, seed=1, originals=originals)
    seen.clear()
    same_numbers = {"x": originals["x"].astype(np.float32)}
    assert prove_parity(source(predict), SAME, same_numbers, seed=1, originals=originals).compared == 7
    assert seen[:2] == [[[1.25, 2.0], [3.0, 4.0]], [[1.25, 2.0]]]
    assert [len(rows) for rows in seen[2:]] == [1, 2, 7, 2, 2]


def test_a_source_that_refuses_the_datas_own_numbers_shows_those() -> None:
    texts = {"x": np.array([["1", "2"], ["x", "4"]], dtype=object)}

    def predict(inputs: Arrays) -> dict[str, Array]:
        raise ValueError("no number")

    with pytest.raises(DataError, match="found x: 'x' in row ., among numbers"):
        prove_parity(source(predict), SAME, holdout((1, 2), (3, 4)), seed=1, originals=texts)


def test_rows_that_the_source_refuses_are_called_by_their_numbers_in_the_data() -> None:
    texts = {"x": np.array([["1", "2"], ["x", "4"]], dtype=object)}

    def predict(inputs: Arrays) -> dict[str, Array]:
        raise ValueError("could not convert string to float: 'x'")

    with pytest.raises(DataError, match="found x: 'x' in row 9, among numbers"):
        prove_parity(source(predict), SAME, holdout((1, 2), (3, 4)), seed=1, originals=texts, numbers=(5, 9))


def test_rows_that_differ_are_called_by_their_numbers_in_the_data() -> None:
    def wrong_at_three(inputs: Arrays) -> dict[str, Array]:
        return {"y": inputs["x"] + (inputs["x"][:, :1] == 3).astype(np.float32)}

    with pytest.raises(ParityError, match=r"differs in 1 of 2 rows \(9\)"):
        prove_parity(source(wrong_at_three), SAME, holdout((1, 2), (3, 4)), seed=1, numbers=(5, 9))


def test_only_columns_that_the_source_answers_without_are_compared_without_a_value() -> None:
    second = Nullable(columns={"x": (1,)}, rows=holdout((1, 2)))
    asked: list[Array] = []

    def predict(inputs: Arrays) -> dict[str, Array]:
        asked.append(inputs["x"])
        return same(inputs)

    assert check_parity(source(predict, takes_nan=True, nullable=second), SAME, None, seed=1) == 7
    gaps = [np.isnan(rows) for rows in asked if np.isnan(rows).any()]
    assert [rows.tolist() for rows in gaps if not rows.all()] == [[[False, True]] * 2]


def labelled(labels: Callable[[Arrays], Array], **changes: Any) -> SourceModel:
    def predict(inputs: Arrays) -> dict[str, Array]:
        return {"label": labels(inputs), "probabilities": np.ones((len(inputs["x"]), 2), dtype=np.float32)}

    return source(predict, **changes)


def constant_labels() -> Converted:
    """label = 0 in every row, and probabilities of 1."""
    nodes = [
        helper.make_node("Gather", ["x", "first"], ["column"], axis=1),
        helper.make_node("Mul", ["column", "zero"], ["zeros"]),
        helper.make_node("Cast", ["zeros"], ["label"], to=TensorProto.INT64),
        helper.make_node("Mul", ["x", "zero"], ["none"]),
        helper.make_node("Add", ["none", "one"], ["probabilities"]),
    ]
    value = helper.make_tensor_value_info
    outputs = [value("label", TensorProto.INT64, ["batch"]), value("probabilities", TensorProto.FLOAT, ["batch", 2])]
    weights = {"first": np.array(0), "zero": np.array(0, dtype=np.float32), "one": np.array(1, dtype=np.float32)}
    tensors = [numpy_helper.from_array(weight, name) for name, weight in weights.items()]
    graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, ["batch", 2])], outputs, tensors)
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return Converted(model=model, inputs=(X,), outputs=())


def ones(inputs: Arrays) -> Array:
    return np.ones(len(inputs["x"]), dtype=np.int64)


def test_labels_that_differ_are_judged_by_what_the_source_chose_them_by() -> None:
    graph = constant_labels()
    assert check_parity(labelled(ones), graph, None, seed=1) == 5  # probabilities of 1 tie
    assert check_parity(labelled(ones, scores=lambda inputs: np.zeros(len(inputs["x"]))), graph, None, seed=1) == 5
    with pytest.raises(ParityError, match="output 'label' differs in 1 of 1 rows"):
        check_parity(labelled(ones, scores=lambda inputs: np.full(len(inputs["x"]), 9.0)), graph, None, seed=1)


def test_a_label_that_differs_by_a_tie_is_one_of_those_that_tie() -> None:
    graph = constant_labels()
    assert check_parity(labelled(ones, classes=np.array([0, 1])), graph, None, seed=1) == 5
    with pytest.raises(ParityError, match="output 'label' differs in 1 of 1 rows"):
        check_parity(labelled(ones, classes=np.array([1, 2])), graph, None, seed=1)


def test_scores_are_asked_for_only_where_labels_differ() -> None:
    def never(inputs: Arrays) -> Array:
        raise AssertionError("asked")

    equal = labelled(lambda inputs: np.zeros(len(inputs["x"]), dtype=np.int64), scores=never)
    assert check_parity(equal, constant_labels(), None, seed=1) == 5


def test_scores_of_rows_that_are_certain_alone_count() -> None:
    def scores(inputs: Arrays) -> Array:
        return np.array([9.0, *[0.0] * (len(inputs["x"]) - 1)])

    def first(inputs: Arrays) -> Array:
        return np.array([number < 1 for number in range(len(inputs["x"]))])

    assert check_parity(labelled(ones, scores=scores, arbitrary=first), constant_labels(), None, seed=1) == 4


def test_what_an_output_varies_by_is_known_of_it_in_a_request_that_shows_that_of_another_alone() -> None:
    both = added(np.zeros(2))
    graph = both.model.graph
    graph.initializer.append(numpy_helper.from_array(np.arange(10, dtype=np.float32), "ten"))
    graph.node.append(helper.make_node("Identity", ["ten"], ["z"]))
    graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [10]))

    def predict(inputs: Arrays) -> dict[str, Array]:
        alone = 0.5 if len(inputs["x"]) == 1 else 0
        return {"y": inputs["x"] + np.float32(alone), "z": np.arange(10, dtype=np.float32)}

    rows = holdout(*((1e6 + 2 * at, 1e6 - 2 * at) for at in range(12)))
    with pytest.raises(ParityError, match="one row of the holdout"):
        prove_parity(source(predict, outputs=("y", "z")), both, rows, seed=1)


def test_one_request_alone_is_said_to_be_little() -> None:
    assert str(Parity(compared=2, refused=())) == "The converted model gave the source model's answers to 2 requests."
    assert str(Parity(compared=1, refused=("zeros",))) == (
        "The converted model gave the source model's answers to 1 request, and the source refused 1 synthetic ones (zeros). "
        "Only 1 request could be compared: pass --data with rows that the model accepts."
    )
