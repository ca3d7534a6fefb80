"""Which columns and outputs become float64, decided by what a model answers to the data's own numbers and to rounded ones. On models of one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import DataError
from sealift_packager.model.columns import column_inputs, joined
from sealift_packager.model.source import Arrangement, Array, Arrays, Digits, SourceModel
from sealift_packager.parity import digits
from sealift_packager.parity.digits import ROWS, TRIED, wide_columns, with_digits
from sealift_packager.trees.ensemble import IDENTITY, Ensemble, Tree
from support.parity_sources import trees

LARGE: Final = 5e7 + np.arange(10.0) / 10  # float32 knows steps of 4 there
TENTHS: Final = np.arange(10.0) / 10  # rounded by float32, without harm
HALVES: Final = np.arange(10.0) / 2  # as float32 holds them
Function = Callable[[Array], Array]


def model(
    function: Function,
    width: int = 2,
    names: tuple[str, ...] = (),
    *,
    needed: frozenset[int] = frozenset(),
    output: str = "prediction",
    asked: list[Array] | None = None,
    **more: Any,
) -> SourceModel:
    """A model of columns that answers ``function`` of the rows; ``asked`` takes the rows of every request."""

    def widen(columns: frozenset[int], outputs: frozenset[str] = frozenset(), arrangement: Arrangement | None = None, /) -> SourceModel:
        inputs = column_inputs(names, width, sorted(columns))

        def predict(arrays: Arrays) -> dict[str, Array]:
            rows = joined(arrays, inputs).astype(np.float64)
            if asked is not None:
                asked.append(rows)
            answer = np.asarray(function(rows))
            return {output: answer.reshape(len(rows), -1).astype(np.float64 if output in outputs or answer.dtype.kind != "f" else np.float32)}

        return SourceModel(
            format="x",
            framework="here",
            digest=Digest.of(b""),
            native=None,
            predict=predict,
            inputs=inputs,
            outputs=(output,),
            digits=Digits(needed=needed, widen=widen),
            wide_outputs=outputs,
            **more,
        )

    return widen(frozenset())


def table(*columns: Array) -> dict[str, Array]:
    return {"features": np.column_stack(columns)}


def less(rows: Array) -> Array:
    """What the first column is above 50,000,000, and a little of the second."""
    return np.asarray(rows[:, 0] - 5e7 + rows[:, 1])


# Columns


def test_the_column_whose_digits_change_an_answer_is_float64_and_no_other() -> None:
    assert wide_columns(model(less), table(LARGE, TENTHS)) == {0}
    assert wide_columns(model(lambda rows: less(rows[:, ::-1])), table(TENTHS, LARGE)) == {1}
    assert wide_columns(model(lambda rows: rows[:, 1]), table(LARGE, TENTHS)) == frozenset()


def test_a_model_whose_inputs_are_what_they_are_stays_as_it_is() -> None:
    source = SourceModel(
        format="x", framework="here", digest=Digest.of(b""), native=None, predict=lambda _: {}, inputs=column_inputs((), 2, ()), outputs=("y",)
    )
    assert with_digits(source, table(LARGE, TENTHS)) is source
    assert with_digits(source, None) is source
    assert wide_columns(source, table(LARGE, TENTHS)) == frozenset()


def test_a_model_that_needs_no_digits_stays_as_it_is() -> None:
    source = model(lambda rows: rows[:, 1])
    assert with_digits(source, table(LARGE, TENTHS)) is source


def test_the_model_takes_float64_for_the_columns_that_need_it() -> None:
    wide = with_digits(model(less, names=("paid", "rate")), table(LARGE, TENTHS))
    assert [(spec.name, spec.dtype) for spec in wide.inputs] == [("paid", "float64"), ("rate", "float32")]
    assert wide_columns(model(less, needed=frozenset({1})), table(LARGE, TENTHS)) == {0, 1}
    assert wide_columns(model(less), table(LARGE, HALVES)) == {0}


def test_columns_of_inputs_of_their_own_are_tried_like_those_of_one() -> None:
    narrow = model(less, names=("paid", "rate"), needed=frozenset({1})).digits
    assert narrow is not None
    source = narrow.widen(frozenset({1}))
    assert wide_columns(source, {"paid": LARGE.reshape(-1, 1), "rate": TENTHS.reshape(-1, 1)}) == {0, 1}
    assert wide_columns(source, {"paid": HALVES.reshape(-1, 1), "rate": TENTHS.reshape(-1, 1)}) == {1}
    turned = model(lambda rows: less(rows[:, ::-1]), names=("rate", "paid")).digits
    assert turned is not None
    assert wide_columns(turned.widen(frozenset({0})), {"rate": TENTHS.reshape(-1, 1), "paid": LARGE.reshape(-1, 1)}) == {1}
    rare = np.where(np.arange(50 * ROWS) == 7, LARGE[1], 5e7).reshape(-1, 1)
    assert wide_columns(turned.widen(frozenset({0})), {"rate": np.resize(TENTHS, rare.shape), "paid": rare}) == {1}


def test_columns_that_the_model_itself_names_need_no_data_and_are_not_tried() -> None:
    asked: list[Array] = []
    source = model(less, needed=frozenset({0}), asked=asked)
    assert wide_columns(source, None) == {0}
    assert wide_columns(source, table(LARGE, HALVES)) == {0}
    assert asked == []


def test_the_source_is_not_asked_where_float32_holds_every_number() -> None:
    asked: list[Array] = []
    gaps = np.where(np.arange(10) % 2, np.nan, HALVES)
    infinite = np.array([np.inf, -np.inf, *HALVES[2:]])
    assert wide_columns(model(less, 3, asked=asked), table(HALVES, gaps, infinite)) == frozenset()
    assert asked == []


def test_each_column_is_tried_alone_beside_the_others_own_numbers() -> None:
    asked: list[Array] = []
    assert wide_columns(model(less, 3, asked=asked), table(LARGE, TENTHS, HALVES)) == {0}
    exact, both, *alone, rest = asked
    assert np.array_equal(exact, np.column_stack([LARGE, TENTHS, HALVES]))
    assert np.array_equal(both, exact.astype(np.float32))
    expected = [np.column_stack([LARGE.astype(np.float32), TENTHS, HALVES]), np.column_stack([LARGE, TENTHS.astype(np.float32), HALVES])]
    assert all(np.array_equal(rows, one) for rows, one in zip(alone, expected, strict=True))
    assert np.array_equal(rest, np.column_stack([LARGE, TENTHS.astype(np.float32), HALVES]))


def test_columns_that_decide_together_alone_are_all_float64() -> None:
    def either(rows: Array) -> Array:
        return np.asarray((rows != rows.astype(np.float32)).any(axis=1))

    assert wide_columns(model(either), table(TENTHS + 0.05, TENTHS + 0.05)) == {0, 1}


def test_a_model_that_answers_by_chance_takes_every_column_that_float32_rounds() -> None:
    random = np.random.default_rng(0)
    assert wide_columns(model(lambda rows: random.random(len(rows)), 3), table(LARGE, TENTHS, HALVES)) == {0, 1}


@pytest.mark.parametrize(("count", "tried"), [(TRIED, TRIED + 3), (TRIED + 1, 2)])
def test_of_very_many_columns_none_is_tried_alone(count: int, tried: int) -> None:
    asked: list[Array] = []
    columns = wide_columns(model(less, count, asked=asked), table(LARGE, *[TENTHS] * (count - 1)))
    assert len(asked) == tried
    assert columns == ({0} if count == TRIED else set(range(count)))


def test_a_thousandth_of_what_parity_lets_pass_is_no_reason() -> None:
    assert wide_columns(model(lambda rows: 1 + (rows[:, 0] - 5e7) * 1e-6 + rows[:, 1]), table(LARGE, HALVES)) == frozenset()
    assert wide_columns(model(lambda rows: 1 + (rows[:, 0] - 5e7) * 2e-3 + rows[:, 1]), table(LARGE, HALVES)) == {0}


def test_another_leaf_of_a_tree_is_a_reason_however_little_it_changes() -> None:
    def leaf(rows: Array) -> Array:
        return np.where(rows[:, 0] > 5e7 + 0.45, 1 + 1e-6, 1.0)

    data = table(LARGE, TENTHS)
    assert wide_columns(model(leaf), data) == frozenset()
    assert wide_columns(model(leaf, trees=trees(0.0)), data) == {0}
    assert wide_columns(model(lambda rows: np.where(rows[:, 0] > 1, np.nan, 1.0), trees=trees(0.0)), data) == frozenset()


def test_few_rows_are_judged_by_the_size_of_their_answers() -> None:
    for share, wide in ((5e-5, frozenset[int]()), (2e-4, {0})):
        moved = float(LARGE[1] - 5e7)

        def small(rows: Array, share: float = share, moved: float = moved) -> Array:
            return np.asarray(1 + (rows[:, 0] - 5e7) * share / moved)

        assert wide_columns(model(small), table(LARGE[:2], HALVES[:2])) == wide


def test_a_change_of_a_thousandth_of_what_answers_differ_by_is_a_reason() -> None:
    """Parity lets that pass by the answer's size; here there has to be room for what the graph adds."""
    moved = LARGE - LARGE.astype(np.float32)
    share = 5e-4 / np.abs(moved).max()
    assert wide_columns(model(lambda rows: 10 + rows[:, 1] + share * (rows[:, 0] - 5e7)), table(LARGE, HALVES / HALVES.std())) == {0}


def test_a_category_that_rounding_makes_unknown_is_a_reason() -> None:
    def known_alone(rows: Array) -> Array:
        if not np.isin(rows[:, 0], LARGE + 0.05).all():
            raise ValueError("unknown category")
        return np.zeros(len(rows))

    assert wide_columns(model(known_alone), table(LARGE + 0.05, TENTHS)) == {0}


def test_data_that_the_source_refuses_are_an_error_that_says_so() -> None:
    def refuse(rows: Array) -> Array:
        raise ValueError("no such row")

    for output, column in (("prediction", HALVES), ("label", TENTHS)):
        with pytest.raises(DataError, match=r"--data, for here: .*no such row"):
            with_digits(model(refuse, output=output), table(column, HALVES))


def test_numbers_beyond_float32_are_a_reason() -> None:
    assert wide_columns(model(lambda rows: np.minimum(rows[:, 0], 1e300) / 1e39), table(1e39 * (1 + HALVES), TENTHS)) == {0}
    assert wide_columns(model(lambda rows: rows[:, 1]), table(1e39 * (1 + HALVES), TENTHS)) == frozenset()


def test_whole_numbers_in_one_array_are_rounded_as_float32_does_it() -> None:
    ids = {"features": np.column_stack([2**24 + np.arange(10), np.arange(10)])}
    assert wide_columns(model(lambda rows: rows[:, 0] % 2), ids) == {0}


def test_whole_numbers_count_like_any_and_texts_do_not() -> None:
    inputs = (TensorSpec(name="id", dtype="float32", shape=("batch", 1)), TensorSpec(name="word", dtype="string", shape=("batch", 1)))

    def predict(arrays: Arrays) -> dict[str, Array]:
        assert arrays["word"].dtype == object
        return {"label": arrays["id"].astype(np.float64)[:, 0] % 2}

    def widen(columns: frozenset[int], outputs: frozenset[str] = frozenset(), arrangement: Arrangement | None = None, /) -> SourceModel:
        raise AssertionError("asked for other inputs")

    source = SourceModel(
        format="x",
        framework="here",
        digest=Digest.of(b""),
        native=None,
        predict=predict,
        inputs=inputs,
        outputs=("label",),
        digits=Digits(needed=frozenset(), widen=widen),
    )
    ids = 2**24 + np.arange(10).reshape(-1, 1)
    words = np.array([["a"]] * 10, dtype=object)
    assert wide_columns(source, {"id": ids, "word": words}) == {0}
    assert wide_columns(source, {"id": ids - 2**23, "word": words}) == frozenset()


# Which rows are asked with


def test_a_few_rows_that_float32_rounds_are_asked_with_wherever_they_are() -> None:
    total = 50 * ROWS
    for at in (0, total // 2, total - 1):
        rare = np.zeros(total)
        rare[at] = 5e7 + 1
        rows = table(rare, np.tile(TENTHS, total // 10 + 1)[:total])
        assert wide_columns(model(lambda rows: np.where(rows[:, 0] > 1, rows[:, 0] - 5e7, 0)), rows) == {0}


def test_each_column_has_its_rows_that_float32_rounds_the_most() -> None:
    asked: list[Array] = []
    total = 4 * ROWS
    numbers = np.arange(total) * 1.0
    many, few = np.where(numbers < total - 3, 1e12 + numbers / 8, 0), np.where(numbers >= total - 3, 2**24 + 1, 0)
    assert wide_columns(model(lambda rows: np.where(rows[:, 1] > 0, rows[:, 1] - 2**24, 0), asked=asked), table(many, few)) == {1}
    assert ROWS / 2 < len(asked[0]) <= ROWS
    assert (asked[0][:, 1] > 0).sum() == 3


def test_the_rows_that_float32_rounds_the_most_are_half_of_those_asked_with() -> None:
    asked: list[Array] = []
    numbers = np.random.default_rng(0).integers(2**24, 2**52, 4 * ROWS).astype(np.float64) / 8
    wide_columns(model(lambda rows: rows[:, 0], 1, asked=asked), table(numbers))
    most = np.argsort(np.abs(numbers - numbers.astype(np.float32)))[-ROWS // 2 :]
    assert set(numbers[most].tolist()) <= set(asked[0][:, 0].tolist())
    assert len(asked[0]) > 0.8 * ROWS


def test_the_same_rows_are_asked_with_every_time() -> None:
    asked: list[Array] = []
    source, rows = model(late, asked=asked), table(np.arange(4 * ROWS) + 0.3, np.arange(4 * ROWS) * 1.0)
    for _ in range(2):
        with_digits(source, rows)
    half = len(asked) // 2
    assert all(np.array_equal(first, again) for first, again in zip(asked[:half], asked[half:], strict=True))


def test_rows_from_everywhere_are_asked_with_beside_them() -> None:
    asked: list[Array] = []
    total = 4 * ROWS
    column = np.arange(total) + np.where(np.arange(total) < ROWS, 0.3, 0.0)
    wide_columns(model(lambda rows: rows[:, 0], asked=asked), table(column, np.zeros(total)))
    places = asked[0][:, 0]
    assert len(places) <= ROWS
    assert (np.diff(places) > 0).all()
    assert (places > total / 2).sum() > ROWS / 5


def test_a_whole_file_is_asked_with_up_to_a_bound() -> None:
    for total in (ROWS, ROWS + 1):
        asked: list[Array] = []
        column = np.arange(total) + 0.3
        wide_columns(model(lambda rows: rows[:, 0], asked=asked), table(column, np.zeros(total)))
        assert (len(asked[0]) == total) is (total == ROWS)


def test_a_row_of_each_column_is_asked_with_however_many_columns_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "ROWS", 8)
    asked: list[Array] = []
    columns = [np.where(np.arange(40) == at, 5e7 + 1.0, 0) for at in range(20)]
    wide_columns(model(lambda rows: rows[:, 0], 20, asked=asked), table(*columns))
    assert (asked[0] > 0).any(axis=0).all()
    assert len(asked[0]) <= 20 + 4


# Outputs


def late(rows: Array) -> Array:
    return np.asarray(1.7e9 + rows[:, 0])


def test_answers_that_are_large_beside_what_they_differ_by_are_float64() -> None:
    source = with_digits(model(late), table(TENTHS, HALVES))
    assert (set(source.wide_outputs), [spec.dtype for spec in source.inputs]) == ({"prediction"}, ["float32"])
    assert with_digits(model(lambda rows: rows[:, 0]), table(TENTHS, HALVES)).wide_outputs == frozenset()


def test_columns_are_judged_by_answers_with_all_their_digits() -> None:
    source = with_digits(model(lambda rows: 1.7e9 + rows[:, 0] - 5e7), table(LARGE, HALVES))
    assert (set(source.wide_outputs), [spec.dtype for spec in source.inputs]) == ({"prediction"}, ["float64"])


def test_answers_that_float32_holds_stay_float32_however_large_they_are() -> None:
    rows = table(np.arange(10.0), HALVES)
    assert with_digits(model(lambda rows: 2.0**30 + 128 * rows[:, 0]), rows).wide_outputs == frozenset()
    assert with_digits(model(lambda rows: np.where(rows[:, 0] > 5, np.nan, 2.0**30 + 128 * rows[:, 0])), rows).wide_outputs == frozenset()


def test_answers_beyond_float32_are_float64() -> None:
    assert with_digits(model(lambda rows: 1e39 * (1 + rows[:, 0])), table(HALVES, HALVES)).wide_outputs == {"prediction"}


def test_only_a_prediction_becomes_float64() -> None:
    assert with_digits(model(late, output="scores"), table(TENTHS, HALVES)).wide_outputs == frozenset()


def test_the_whole_file_says_how_answers_vary() -> None:
    total = 3 * ROWS
    rows = table(np.where(np.arange(total) < 2 * ROWS, 0, 1e9), np.zeros(total))
    asked: list[Array] = []
    source = with_digits(model(lambda rows: 1e9 + rows[:, 0] + rows[:, 0] / 7e4, asked=asked), rows)
    assert source.wide_outputs == frozenset()  # they differ by a billion
    assert len(asked[0]) == ROWS
    assert 0 < (asked[0][:, 0] > 0).mean() < 0.5


# Without data


def test_rows_like_those_that_it_was_fitted_on_take_the_place_of_data() -> None:
    assert with_digits(model(less, usual=table(LARGE, TENTHS)), None).inputs[0].dtype == "float64"
    assert with_digits(model(less, usual=table(LARGE, TENTHS)), table(HALVES, HALVES)).inputs[0].dtype == "float32"
    assert with_digits(model(less, usual={"other": table(LARGE, TENTHS)["features"]}), None).inputs[0].dtype == "float32"


def test_columns_that_may_need_digits_have_them_until_data_show_that_they_need_not() -> None:
    def inputs(data: Arrays | None) -> list[str]:
        source = model(lambda rows: rows[:, 1], names=("paid", "rate"))
        assert source.digits is not None
        likely = dataclasses.replace(source, digits=dataclasses.replace(source.digits, unless_shown=frozenset({0})))
        return [spec.dtype for spec in with_digits(likely, data).inputs]

    assert inputs(None) == ["float64", "float32"]
    assert inputs(table(LARGE, TENTHS)) == ["float32"]


def test_rows_that_are_made_up_and_refused_show_nothing() -> None:
    def refuse(rows: Array) -> Array:
        raise ValueError("no such row")

    source = model(refuse, usual=table(LARGE, TENTHS))
    assert with_digits(source, None) is source
    assert with_digits(model(refuse, usual=table(LARGE, TENTHS), needed=frozenset({0})), None).inputs[0].dtype == "float64"


def test_synthetic_rows_show_how_answers_vary() -> None:
    asked: list[Array] = []
    assert with_digits(model(lambda rows: 1e9 + rows[:, 0], asked=asked), None).wide_outputs == {"prediction"}
    assert asked[0].shape == (digits.SYNTHETIC_ROWS, 2)
    assert len(np.unique(asked[0])) > digits.SYNTHETIC_ROWS


def test_trees_are_asked_with_rows_beside_their_thresholds() -> None:
    thresholds = 1e6 + np.arange(100.0)
    ensemble = trees(*thresholds.tolist())
    asked: list[Array] = []
    source = with_digits(model(lambda rows: 1.7e9 + (rows[:, :1] > thresholds).sum(axis=1), trees=ensemble, asked=asked), None)
    assert source.wide_outputs == {"prediction"}
    assert asked[0].shape == (200, 2)
    assert np.isfinite(asked[0]).all()
    assert len({row[0] > threshold for row in asked[0] for threshold in thresholds}) == 2


def test_trees_without_a_threshold_are_asked_with_any_rows() -> None:
    leaf = np.array([0])
    tree = Tree(feature=leaf - 1, threshold=leaf * 1.0, missing_left=leaf > 0, left=leaf, right=leaf, value=np.array([[1.0]]))
    ensemble = Ensemble(trees=(tree,), features=2, outputs=1, base=np.zeros(1), link=IDENTITY)
    asked: list[Array] = []
    assert with_digits(model(lambda rows: 1.7e9 + rows[:, 0], trees=ensemble, asked=asked), None).wide_outputs == {"prediction"}
    assert asked[0].shape == (digits.SYNTHETIC_ROWS, 2)
