"""Requests that break conversions: one row and many, free dimensions short and long, random values, extremes, what is missing. Pure."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.data.left_out import missing_rows
from sealift_packager.model.accepted import ANYTHING, Accepted
from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.drawn_rows import drawn_rows, rows_of
from sealift_packager.model.moments import mean_and_spread
from sealift_packager.model.source import Array, Arrays, Nullable
from sealift_packager.model.synthetic import NO_SIZES, free_symbols, make_inputs

BATCHES: Final = (1, 2, 7)
#: Sizes that are tried for each free dimension but the batch: one, one that examples rarely have, and a prime.
SIZES: Final = (1, 3, 17)
HOLDOUT_ROWS: Final = 4096
#: So many requests of the holdout's rows are made for a batch that is fixed.
FIXED_REQUESTS: Final = 8
#: At most this many columns are tried with an unseen category, each in a request of its own.
UNSEEN_COLUMNS: Final = 64
UNSEEN: Final = "unseen category"
#: At most this many columns are tried without a value, each in a request of its own; others in one request, in a row of their own each.
MISSING_COLUMNS: Final = 64

Categories = Mapping[str, tuple[Array | None, ...]]
NO_CATEGORIES: Final[Categories] = MappingProxyType({})
NO_ARRAYS: Final[Arrays] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HardRequest:
    """A request, and the name that errors and reports give it.

    ``rows`` are the places of the holdout's rows that it is made of and ``numbers`` what the data call them, None of a synthetic one; ``is_example``
    says that somebody gave it.
    """

    title: str
    inputs: dict[str, Array]
    rows: Array | None = None
    numbers: Array | None = None
    is_example: bool = False

    @property
    def is_real(self) -> bool:
        """Whether its values are the user's own."""
        return self.rows is not None or self.is_example


def hard_inputs(
    specs: Sequence[TensorSpec],
    holdout: Arrays | None,
    *,
    seed: int,
    takes_nan: bool,
    categories: Categories = NO_CATEGORIES,
    accepted: Accepted = ANYTHING,
    usual: Arrays = NO_ARRAYS,
    nullable: Nullable | None = None,
    numbers: Sequence[int] = (),
) -> Iterator[HardRequest]:
    """Requests; text and integers, which may be categories and indices, come from the holdout where there is one, or are known categories.

    ``usual`` are values [rows, …] like those that the model was fitted on, by input, for where there is no holdout. Of a model that takes NaN,
    ``nullable`` says in which columns; in any if it is None. ``numbers`` are what the holdout's rows are called in the data; empty where they count
    from 0.
    """
    yield from (HardRequest(title=f"example {at}", inputs=dict(example), is_example=True) for at, example in enumerate(accepted.examples, 1))
    if holdout is not None:
        yield from _holdout_requests(specs, holdout, seed, np.array(numbers or range(len(next(iter(holdout.values()))))))
    for title, inputs in _synthetic_inputs(specs, holdout, categories, accepted, seed=seed, takes_nan=takes_nan):
        yield HardRequest(title=title, inputs=inputs)
    if takes_nan:
        base = _rows_without_gaps(specs, holdout, categories, accepted, nullable, seed)
        places = _nullable_places(specs, accepted, nullable)
        for title, inputs in _missing_inputs(base, places if fixed_batch(specs) is None else places[:MISSING_COLUMNS]):
            yield HardRequest(title=title, inputs=inputs)
    if usual and holdout is None:
        drawn = _random(specs, None, len(next(iter(usual.values()))), seed=seed)
        rounded = {name: value.astype(drawn[name].dtype) for name, value in usual.items()}
        inputs = {**_with_known_categories(drawn, categories, seed), **rounded}
        yield HardRequest(title="rows like those that it was fitted on", inputs=inputs)


def _holdout_requests(specs: Sequence[TensorSpec], holdout: Arrays, seed: int, numbers: Array) -> Iterator[HardRequest]:
    total, batch = len(numbers), fixed_batch(specs)
    if batch is None:
        rows = drawn_rows(total, HOLDOUT_ROWS, seed)
        titled = [("the holdout", rows), ("one row of the holdout", rows[:1])]
    else:
        rows = drawn_rows(total, FIXED_REQUESTS * batch, seed)
        batches = np.resize(rows, (-(-len(rows) // batch), batch))  # rows come again where a batch isn't full
        titled = [(f"the holdout from row {numbers[places[0]]}", places) for places in batches]
    for title, places in titled:
        yield HardRequest(title=title, inputs=rows_of(holdout, places), rows=places, numbers=numbers[places])


def _synthetic_inputs(
    specs: Sequence[TensorSpec], holdout: Arrays | None, categories: Categories, accepted: Accepted, *, seed: int, takes_nan: bool
) -> Iterator[tuple[str, dict[str, Array]]]:
    for title, inputs in _plain_inputs(specs, holdout, accepted, seed=seed, takes_nan=takes_nan):
        yield title, inputs
        if categories:
            yield f"{title}, of known categories", _with_known_categories(inputs, categories, seed)
    yield from _category_inputs(specs, holdout, categories, seed)


def _plain_inputs(
    specs: Sequence[TensorSpec], holdout: Arrays | None, accepted: Accepted, *, seed: int, takes_nan: bool
) -> Iterator[tuple[str, dict[str, Array]]]:
    draw = functools.partial(_random, specs, holdout, seed=seed, accepted=accepted)
    for rows in BATCHES if fixed_batch(specs) is None else (1,):
        yield f"{rows} random rows", draw(rows)
    symbols = free_symbols(specs)
    for symbol in symbols:
        for size in accepted.sizes.get(symbol, SIZES):
            yield f"a size of {size} for {symbol}", draw(2, sizes={symbol: size})
    if len(symbols) > 1:
        yield "another size for each free dimension", draw(2, sizes=_distinct(symbols, accepted))
    for name, numbers in accepted.values.items():
        for number in numbers[1:]:
            other = dataclasses.replace(accepted, values={**accepted.values, name: (number,)})
            yield f"{name} of {number:g}", _random(specs, holdout, 2, seed=seed, accepted=other)
    yield "zeros", _filled(specs, 0, accepted)
    yield "values ten times as large as usual", draw(2, scale=10.0)
    if takes_nan:
        yield "missing values", _filled(specs, np.nan, accepted)


def _with_known_categories(inputs: dict[str, Array], categories: Categories, seed: int) -> dict[str, Array]:
    """The same request, with values that their encoders know in the columns that have one."""
    generator = np.random.default_rng(seed)
    request = dict(inputs)
    for name, columns in categories.items():
        request[name] = request[name].copy()
        for at, values in enumerate(columns):
            if values is not None:
                request[name][:, at] = values[generator.integers(0, len(values), len(request[name]))]
    return request


def _nullable_places(specs: Sequence[TensorSpec], accepted: Accepted, nullable: Nullable | None) -> list[tuple[str, int]]:
    """Input and column of the numbers that may be missing, of tables."""
    tables = [spec for spec in specs if spec.numpy_dtype.kind == "f" and len(spec.shape) == 2 and spec.name not in accepted.values]
    widths = {spec.name: range(spec.shape[1]) for spec in tables if isinstance(spec.shape[1], int)}
    return [(name, at) for name, columns in widths.items() for at in (columns if nullable is None else nullable.columns.get(name, ()))]


def _rows_without_gaps(
    specs: Sequence[TensorSpec], holdout: Arrays | None, categories: Categories, accepted: Accepted, nullable: Nullable | None, seed: int
) -> dict[str, Array]:
    """Two rows that the source is likeliest to answer: the user's own, or those that it has answered, else random ones of known categories."""
    drawn = _with_known_categories(_random(specs, holdout, 2, seed=seed, accepted=accepted), categories, seed)
    for known in (holdout or NO_ARRAYS, nullable.rows if nullable else NO_ARRAYS):
        complete = np.flatnonzero(~missing_rows(known))
        if len(complete):
            rows = rows_of(known, np.resize(complete, fixed_batch(specs) or 2))
            return {name: _as_drawn(rows.get(name), value) for name, value in drawn.items()}
    return drawn


def _as_drawn(rows: Array | None, drawn: Array) -> Array:
    """The rows, in the type of what was drawn; what was drawn where there are none, or they have other sizes."""
    return drawn if rows is None or rows.shape != drawn.shape else rows.astype(drawn.dtype)


def _missing_inputs(base: dict[str, Array], places: Sequence[tuple[str, int]]) -> Iterator[tuple[str, dict[str, Array]]]:
    """Each column without its value, beside usual values in the others: a model may refuse a gap in one column and take it in another.

    Past `MISSING_COLUMNS` they come together, for which the batch has to be free.
    """
    for name, at in places[:MISSING_COLUMNS]:
        changed = base[name].copy()
        changed[:, at] = np.nan
        yield f"missing values in {name}[{at}]", base | {name: changed}
    others = places[MISSING_COLUMNS:]
    if others:
        rows = np.arange(len(others))
        many = {name: value[rows % len(value)] for name, value in base.items()}
        for row, (name, at) in enumerate(others):
            many[name][row, at] = np.nan
        yield "missing values in each of the other columns", many


def _category_inputs(
    specs: Sequence[TensorSpec], holdout: Arrays | None, categories: Categories, seed: int
) -> Iterator[tuple[str, dict[str, Array]]]:
    """Every category that is known, and of each column one that isn't, among others that are: the source says whether it takes that."""
    most = min(max((len(values) for columns in categories.values() for values in columns if values is not None), default=0), HOLDOUT_ROWS)
    if most:
        every = _random(specs, holdout, most, seed=seed)
        for name, columns in categories.items():
            for at, values in enumerate(columns):
                if values is not None:
                    every[name][:, at] = np.resize(values, len(every[name]))
        yield "every known category", every
    base = _with_known_categories(_random(specs, holdout, 2, seed=seed), categories, seed)
    for name, at, value in _unseen(specs, categories)[:UNSEEN_COLUMNS]:
        for title, other in {"an unseen category": value, **({"empty text": ""} if value is UNSEEN else {})}.items():
            changed = base[name].copy()
            changed[:1, at] = other
            yield f"{title} in {name}[{at}]", base | {name: changed}


def _unseen(specs: Sequence[TensorSpec], categories: Categories) -> list[tuple[str, int, object]]:
    """Input, column, and a value that its encoder hasn't seen: of columns of text, in which empty text may be another, and of known categories."""
    unseen: list[tuple[str, int, object]] = []
    for spec in specs:
        columns = categories.get(spec.name, ())
        if spec.dtype == "string" and len(spec.shape) == 2 and isinstance(spec.shape[1], int):
            unseen += [(spec.name, at, UNSEEN) for at in range(spec.shape[1])]
        elif spec.numpy_dtype.kind in "iuf":
            unseen += [(spec.name, at, values.max() + 1) for at, values in enumerate(columns) if values is not None]
    return unseen


def _filled(specs: Sequence[TensorSpec], value: float, accepted: Accepted) -> dict[str, Array]:
    """Two rows of one value, of 0 where it is none of the type; inputs that take only some values have the usual one."""
    usual = make_inputs(specs, rows=2, seed=0, accepted=accepted)
    return {spec.name: usual[spec.name] if spec.name in accepted.values else _full(spec, value, usual[spec.name].shape) for spec in specs}


def _full(spec: TensorSpec, value: float, shape: tuple[int, ...]) -> Array:
    if spec.dtype == "string":
        return np.full(shape, "", dtype=object)
    return np.full(shape, value if spec.numpy_dtype.kind == "f" else 0, dtype=spec.numpy_dtype)


def _distinct(symbols: Sequence[str], accepted: Accepted) -> dict[str, int]:
    return {symbol: accepted.size_of(symbol, 5 + 2 * at, number=at) for at, symbol in enumerate(symbols)}


def _random(
    specs: Sequence[TensorSpec],
    holdout: Arrays | None,
    rows: int,
    *,
    seed: int,
    scale: float = 1.0,
    sizes: Mapping[str, int] = NO_SIZES,
    accepted: Accepted = ANYTHING,
) -> dict[str, Array]:
    inputs = make_inputs(specs, rows=rows, seed=seed, scale=scale, sizes=sizes, accepted=accepted)
    if holdout is None:
        return inputs
    generator = np.random.default_rng(seed)
    return {spec.name: _resembling(holdout[spec.name], inputs[spec.name], generator) for spec in specs}


def _resembling(examples: Array, drawn: Array, generator: np.random.Generator) -> Array:
    """Random values like the examples: floats around their mean; of other types whole rows, or single values where rows have another size."""
    same_size = examples.shape[1:] == drawn.shape[1:]
    if drawn.dtype.kind == "f":
        axis = 0 if same_size else None
        center, spread = mean_and_spread(examples, axis)
        return np.asarray((center + spread * drawn).astype(drawn.dtype))
    if same_size:
        return np.asarray(examples[generator.integers(0, len(examples), len(drawn))])
    return np.asarray(examples.ravel()[generator.integers(0, examples.size, drawn.shape)]) if examples.size else drawn
