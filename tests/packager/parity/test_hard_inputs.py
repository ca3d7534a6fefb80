"""The requests that source and graph are asked: which ones there are, and what stands in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.accepted import Accepted
from sealift_packager.model.drawn_rows import drawn_rows, rows_moved, rows_of, telling_rows
from sealift_packager.model.source import Nullable
from sealift_packager.model.synthetic import make_inputs
from sealift_packager.parity.inputs import (
    FIXED_REQUESTS,
    HOLDOUT_ROWS,
    NO_CATEGORIES,
    UNSEEN,
    Categories,
    HardRequest,
    hard_inputs,
)

Array = np.ndarray[Any, np.dtype[Any]]
X = TensorSpec(name="x", dtype="float32", shape=("batch", 3))
FIXED = TensorSpec(name="x", dtype="float32", shape=(4, 3))
IDS = TensorSpec(name="ids", dtype="int64", shape=("batch", "time"))
IMAGE = TensorSpec(name="image", dtype="float32", shape=("batch", "height", "width"))
WORDS = TensorSpec(name="w", dtype="string", shape=("batch", 2))
RANDOM = np.random.default_rng(3)


def ask(
    *specs: TensorSpec,
    holdout: dict[str, Array] | None = None,
    seed: int = 1,
    takes_nan: bool = False,
    categories: Categories = NO_CATEGORIES,
    **more: Any,
) -> dict[str, dict[str, Array]]:
    requests = whole(*specs, holdout=holdout, seed=seed, takes_nan=takes_nan, categories=categories, **more)
    found = {request.title: request.inputs for request in requests}
    assert len(found) == len(requests)
    return found


def whole(*specs: TensorSpec, holdout: dict[str, Array] | None = None, seed: int = 1, takes_nan: bool = False, **more: Any) -> list[HardRequest]:
    return list(hard_inputs(specs, holdout, seed=seed, takes_nan=takes_nan, **more))


# Which ones


def test_of_columns_one_row_two_and_seven_zeros_and_large_values_are_asked() -> None:
    requests = ask(X)
    assert {title: inputs["x"].shape for title, inputs in requests.items()} == {
        "1 random rows": (1, 3),
        "2 random rows": (2, 3),
        "7 random rows": (7, 3),
        "zeros": (2, 3),
        "values ten times as large as usual": (2, 3),
    }
    assert all(inputs["x"].dtype == np.float32 for inputs in requests.values())


def test_a_batch_that_is_fixed_stays_what_it_is() -> None:
    holdout = {"x": RANDOM.random((6, 3)).astype(np.float32)}
    requests = ask(FIXED, holdout=holdout)
    assert list(requests) == ["the holdout from row 0", "the holdout from row 4", "1 random rows", "zeros", "values ten times as large as usual"]
    assert {inputs["x"].shape for inputs in requests.values()} == {(4, 3)}
    assert requests["the holdout from row 0"]["x"].tolist() == holdout["x"][:4].tolist()
    assert requests["the holdout from row 4"]["x"].tolist() == holdout["x"][[4, 5, 0, 1]].tolist()


def test_of_a_fixed_batch_several_requests_come_from_everywhere_in_the_holdout() -> None:
    holdout = {"x": np.arange(3 * 10_000, dtype=np.float32).reshape(10_000, 3)}
    requests = [request for request in whole(FIXED, holdout=holdout) if request.rows is not None]
    rows = np.concatenate([request.rows for request in requests])
    assert len(requests) == FIXED_REQUESTS
    assert len(set(rows.tolist())) == 4 * FIXED_REQUESTS
    assert rows.tolist() == sorted(rows.tolist())
    assert rows.min() < 2000
    assert rows.max() > 8000
    for request in requests:
        assert request.inputs["x"].tolist() == holdout["x"][request.rows].tolist()


def test_the_holdout_is_asked_whole_up_to_its_bound_and_by_one_row() -> None:
    holdout = {"x": RANDOM.random((HOLDOUT_ROWS, 3)).astype(np.float32)}
    requests = ask(X, holdout=holdout)
    assert list(requests)[:2] == ["the holdout", "one row of the holdout"]
    assert requests["the holdout"]["x"].tolist() == holdout["x"].tolist()
    assert requests["one row of the holdout"]["x"].tolist() == holdout["x"][:1].tolist()


def test_of_a_long_holdout_rows_from_everywhere_are_asked_since_files_are_sorted() -> None:
    holdout = {"x": np.arange(3 * 100_000, dtype=np.float32).reshape(100_000, 3)}
    request = whole(X, holdout=holdout)[0]
    assert request.rows is not None
    assert len(request.rows) == HOLDOUT_ROWS
    assert request.inputs["x"].tolist() == holdout["x"][request.rows].tolist()
    assert np.histogram(request.rows, bins=10, range=(0, 100_000))[0].min() > HOLDOUT_ROWS / 20


@given(total=st.integers(1, 200), most=st.integers(1, 200), seed=st.integers(0, 9))
def test_rows_are_drawn_once_each_in_their_order_and_all_of_them_where_they_are_few(total: int, most: int, seed: int) -> None:
    rows = drawn_rows(total, most, seed).tolist()
    assert len(rows) == min(total, most)
    assert rows == sorted(set(rows))
    assert set(rows) <= set(range(total))
    assert rows == drawn_rows(total, most, seed).tolist()


def test_rows_that_are_all_of_them_are_no_copy() -> None:
    arrays = {"x": np.arange(6.0).reshape(3, 2), "y": np.arange(3)}
    assert all(value is arrays[name] for name, value in rows_of(arrays, np.arange(3)).items())
    assert {name: value.tolist() for name, value in rows_of(arrays, np.array([2, 0, 1])).items()} == {"x": [[4, 5], [0, 1], [2, 3]], "y": [2, 0, 1]}
    assert {name: value.tolist() for name, value in rows_of(arrays, np.array([0, 1])).items()} == {"x": [[0, 1], [2, 3]], "y": [0, 1]}


def test_rows_that_float32_moves_are_found_by_any_of_their_numbers() -> None:
    rows = np.zeros((40, 2, 3))
    rows[7, 1, 2], rows[30, 0, 0] = 2**24 + 1, 2**26 + 3  # moved by 1 and by 3
    assert sorted(rows_moved(rows, 2).tolist()) == [7, 30]
    assert rows_moved(rows, 1).tolist() == [30]
    assert rows_moved(np.full((40, 1), np.inf), 2).tolist() == []


def test_where_float32_moves_no_row_rows_from_everywhere_are_asked_alone() -> None:
    for exact in (np.arange(40.0), np.zeros((40, 0))):
        numbers = telling_rows(40, 10, [rows_moved(exact, 2)])
        assert len(np.arange(40)[numbers]) == 5


def test_other_seeds_draw_other_rows() -> None:
    assert drawn_rows(10_000, 50, 1).tolist() != drawn_rows(10_000, 50, 2).tolist()
    holdout = {"x": np.zeros((10_000, 3), dtype=np.float32)}
    for spec in (X, FIXED):
        first, again, other = (whole(spec, holdout=holdout, seed=seed)[0].rows for seed in (1, 1, 2))
        assert first is not None
        assert again is not None
        assert other is not None
        assert first.tolist() == again.tolist() != other.tolist()


def test_a_name_that_says_holdout_or_example_makes_no_request_one_of_the_user_s_own() -> None:
    words = TensorSpec(name="holdout", dtype="string", shape=("batch", 1))
    sizes = TensorSpec(name="image", dtype="float32", shape=("batch", "example holdout"))
    requests = whole(words, sizes, holdout={"holdout": np.array([["a"]], dtype=object), "image": np.ones((1, 2), dtype=np.float32)})
    assert [request.title for request in requests if request.is_real] == ["the holdout", "one row of the holdout"]
    assert "an unseen category in holdout[0]" in {request.title for request in requests}


def test_whole_requests_that_somebody_gave_are_asked_first_as_they_are() -> None:
    given_ones = ({"x": np.ones((1, 3), dtype=np.float32)}, {"x": np.zeros((5, 3), dtype=np.float32)})
    requests = whole(X, accepted=Accepted(examples=given_ones), holdout={"x": np.ones((2, 3), dtype=np.float32)})
    assert [request.title for request in requests[:3]] == ["example 1", "example 2", "the holdout"]
    assert [request.inputs["x"].tolist() for request in requests[:2]] == [example["x"].tolist() for example in given_ones]
    assert [(request.is_example, request.is_real) for request in requests[:2]] == [(True, True)] * 2
    assert not any(request.is_example for request in requests[2:])
    assert not any(request.is_real for request in requests[4:])


def test_sizes_that_a_model_takes_are_asked_in_place_of_any() -> None:
    accepted = Accepted(sizes={"height": (32, 64)})
    requests = {request.title: request.inputs["image"].shape for request in whole(IMAGE, accepted=accepted)}
    assert [title for title in requests if "for height" in title] == ["a size of 32 for height", "a size of 64 for height"]
    assert {size[1] for size in requests.values()} == {32, 64}
    assert requests["a size of 3 for width"] == (2, 32, 3)
    assert requests["another size for each free dimension"] == (2, 32, 7)


def test_sizes_differ_between_dimensions_where_the_model_takes_several() -> None:
    accepted = Accepted(sizes={"height": (32, 64), "width": (32, 64)})
    requests = {request.title: request.inputs["image"].shape for request in whole(IMAGE, accepted=accepted)}
    assert requests["another size for each free dimension"] == (2, 32, 64)


RATE = TensorSpec(name="rate", dtype="int64", shape=())


@pytest.mark.parametrize(("spec", "rows"), [(X, 2), (TensorSpec(name="x", dtype="float32", shape=(1, 3)), 1)])
def test_each_value_that_an_input_takes_is_asked_the_usual_one_everywhere_else(spec: TensorSpec, rows: int) -> None:
    requests = whole(spec, RATE, accepted=Accepted(values={"rate": (16000.0, 8000.0)}), takes_nan=True)
    rates = {request.title: request.inputs["rate"].tolist() for request in requests}
    assert rates.pop("rate of 8000") == 8000
    assert set(rates.values()) == {16000}
    other = next(request for request in requests if request.title == "rate of 8000")
    assert other.inputs["x"].shape == (rows, 3)
    assert {"zeros", "missing values"} <= set(rates)


def test_each_value_is_asked_with_rows_like_those_of_the_holdout() -> None:
    holdout = {"x": np.full((9, 3), 1e6, dtype=np.float32), "rate": np.full(9, 16000)}
    by_row = TensorSpec(name="rate", dtype="int64", shape=("batch",))
    requests = whole(X, by_row, accepted=Accepted(values={"rate": (16000.0, 8000.0)}), holdout=holdout)
    assert next(request for request in requests if request.title == "rate of 8000").inputs["x"].tolist() == [[1e6] * 3] * 2


def test_other_inputs_keep_their_usual_value_while_one_takes_another() -> None:
    second = TensorSpec(name="mode", dtype="int64", shape=())
    accepted = Accepted(values={"rate": (16000.0, 8000.0), "mode": (1.0, 2.0)})
    requests = whole(X, RATE, second, accepted=accepted)
    asked = {request.title: (request.inputs["rate"].tolist(), request.inputs["mode"].tolist()) for request in requests}
    assert asked["rate of 8000"] == (8000, 1)
    assert asked["mode of 2"] == (16000, 2)


def test_without_data_rows_like_those_that_the_model_was_fitted_on_are_asked() -> None:
    usual = {"x": np.array([[5e8, 1.0, np.nan]] * 9)}
    request = whole(X, WORDS, usual=usual, categories=KNOWN)[-1]
    assert (request.title, request.is_real) == ("rows like those that it was fitted on", False)
    assert request.inputs["x"].dtype == np.float32
    assert np.array_equal(request.inputs["x"], usual["x"].astype(np.float32), equal_nan=True)
    assert request.inputs["w"].shape == (9, 2)
    assert set(request.inputs["w"][:, 0]) <= {"red", "green", "blue"}
    again = whole(X, WORDS, usual=usual, categories=KNOWN)[-1]
    assert again.inputs["w"].tolist() == request.inputs["w"].tolist()
    with_data = whole(X, usual=usual, holdout={"x": np.ones((2, 3), dtype=np.float32)})
    assert "rows like those that it was fitted on" not in {request.title for request in with_data}


def test_every_free_dimension_is_asked_short_and_long_and_all_of_them_different() -> None:
    requests = ask(IMAGE)
    for symbol, axis in (("height", 1), ("width", 2)):
        for size in (1, 3, 17):
            expected = [2, 8, 8]
            expected[axis] = size
            assert list(requests[f"a size of {size} for {symbol}"]["image"].shape) == expected
    assert requests["another size for each free dimension"]["image"].shape == (2, 5, 7)


def test_a_single_free_dimension_needs_no_request_with_different_ones() -> None:
    requests = ask(IDS)
    assert "another size for each free dimension" not in requests
    assert requests["a size of 17 for time"]["ids"].shape == (2, 17)


def test_a_fixed_batch_has_its_free_dimensions_asked_too() -> None:
    both = TensorSpec(name="image", dtype="float32", shape=(1, "height", "width"))
    requests = ask(both)
    assert requests["a size of 3 for width"]["image"].shape == (1, 8, 3)
    assert requests["another size for each free dimension"]["image"].shape == (1, 5, 7)


def test_missing_values_are_asked_where_the_source_takes_them() -> None:
    assert "missing values" not in ask(X, IDS)
    request = ask(X, IDS, takes_nan=True)["missing values"]
    assert np.isnan(request["x"]).all()
    assert request["x"].shape == (2, 3)
    assert request["ids"].tolist() == np.zeros((2, 8)).tolist()


def test_each_column_of_a_table_is_asked_without_its_value_beside_known_categories_in_the_others() -> None:
    requests = ask(X, WORDS, IMAGE, takes_nan=True, categories=KNOWN)
    single = {title: inputs for title, inputs in requests.items() if title.startswith("missing values in")}
    assert list(single) == ["missing values in x[0]", "missing values in x[1]", "missing values in x[2]"]
    for at, inputs in enumerate(single.values()):
        assert np.isnan(inputs["x"]).tolist() == [[column == at for column in range(3)]] * 2
        assert at == 1 or set(inputs["x"][:, 1].tolist()) <= {4.0, 5.0}
        assert set(inputs["w"][:, 0]) <= {"red", "green", "blue"}
        assert np.isfinite(inputs["image"]).all()


def test_only_columns_that_may_be_missing_are_asked_so_beside_rows_that_the_model_answered() -> None:
    rows = {"x": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "w": np.array([["a", "b"]] * 2, dtype=object)}
    requests = ask(X, WORDS, takes_nan=True, nullable=Nullable(columns={"x": (1,), "w": ()}, rows=rows))
    assert [title for title in requests if title.startswith("missing values in")] == ["missing values in x[1]"]
    request = requests["missing values in x[1]"]
    assert np.array_equal(request["x"], np.array([[1, np.nan, 3], [4, np.nan, 6]], dtype=np.float32), equal_nan=True)
    assert request["x"].dtype == np.float32
    assert request["w"].tolist() == [["a", "b"]] * 2


def test_a_gap_is_asked_in_the_holdout_s_own_rows_that_have_none() -> None:
    holdout = {"x": np.array([[np.nan, 1, 1], [3, 4, 5], [np.nan, 2, 2]], dtype=np.float32)}
    request = ask(X, holdout=holdout, takes_nan=True)["missing values in x[2]"]
    assert np.array_equal(request["x"], np.array([[3, 4, np.nan]] * 2, dtype=np.float32), equal_nan=True)
    never = {"x": np.array([[np.nan, 1, 1], [np.nan, 2, 2]], dtype=np.float32)}
    answered = Nullable(columns={"x": (2,)}, rows={"x": np.array([[7.0, 8.0, 9.0]])})
    request = ask(X, holdout=never, takes_nan=True, nullable=answered)["missing values in x[2]"]
    assert np.array_equal(request["x"], np.array([[7, 8, np.nan]] * 2, dtype=np.float32), equal_nan=True)


def test_where_every_row_of_the_holdout_has_a_gap_others_like_them_are_asked_with_one() -> None:
    never = {"x": np.array([[np.nan, 1e6, 1e6]] * 3, dtype=np.float32)}
    request = ask(X, holdout=never, takes_nan=True)["missing values in x[2]"]["x"]
    assert request[:, 1].tolist() == [1e6] * 2
    many: Categories = {"w": (np.array([str(number) for number in range(1000)], dtype=object), None)}
    first, again = (ask(X, WORDS, takes_nan=True, categories=many)["missing values in x[0]"]["w"] for _ in range(2))
    assert first.tolist() == again.tolist()


def test_what_rows_without_a_gap_lack_or_have_in_other_sizes_is_made_up() -> None:
    second = TensorSpec(name="z", dtype="float32", shape=("batch", 2))
    some = Nullable(columns={"x": (1,)}, rows={"x": np.array([[1.0, 2.0, 3.0]])})
    requests = ask(X, second, WORDS, takes_nan=True, nullable=some)
    assert [title for title in requests if title.startswith("missing values in")] == ["missing values in x[1]"]
    request, drawn = requests["missing values in x[1]"], requests["2 random rows"]
    assert request["x"][:, [0, 2]].tolist() == [[1, 3]] * 2
    assert (request["z"].tolist(), request["w"].tolist()) == (drawn["z"].tolist(), drawn["w"].tolist())
    holdout = {"x": np.ones((3, 3), dtype=np.float32), "image": np.ones((3, 5, 6), dtype=np.float32)}
    request = ask(X, IMAGE, holdout=holdout, takes_nan=True)["missing values in x[1]"]
    assert request["x"][:, [0, 2]].tolist() == [[1, 1]] * 2
    assert request["image"].shape == (2, 8, 8)


def test_columns_past_64_are_asked_without_their_value_in_one_request() -> None:
    wide = TensorSpec(name="x", dtype="float32", shape=("batch", 70))
    requests = ask(wide, takes_nan=True)
    assert len([title for title in requests if title.startswith("missing values in x")]) == 64
    gaps = np.isnan(requests["missing values in each of the other columns"]["x"])
    assert np.argwhere(gaps).tolist() == [[row, 64 + row] for row in range(6)]
    fixed = TensorSpec(name="x", dtype="float32", shape=(1, 70))
    assert "missing values in each of the other columns" not in ask(fixed, takes_nan=True)


def test_an_input_of_a_few_values_is_never_missing() -> None:
    rate = TensorSpec(name="rate", dtype="float32", shape=("batch", 1))
    requests = ask(X, rate, takes_nan=True, accepted=Accepted(values={"rate": (16000.0,)}))
    assert [title for title in requests if title.startswith("missing values in")] == [f"missing values in x[{at}]" for at in range(3)]


def test_a_number_for_the_whole_request_may_come_before_the_table_whose_columns_are_missing() -> None:
    requests = ask(RATE, X, takes_nan=True, accepted=Accepted(values={"rate": (16000.0,)}))
    assert [title for title in requests if title.startswith("missing values in")] == [f"missing values in x[{at}]" for at in range(3)]
    assert requests["missing values in x[0]"]["rate"].tolist() == 16000
    assert requests["missing values in x[0]"]["x"].shape == (2, 3)


def test_zeros_are_zeros_and_no_texts() -> None:
    request = ask(X, IDS, WORDS)["zeros"]
    assert not request["x"].any()
    assert not request["ids"].any()
    assert request["w"].tolist() == [["", ""], ["", ""]]


# What stands in them


def test_requests_follow_from_the_seed() -> None:
    first, again, other = ask(X, seed=1), ask(X, seed=1), ask(X, seed=2)
    assert first["7 random rows"]["x"].tolist() == again["7 random rows"]["x"].tolist()
    assert first["7 random rows"]["x"].tolist() != other["7 random rows"]["x"].tolist()


def test_large_values_are_ten_times_the_usual_ones() -> None:
    requests = ask(X)
    np.testing.assert_allclose(requests["values ten times as large as usual"]["x"], requests["2 random rows"]["x"] * 10, rtol=1e-5)


def test_random_values_lie_around_the_holdouts_by_column() -> None:
    holdout = {"x": (RANDOM.standard_normal((2000, 3)) * [1, 10, 100] + [0, 1000, -5000]).astype(np.float32)}
    without, requests = ask(X), ask(X, holdout=holdout)
    center, spread = holdout["x"].mean(axis=0), holdout["x"].std(axis=0)
    np.testing.assert_allclose(requests["7 random rows"]["x"], without["7 random rows"]["x"] * spread + center, rtol=1e-3)
    np.testing.assert_allclose(
        requests["values ten times as large as usual"]["x"], without["values ten times as large as usual"]["x"] * spread + center, rtol=1e-3
    )
    assert requests["7 random rows"]["x"].dtype == np.float32


def test_missing_values_of_the_holdout_say_nothing_of_its_middle() -> None:
    holdout = {"x": np.array([[1.0, np.nan, 5.0], [3.0, 7.0, 5.0]], dtype=np.float32)}
    request = ask(X, holdout=holdout)["7 random rows"]["x"]
    assert np.isfinite(request).all()
    assert request[:, 1].tolist() == [7.0] * 7
    assert request[:, 2].tolist() == [5.0] * 7


def test_rows_of_another_size_take_the_middle_of_all_values() -> None:
    sequence = TensorSpec(name="s", dtype="float32", shape=("batch", "time"))
    holdout = {"s": np.full((10, 4), 9.0, dtype=np.float32)}
    assert (ask(sequence, holdout=holdout)["a size of 17 for time"]["s"] == 9.0).all()


def test_integers_and_texts_are_whole_rows_of_the_holdout() -> None:
    holdout = {"ids": np.array([[1, 1], [2, 2], [3, 3]]), "w": np.array([["a", "b"], ["c", "d"], ["e", "f"]], dtype=object)}
    ids = TensorSpec(name="ids", dtype="int64", shape=("batch", 2))
    request = ask(ids, WORDS, holdout=holdout)["7 random rows"]
    assert {tuple(row) for row in request["ids"].tolist()} <= {(1, 1), (2, 2), (3, 3)}
    assert len({tuple(row) for row in request["ids"].tolist()}) > 1
    assert {tuple(row) for row in request["w"].tolist()} <= {("a", "b"), ("c", "d"), ("e", "f")}
    assert request["ids"].dtype == np.int64


def test_integers_of_rows_of_another_size_are_single_values_of_the_holdout() -> None:
    holdout = {"ids": np.array([[10, 20], [30, 40]])}
    request = ask(IDS, holdout=holdout)["a size of 17 for time"]["ids"]
    assert request.shape == (2, 17)
    assert set(request.ravel().tolist()) <= {10, 20, 30, 40}
    assert len(set(request.ravel().tolist())) > 2
    assert request.dtype == np.int64


def test_a_holdout_without_values_leaves_what_was_made_up() -> None:
    empty = {"ids": np.zeros((3, 0), dtype=np.int64)}
    assert ask(IDS, holdout=empty)["a size of 3 for time"]["ids"].tolist() == ask(IDS)["a size of 3 for time"]["ids"].tolist()


# Categories


KNOWN: Categories = {"w": (np.array(["red", "green", "blue"], dtype=object), None), "x": (None, np.array([4.0, 5.0]), None)}


def test_each_made_up_request_comes_again_with_known_categories() -> None:
    holdout = {"x": RANDOM.random((3, 3)).astype(np.float32), "w": np.array([["a", "b"]] * 3, dtype=object)}
    requests = ask(X, WORDS, holdout=holdout, categories=KNOWN)
    titles = [title for title in requests if title.endswith(", of known categories")]
    assert titles == [
        f"{title}, of known categories"
        for title in ("1 random rows", "2 random rows", "7 random rows", "zeros", "values ten times as large as usual")
    ]
    plain, known = requests["7 random rows"], requests["7 random rows, of known categories"]
    assert set(known["w"][:, 0]) <= {"red", "green", "blue"}
    assert len(set(known["w"][:, 0])) > 1
    assert set(known["x"][:, 1].tolist()) <= {4.0, 5.0}
    assert known["w"][:, 1].tolist() == plain["w"][:, 1].tolist()
    assert known["x"][:, [0, 2]].tolist() == plain["x"][:, [0, 2]].tolist()
    assert plain["w"][:, 0].tolist() == ["a"] * 7


def test_without_categories_no_request_comes_again() -> None:
    assert not [title for title in ask(X) if "categor" in title]


def test_known_categories_follow_from_the_seed() -> None:
    title = "7 random rows, of known categories"
    assert ask(X, WORDS, categories=KNOWN)[title]["w"].tolist() == ask(X, WORDS, categories=KNOWN)[title]["w"].tolist()
    many: Categories = {"w": (np.array([str(number) for number in range(1000)], dtype=object), None)}
    assert ask(WORDS, categories=many)[title]["w"].tolist() != ask(WORDS, categories=many, seed=2)[title]["w"].tolist()


def test_every_known_category_is_asked_once_at_least() -> None:
    request = ask(X, WORDS, categories=KNOWN)["every known category"]
    assert request["w"][:, 0].tolist() == ["red", "green", "blue"]
    assert request["x"][:, 1].tolist() == [4.0, 5.0, 4.0]
    assert request["x"].shape == (3, 3)


def test_no_more_categories_are_asked_at_once_than_rows_of_a_holdout() -> None:
    many: Categories = {"w": (np.array([str(number) for number in range(HOLDOUT_ROWS + 9)], dtype=object), None)}
    request = ask(WORDS, categories=many)["every known category"]
    assert request["w"].shape == (HOLDOUT_ROWS, 2)
    assert request["w"][-1, 0] == str(HOLDOUT_ROWS - 1)


def test_where_no_category_is_known_there_is_no_request_of_all_of_them() -> None:
    assert "every known category" not in ask(X)
    assert "every known category" not in ask(X, categories={"x": (None, None, None)})


def test_an_unseen_category_of_each_column_is_asked_in_one_row_among_known_ones() -> None:
    requests = ask(X, WORDS, categories=KNOWN)
    unseen = {title: inputs for title, inputs in requests.items() if title.startswith("an unseen category in ")}
    assert list(unseen) == [f"an unseen category in {place}" for place in ("x[1]", "w[0]", "w[1]")]
    assert unseen["an unseen category in x[1]"]["x"][0, 1] == 6.0
    assert unseen["an unseen category in x[1]"]["x"][1, 1] in (4.0, 5.0)
    word = unseen["an unseen category in w[0]"]["w"]
    assert word.shape == (2, 2)
    assert word[0, 0] == UNSEEN
    assert word[1, 0] in ("red", "green", "blue")
    assert unseen["an unseen category in w[1]"]["w"][0, 1] == UNSEEN
    assert unseen["an unseen category in w[1]"]["w"][0, 0] in ("red", "green", "blue")
    assert unseen["an unseen category in w[0]"]["x"].tolist() == unseen["an unseen category in w[1]"]["x"].tolist()


def test_columns_of_text_get_a_word_that_nobody_knows_without_any_categories() -> None:
    requests = ask(WORDS)
    assert [title for title in requests if "unseen" in title] == ["an unseen category in w[0]", "an unseen category in w[1]"]
    integers = TensorSpec(name="n", dtype="int32", shape=("batch", 1))
    requests = ask(integers, categories={"n": (np.array([3, 8]),)})
    assert requests["an unseen category in n[0]"]["n"][:, 0].tolist()[0] == 9


@pytest.mark.parametrize("shape", [("batch",), ("batch", "words"), ("batch", 2, 2)])
def test_texts_without_columns_have_no_column_to_change(shape: tuple[int | str, ...]) -> None:
    assert not [title for title in ask(TensorSpec(name="w", dtype="string", shape=shape)) if "unseen" in title]


def test_at_most_64_columns_are_given_an_unseen_category() -> None:
    wide = TensorSpec(name="w", dtype="string", shape=("batch", 70))
    assert len([title for title in ask(wide) if "unseen" in title]) == 64


def test_each_column_of_text_is_asked_empty_too_since_that_is_what_missing_text_is() -> None:
    requests = ask(X, WORDS, categories=KNOWN)
    assert [title for title in requests if title.startswith("empty")] == ["empty text in w[0]", "empty text in w[1]"]
    assert requests["empty text in w[0]"]["w"][0, 0] == ""
    assert requests["empty text in w[0]"]["w"][1, 0] in {"red", "green", "blue"}
    assert requests["empty text in w[0]"]["x"].tolist() == requests["an unseen category in w[0]"]["x"].tolist()


# What is made up is like the holdout everywhere


def test_requests_with_other_sizes_hold_what_any_made_up_request_does() -> None:
    requests = ask(IMAGE)
    for title, sizes in (
        ("a size of 3 for width", {"width": 3}),
        ("another size for each free dimension", {"height": 5, "width": 7}),
    ):
        expected = make_inputs([IMAGE], rows=2, seed=1, sizes=sizes)["image"]
        assert requests[title]["image"].tolist() == expected.tolist()


def test_requests_with_other_sizes_lie_around_the_holdout() -> None:
    holdout = {"image": np.full((10, 8, 8), 9.0, dtype=np.float32)}
    for title, inputs in ask(IMAGE, holdout=holdout).items():
        if "size" in title:
            assert (inputs["image"] == 9.0).all()


def test_requests_with_categories_hold_the_holdouts_values_elsewhere() -> None:
    holdout = {"x": (RANDOM.random((5, 3)) * [1, 1, 50]).astype(np.float32), "w": np.array([["a", "b"]] * 5, dtype=object)}
    seven: Categories = {"w": (np.array(list("cdefghi"), dtype=object), None)}
    requests = ask(X, WORDS, holdout=holdout, categories=seven)
    every, unseen = requests["every known category"], requests["an unseen category in w[0]"]
    assert every["w"].tolist() == [[letter, "b"] for letter in "cdefghi"]
    assert every["x"].tolist() == requests["7 random rows"]["x"].tolist()
    assert unseen["w"][:, 1].tolist() == ["b", "b"]
    assert unseen["x"].tolist() == requests["2 random rows"]["x"].tolist()


def test_requests_from_a_holdout_and_of_categories_follow_from_the_seed() -> None:
    holdout = {"w": np.array([[str(number), "b"] for number in range(1000)], dtype=object)}
    many: Categories = {"w": (None, np.array([str(number) for number in range(1000)], dtype=object))}
    first, again = (ask(WORDS, holdout=holdout, categories=many) for _ in range(2))
    assert {title: inputs["w"].tolist() for title, inputs in first.items()} == {title: inputs["w"].tolist() for title, inputs in again.items()}


def test_the_first_category_and_the_first_row_are_drawn_like_any_other() -> None:
    rows = {"w": np.array([["a", "b"], ["c", "d"]], dtype=object)}
    ids = {"ids": np.array([[10, 20]])}
    drawn: dict[str, set[object]] = {"rows": set(), "values": set(), "categories": set()}
    for seed in range(10):
        drawn["rows"] |= set(ask(WORDS, holdout=rows, seed=seed)["7 random rows"]["w"][:, 0])
        drawn["values"] |= set(ask(IDS, holdout=ids, seed=seed)["a size of 17 for time"]["ids"].ravel().tolist())
        drawn["categories"] |= set(ask(X, WORDS, categories=KNOWN, seed=seed)["7 random rows, of known categories"]["w"][:, 0])
    assert drawn == {"rows": {"a", "c"}, "values": {10, 20}, "categories": {"red", "green", "blue"}}


def test_the_categories_of_every_input_have_an_unseen_one() -> None:
    other = TensorSpec(name="n", dtype="int32", shape=("batch", 1))
    requests = ask(X, other, categories={"x": (np.array([1.0]), None, None), "n": (np.array([3]),)})
    assert [title for title in requests if "unseen" in title] == ["an unseen category in x[0]", "an unseen category in n[0]"]


def test_empty_texts_are_held_like_all_texts() -> None:
    assert ask(WORDS)["zeros"]["w"].dtype == object


def test_a_holdout_of_half_precision_does_not_overflow() -> None:
    half = TensorSpec(name="h", dtype="float16", shape=("batch", 1))
    holdout = {"h": np.array([[60_000]] * 9 + [[np.nan]], dtype=np.float16)}
    assert ask(half, holdout=holdout)["2 random rows"]["h"].tolist() == [[60_000.0]] * 2
