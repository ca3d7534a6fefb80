"""What parity lets pass, request by request, and what it says of a model that can't be asked. On graphs of one node."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from onnx import TensorProto, helper

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ParityError
from sealift_packager.graph.result import Converted
from sealift_packager.model import detect
from sealift_packager.model.accepted import Accepted
from sealift_packager.model.output_names import PREDICTION
from sealift_packager.model.source import Array, Arrays
from sealift_packager.parity.check import check_parity, prove_parity
from sealift_packager.parity.compare import SPREAD_SHARE
from sealift_packager.trees import boundaries
from support.parity_sources import SAME, X, added, converted, grown, holdout, same, source, stump, trees

STEP = float(np.finfo(np.float32).eps)
WIDE = TensorSpec(name="x", dtype="float64", shape=("batch", 2))


def constant(value: float) -> Converted:
    """y = value, in each element."""
    nodes = [helper.make_node("Mul", ["x", "zero"], ["none"]), helper.make_node("Add", ["none", "c"], ["y"])]
    return converted(nodes, 2, zero=np.array(0, dtype=np.float32), c=np.array(value, dtype=np.float32))


# How answers vary


def test_a_row_alone_is_judged_by_how_much_the_holdouts_answers_differ() -> None:
    rows = holdout(*((float(at), float(at)) for at in range(8)))
    off = SPREAD_SHARE * np.arange(8.0).std()

    def alone(inputs: Arrays, share: float) -> dict[str, Array]:
        return {"y": 1000.0 + inputs["x"].astype(np.float64) + (share * off if len(inputs["x"]) == 1 else 0)}

    assert check_parity(source(lambda inputs: alone(inputs, 0.9)), added(np.full(2, 1000.0)), rows, seed=1) == 7
    with pytest.raises(ParityError, match="differently on one row of the holdout"):
        check_parity(source(lambda inputs: alone(inputs, 1.5)), added(np.full(2, 1000.0)), rows, seed=1)


def test_without_data_rows_are_judged_by_how_much_synthetic_answers_differ() -> None:
    def off_by_two(inputs: Arrays) -> dict[str, Array]:
        return {"y": 1000.0 + inputs["x"].astype(np.float64) + (0.01 if len(inputs["x"]) == 2 else 0)}

    with pytest.raises(ParityError, match="differently on zeros"):  # two rows, after seven that show how answers vary
        check_parity(source(off_by_two), added(np.full(2, 1000.0)), None, seed=1)


def test_the_largest_spread_of_real_answers_counts_for_all() -> None:
    spec = TensorSpec(name="x", dtype="float32", shape=(5, 2))
    rows = holdout(*((float(10 * at), 0.0) for at in range(5)), *((float(at), 0.0) for at in range(5)))
    off = 0.9 * SPREAD_SHARE * np.arange(0.0, 50, 10).std()

    def smaller(inputs: Arrays) -> dict[str, Array]:
        return {"y": 1000.0 + inputs["x"].astype(np.float64) + (np.array([off, 0]) if inputs["x"][4, 0] == 4 else 0)}

    graph = added(np.full(2, 1000.0), spec=spec)
    assert check_parity(source(smaller, inputs=(spec,)), graph, rows, seed=1) == 5
    with pytest.raises(ParityError, match="differently on the holdout from row 0"):
        check_parity(source(smaller, inputs=(spec,)), graph, {"x": rows["x"][5:]}, seed=1)


@pytest.mark.parametrize("narrow_sum", [False, True])
def test_trees_that_always_round_alike_may_be_off_by_a_step_alone(narrow_sum: bool) -> None:
    one_step_in_eight = np.array([1e9] * 7 + [1e9 + 64], dtype=np.float32)

    def large(inputs: Arrays) -> dict[str, Array]:
        return {"y": np.column_stack([np.resize(one_step_in_eight, len(inputs["x"])), np.full(len(inputs["x"]), 1e9, np.float32)])}

    forest = source(large, trees=trees(0.5, narrow_sum=narrow_sum))
    rows = holdout(*((float(at), 0.0) for at in range(8)))
    assert check_parity(forest, constant(1e9), rows, seed=1) == 8
    if narrow_sum:
        with pytest.raises(ParityError, match="differently on the holdout"):
            check_parity(forest, constant(1e9 + 256), rows, seed=1)
    else:
        assert check_parity(forest, constant(1e9 + 256), rows, seed=1) == 8


def test_what_a_sigmoid_rounds_by_is_allowed_where_its_output_is_small() -> None:
    graph = converted([helper.make_node("Sigmoid", ["x"], ["y"])], 2)

    def sigmoid(inputs: Arrays, steps: float) -> dict[str, Array]:
        return {"y": 1 / (1 + np.exp(-inputs["x"].astype(np.float64))) + steps * STEP}

    rows = holdout((-14, -14), (-14, -14))
    assert check_parity(source(lambda inputs: sigmoid(inputs, 1.5)), graph, rows, seed=1) == 7
    with pytest.raises(ParityError, match="differently on the holdout"):
        check_parity(source(lambda inputs: sigmoid(inputs, 5)), graph, rows, seed=1)


# What is asked


def test_rows_like_those_that_the_model_was_fitted_on_are_asked_without_data() -> None:
    usual = {"x": np.full((4, 2), 1e6)}
    assert check_parity(source(usual=usual), SAME, None, seed=1) == 6

    def large_alone(inputs: Arrays) -> dict[str, Array]:
        return {"y": np.where(inputs["x"] > 1e5, 0, inputs["x"])}

    with pytest.raises(ParityError, match="differently on rows like those that it was fitted on"):
        check_parity(source(large_alone, usual=usual), SAME, None, seed=1)


def test_whole_requests_that_somebody_gave_are_asked_and_say_what_size_is_usual() -> None:
    accepted = Accepted(examples=({"x": np.full((1, 2), 100, dtype=np.float32)},))
    assert check_parity(source(accepted=accepted), SAME, None, seed=1) == 6
    assert check_parity(source(accepted=accepted), added(np.full(2, 5e-4)), None, seed=1) == 6
    with pytest.raises(ParityError, match="answers differently on"):
        check_parity(source(), added(np.full(2, 5e-4)), None, seed=1)
    with pytest.raises(ParityError, match="differently on example 1"):
        check_parity(source(accepted=accepted), added(np.full(2, 9.0)), None, seed=1)


def test_an_example_that_the_source_refuses_is_left_out() -> None:
    def positive(inputs: Arrays) -> dict[str, Array]:
        if (inputs["x"] > 99).any():
            raise ValueError("too large")
        return same(inputs)

    accepted = Accepted(examples=({"x": np.full((1, 2), 100, dtype=np.float32)},))
    assert prove_parity(source(positive, accepted=accepted), SAME, None, seed=1).refused == ("example 1",)


# Thresholds


def counted(thresholds: Array) -> Converted:
    """A million, and 1 for each threshold and another 1 for each that the first column is above."""
    nodes = [
        helper.make_node("Gather", ["x", "first"], ["column"], axis=1),
        helper.make_node("Greater", ["column", "thresholds"], ["above"]),
        helper.make_node("Cast", ["above"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ones", "axis"], ["sum"], keepdims=1),
        helper.make_node("Add", ["sum", "million"], ["y"]),
    ]
    numbers = {"thresholds": thresholds.astype(np.float32), "million": np.array(1e6 + len(thresholds), dtype=np.float32)}
    return converted(nodes, 1, first=np.array([0]), axis=np.array([1]), **numbers)


def test_beside_thresholds_a_tenth_of_what_answers_vary_by_is_allowed() -> None:
    thresholds = np.linspace(-1, 1, 9)

    def nearly(inputs: Arrays, off: float) -> dict[str, Array]:
        above = (inputs["x"][:, :1] > thresholds.astype(np.float32)).sum(axis=1, keepdims=True)
        return {"y": 1e6 + len(thresholds) + above.astype(np.float64) + off}

    graph = counted(thresholds)
    assert check_parity(source(lambda inputs: nearly(inputs, 1e-4), trees=trees(*thresholds)), graph, None, seed=1) == 6
    assert check_parity(source(lambda inputs: nearly(inputs, 1e-3)), graph, None, seed=1) == 5
    with pytest.raises(ParityError, match="near a threshold of its trees"):
        check_parity(source(lambda inputs: nearly(inputs, 1e-3), trees=trees(*thresholds)), graph, None, seed=1)


@pytest.mark.parametrize(("spec", "narrow", "refused"), [(WIDE, False, True), (WIDE, True, False), (X, False, False)])
def test_thresholds_between_numbers_of_float32_are_asked_where_the_source_tells_them_apart(spec: TensorSpec, narrow: bool, refused: bool) -> None:
    exact = 0.5 + 1e-12

    def told_apart(inputs: Arrays) -> dict[str, Array]:
        return {"y": np.where(inputs["x"][:, :1] <= (0.5 if narrow else exact), 1, 2).astype(np.float32)}

    nodes = [
        helper.make_node("Cast", ["x"], ["rounded"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["rounded", "first"], ["column"], axis=1),
        helper.make_node("LessOrEqual", ["column", "half"], ["left"]),
        helper.make_node("Where", ["left", "one", "two"], ["y"]),
    ]
    numbers = {name: np.array(value, dtype=np.float32) for name, value in (("half", 0.5), ("one", 1), ("two", 2))}
    graph = converted(nodes, 1, spec, first=np.array([0]), **numbers)
    forest = source(told_apart, inputs=(spec,), trees=trees(exact, narrow=narrow))
    if refused:
        with pytest.raises(ParityError, match="near a threshold of its trees"):
            check_parity(forest, graph, None, seed=1)
    else:
        assert check_parity(forest, graph, None, seed=1) == 6


def test_every_request_at_thresholds_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundaries, "CHUNK_ROWS", 1)
    assert check_parity(source(grown, trees=trees(0.5)), stump("LessOrEqual"), None, seed=1) == 7


def test_trees_within_a_model_are_proved_by_themselves() -> None:
    seen: list[list[Array]] = []

    def predict(inputs: Arrays, off: float) -> dict[str, Array]:
        seen[-1].append(inputs["features"])
        return {PREDICTION: np.where(inputs["features"][:, :1] <= 0.5, 1, 2 + off).astype(np.float32)}

    spec = TensorSpec(name="features", dtype="float32", shape=("batch", 2))
    fields = {"format": detect.LIGHTGBM, "inputs": (spec,), "outputs": (PREDICTION,), "trees": trees(0.5)}
    part = source(lambda inputs: predict(inputs, 0), **fields)
    for seed in (1, 1, 2):
        seen.append([])
        assert check_parity(source(inner=(part, part)), SAME, None, seed=seed) == 5 + 2
    assert [rows[0].tolist() for rows in seen[:2]] == [seen[0][0].tolist()] * 2
    assert seen[0][0].tolist() != seen[2][0].tolist()
    assert [len(rows) for rows in seen[0]] == [2, 2]
    with pytest.raises(ParityError, match="near a threshold of its trees"):
        check_parity(source(inner=(part, source(lambda inputs: predict(inputs, 0.5), **fields))), SAME, None, seed=1)


# What is advised


def test_a_prediction_that_float32_has_no_room_for_needs_a_smaller_target() -> None:
    rows = holdout(*((float(at), 0.0) for at in range(8)))
    for output, advised in ((PREDICTION, True), ("y", False)):
        graph = added(np.full(2, 1.7e9), output=output)

        def late(inputs: Arrays, output: str = output) -> dict[str, Array]:
            return {output: 1.7e9 + inputs["x"].astype(np.float64)}

        with pytest.raises(ParityError) as caught:
            check_parity(source(late, outputs=(output,)), graph, rows, seed=1)
        assert ("Train it on a smaller target" in str(caught.value.advice)) is advised
        assert str(caught.value.advice).startswith("The build stops here; nothing was written.")


def test_a_prediction_that_float32_has_room_for_needs_no_other_target() -> None:
    with pytest.raises(ParityError) as caught:
        prediction = source(lambda inputs: {PREDICTION: inputs["x"] + 1}, outputs=(PREDICTION,))
        check_parity(prediction, added(np.zeros(2), output=PREDICTION), holdout(*((float(at), 0.0) for at in range(8))), seed=1)
    assert caught.value.advice == "The build stops here; nothing was written."


def test_the_steps_of_a_model_are_asked_with_the_rows_that_prove_something() -> None:
    asked: list[Array] = []

    def note(inputs: Arrays) -> dict[str, Array]:
        asked.append(inputs["x"])
        raise ValueError("can't be asked alone")

    def last(inputs: Arrays) -> Array:
        return np.array([number == len(inputs["x"]) - 1 for number in range(len(inputs["x"]))])

    rows = holdout((1, 2), (3, 4), (5, 6))
    model = source(lambda inputs: {"y": inputs["x"] + 1}, format=detect.SCIKIT, steps=(source(note),), arbitrary=last)
    with pytest.raises(ParityError, match="The ONNX form of one of its steps computes something else"):
        check_parity(model, SAME, rows, seed=1)
    assert [request.tolist() for request in asked] == [[[1, 2], [3, 4]]]
    asked.clear()
    with pytest.raises(ParityError, match="near a threshold.*The ONNX form of one of its steps"):
        check_parity(source(grown, format=detect.SCIKIT, steps=(source(note),), trees=trees(0.5)), stump("Less"), None, seed=1)
    assert [request.shape for request in asked] == [(2, 2)]


def refusing(*inputs: TensorSpec, tried: str) -> str:
    """The advice on a source of these inputs that refuses everything."""

    def refuse(_: Arrays) -> dict[str, Array]:
        raise ValueError("no such size")

    graph = dataclasses.replace(SAME, inputs=inputs)
    with pytest.raises(ParityError, match="which refuses every synthetic request") as caught:
        check_parity(source(refuse, inputs=inputs, accepted=Accepted(tried=tried)), graph, None, seed=1)
    return str(caught.value.advice)


def test_a_source_that_refuses_everything_asks_for_data() -> None:
    assert refusing(X, tried="") == "Pass --data with rows that the model accepts."


def test_sizes_that_were_searched_for_in_vain_are_asked_for_by_their_options() -> None:
    image = TensorSpec(name="image", dtype="float32", shape=("batch", 3, "height", "width"))
    state = TensorSpec(name="state", dtype="float32", shape=(2, "batch", 8))
    rate = TensorSpec(name="rate", dtype="int64", shape=())
    assert refusing(image, state, rate, tried="sizes 8 and 16") == (
        "Working sizes were searched for in vain (sizes 8 and 16). Say which sizes it takes with --shape image:2=SIZE --shape image:3=SIZE "
        "--shape rate=VALUE, or pass a whole request with --example. Pass --data with rows that the model accepts."
    )


def test_where_no_size_is_free_but_the_batch_a_batch_of_one_is_advised() -> None:
    assert "with --shape x:0=1, or pass" in refusing(X, dataclasses.replace(X, name="z"), tried="1 and 2 rows")
