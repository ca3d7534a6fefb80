"""Which requests a graph answers, found by asking it: sizes that only some values fit, a choice such as a sampling rate, a batch of one.

1. Whole requests that somebody gave are asked first: they say the sizes, and must be answered.
2. Then a request of two rows and of one, with the usual sizes, or those that are given; most models answer it, and nothing more is asked.
3. Then sizes from small to large, for all free dimensions alike and then apart; a free dimension of a state [layers, ?, width] as the batch.
4. Of what is answered, neighbours are asked, so that parity has several sizes; what nothing answers is told by `parity`.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import nearest
from sealift_packager.errors import DataError, PackagerError, first_line
from sealift_packager.model.accepted import Accepted, Array, Shape, resolve
from sealift_packager.model.batch import BATCH, fixed_batch
from sealift_packager.model.synthetic import FREE_SIZE, free_symbols, make_inputs

#: Multiples of 32 for images, powers of two for texts, frames and samples for sound.
SEARCHED: Final = (FREE_SIZE, 16, 32, 48, 64, 96, 128, 160, 224, 256, 320, 416, 512, 576, 640, 1024, 2048, 4096, 16000)
APART: Final = (1, 8, 32, 64, 128, 320, 512, 576)
RATES: Final = (16000.0, 8000.0, 1.0, 0.0)
MAX_REQUESTS: Final = 400
MAX_SECONDS: Final = 60.0
OPTION: Final = "--example"

Ask = Callable[[Mapping[str, Array]], object]
Sizes = dict[str, int]
Values = dict[str, float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is known of requests: sizes and values (`--shape`), whole ones (`--example`), the data's arrays, and numbers that are compared with."""

    shapes: tuple[Shape, ...] = ()
    requests: tuple[Mapping[str, Array], ...] = ()
    data: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    numbers: tuple[float, ...] = ()


def find_accepted(specs: tuple[TensorSpec, ...], ask: Ask, given: Given) -> tuple[tuple[TensorSpec, ...], Accepted]:
    """The inputs, a batch or state that can have only one size with that size, and the requests that the graph answers.

    Raises:
        SourceModelError: If a size or value is for no input of the model.
        DataError: If a request that somebody gave isn't one, or the graph doesn't answer it.
    """
    pinned, values = resolve(given.shapes, specs)
    rows = [sizes[0] for (_, axis), sizes in pinned.items() if axis == 0]
    if rows:
        specs = _with_batch(specs, rows[0])
    for request in given.requests:
        _check_request(specs, request, ask)
    search = _Search(specs, ask, given, {key: sizes for key, sizes in pinned.items() if key[1] > 0}, values)
    found = search.run()
    if found is None:
        renamed = _apart(specs)
        search = _Search(renamed, ask, given, search.pinned, values) if renamed != specs else search
        found = search.run() if renamed != specs else None
    if found is None:
        return specs, dataclasses.replace(search.known, tried=search.tried, examples=given.requests)
    return search.settled(found)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    rows: int
    sizes: Sizes
    values: Values


class _Search:
    def __init__(
        self,
        specs: tuple[TensorSpec, ...],
        ask: Ask,
        given: Given,
        pinned: dict[tuple[str, int], tuple[int, ...]],
        values: dict[str, tuple[float, ...]],
    ) -> None:
        self.specs, self._ask, self.pinned = specs, ask, pinned
        by_name = {spec.name: spec for spec in specs}
        self._sizes = _known_sizes(specs, given) | {
            symbol: sizes for (name, axis), sizes in pinned.items() if isinstance(symbol := by_name[name].shape[axis], str) and symbol != BATCH
        }
        requested = {name: value for spec in specs if _is_choice(spec) for name, value in _choices(spec, given.requests)}
        self._values = {**requested, **values}
        self._choices = [spec.name for spec in specs if _is_choice(spec) and spec.name not in self._values]
        self._numbers = given.numbers
        self._states = [size for spec in specs if _is_state(spec, specs) for size in spec.shape[1:] if isinstance(size, str) and size != BATCH]
        self.examples = given.requests
        self._asked, self._deadline, self._wide = 0, time.monotonic() + MAX_SECONDS, set[int]()

    @property
    def known(self) -> Accepted:
        return Accepted(sizes=self._sizes, values=self._values, examples=self.examples)

    def run(self) -> _Found | None:
        """The first request that is answered."""
        for values, sizes, rows in self._attempts():
            if self._asked >= MAX_REQUESTS or time.monotonic() > self._deadline:
                return None
            found = _Found(rows=rows, sizes=sizes, values=values)
            if self._answers(found):
                return found
        return None

    @property
    def tried(self) -> str:
        """What was asked, in words."""
        free = [symbol for symbol in free_symbols(self.specs) if symbol not in self._sizes]
        sizes = f"{', '.join(map(str, sorted(self._wide)))} for {', '.join(free)}" if free else ""
        values = f"{', '.join(f'{number:g}' for number in self._candidates())} for {', '.join(self._choices)}" if self._choices else ""
        return f"{self._asked} requests" + "".join(f"; {text}" for text in (sizes, values) if text)

    def _candidates(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys((*self._numbers, *RATES)))

    def _attempts(self) -> Iterator[tuple[Values, Sizes, int]]:
        batches = (fixed,) if (fixed := fixed_batch(self.specs)) else (2, 1)
        choices = [dict.fromkeys(self._choices, number) for number in self._candidates()] if self._choices else [{}]
        for sizes, rows in itertools.product(self._size_attempts(), batches):
            follows = {symbol: rows for symbol in self._states if symbol not in self._sizes}
            yield from ((values, sizes | follows, rows) for values in choices)

    def _size_attempts(self) -> Iterator[Sizes]:
        free = [symbol for symbol in free_symbols(self.specs) if symbol not in self._sizes and symbol not in self._states]
        if not free:
            yield {}
            return
        for size in SEARCHED:
            self._wide.add(size)
            yield dict.fromkeys(free, size)
        for sizes in itertools.product(APART, repeat=len(free)) if len(free) > 1 else ():
            self._wide.update(sizes)
            yield dict(zip(free, sizes, strict=True))

    def _answers(self, found: _Found) -> bool:
        accepted = dataclasses.replace(self.known, values={**self._values, **{name: (number,) for name, number in found.values.items()}})
        self._asked += 1
        try:
            self._ask(make_inputs(self.specs, rows=found.rows, seed=0, sizes=found.sizes, accepted=accepted))
        except PackagerError:
            return False
        return True

    def settled(self, found: _Found) -> tuple[tuple[TensorSpec, ...], Accepted]:
        """What follows from the first answer: a batch of one, states that follow the batch, further sizes and values."""
        specs, found = self.specs, self._for_most_values(found)
        usual = all(size == FREE_SIZE for symbol, size in found.sizes.items() if symbol not in self._states)
        more = found.rows + 1
        following = {symbol for symbol in self._states if symbol in found.sizes and not self._answers(self._other_size(found, symbol, more))}
        if found.rows == 1 and fixed_batch(specs) is None and any(spec.shape[:1] == (BATCH,) for spec in specs):
            specs = _renamed(specs, dict.fromkeys((BATCH, *following), 1))
        else:
            specs = _renamed(specs, dict.fromkeys(following, BATCH))
        searched = {symbol: size for symbol, size in found.sizes.items() if symbol not in following and not usual}
        sizes = {symbol: (size, *self._neighbours(found, symbol, size)) for symbol, size in searched.items()}
        values = {name: (number, *self._other_values(found, name, number)) for name, number in found.values.items()}
        return specs, Accepted(sizes={**self._sizes, **sizes}, values={**self._values, **values}, examples=self.examples)

    def _for_most_values(self, found: _Found) -> _Found:
        """The same request, or a multiple of its sizes that is answered for more of the numbers that the graph compares with."""
        multiples = [self._multiplied(found, times) for times in (1, 2, 3)] if found.values and self._numbers else [found]
        return max(multiples, key=self._values_answered) if len(multiples) > 1 else found

    def _values_answered(self, found: _Found) -> int:
        return sum(self._answers(dataclasses.replace(found, values=dict.fromkeys(found.values, number))) for number in self._numbers)

    def _multiplied(self, found: _Found, times: int) -> _Found:
        sizes = {symbol: size if symbol in self._states else size * times for symbol, size in found.sizes.items()}
        return dataclasses.replace(found, sizes=sizes)

    def _neighbours(self, found: _Found, symbol: str, size: int) -> tuple[int, ...]:
        return tuple(other for other in (size + 1, 2 * size, 3 * size) if self._answers(self._other_size(found, symbol, other)))

    def _other_values(self, found: _Found, name: str, number: float) -> tuple[float, ...]:
        others = [other for other in self._candidates() if other != number]
        return tuple(other for other in others if self._answers(dataclasses.replace(found, values={**found.values, name: other})))

    @staticmethod
    def _other_size(found: _Found, symbol: str, size: int) -> _Found:
        return dataclasses.replace(found, sizes={**found.sizes, symbol: size})


def _is_choice(spec: TensorSpec) -> bool:
    """Whether an input is one whole number for a request."""
    return spec.shape in ((), (1,)) and spec.numpy_dtype.kind in "iu"


def _is_state(spec: TensorSpec, specs: Sequence[TensorSpec]) -> bool:
    """Whether an input is [layers, batch, width]: its first dimension is fixed, others are free, and rows are first in another input."""
    free = any(isinstance(size, str) and size != BATCH for size in spec.shape[1:])
    return free and isinstance(spec.shape[0], int) and any(other.shape[:1] == (BATCH,) for other in specs)


def _choices(spec: TensorSpec, requests: Sequence[Mapping[str, Array]]) -> Iterator[tuple[str, tuple[float, ...]]]:
    values = tuple(dict.fromkeys(float(number) for request in requests if spec.name in request for number in np.ravel(request[spec.name])))
    if values:
        yield spec.name, values


def _known_sizes(specs: Sequence[TensorSpec], given: Given) -> dict[str, tuple[int, ...]]:
    """Sizes by symbol, as requests and the data's arrays of the inputs' names have them."""
    seen: dict[str, dict[int, None]] = {}
    for arrays in (*given.requests, *((given.data,) if not given.requests else ())):
        for spec in specs:
            value = arrays.get(spec.name)
            if value is None or value.ndim != len(spec.shape):
                continue
            for symbol, size in list(zip(spec.shape, value.shape, strict=True))[1:]:
                follows = _is_state(spec, specs) and size == _rows_of(specs, arrays)
                if isinstance(symbol, str) and symbol != BATCH and size and not follows:
                    seen.setdefault(symbol, {})[size] = None
    return {symbol: tuple(sizes) for symbol, sizes in seen.items()}


def _rows_of(specs: Sequence[TensorSpec], arrays: Mapping[str, Array]) -> int | None:
    return next((len(arrays[spec.name]) for spec in specs if spec.shape[:1] == (BATCH,) and spec.name in arrays and arrays[spec.name].ndim), None)


def _check_request(specs: Sequence[TensorSpec], request: Mapping[str, Array], ask: Ask) -> None:
    """Raise `DataError` for what isn't a request of this model, and for one that it doesn't answer."""
    names = [spec.name for spec in specs]
    wrong = [name for name in request if name not in names] + [name for name in names if name not in request]
    if wrong:
        found, advice = ", ".join(request) or "nothing", nearest(wrong[0], names) if wrong[0] in request else None
        raise DataError("the arrays are not those of the model's inputs", where=OPTION, expected=", ".join(names), found=found, advice=advice)
    try:
        ask(request)
    except PackagerError as error:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in request.items())
        advice = "Give a request as the model takes it."
        raise DataError(
            f"the model doesn't answer this request (caused by: {first_line(error):.300})", where=OPTION, found=shapes, advice=advice
        ) from error


def _with_batch(specs: tuple[TensorSpec, ...], rows: int) -> tuple[TensorSpec, ...]:
    return _renamed(specs, {BATCH: rows})


def _renamed(specs: tuple[TensorSpec, ...], names: Mapping[str, int | str]) -> tuple[TensorSpec, ...]:
    def shape(spec: TensorSpec) -> tuple[int | str, ...]:
        return tuple(names.get(size, size) if isinstance(size, str) else size for size in spec.shape)

    return tuple(dataclasses.replace(spec, shape=shape(spec)) for spec in specs)


def _apart(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """A symbol that stands at several axes, each with a name of its own: exporters use one for different things."""
    places = [size for spec in specs for at, size in enumerate(spec.shape) if isinstance(size, str) and (at or size != BATCH)]
    shared = {size for size in places if places.count(size) > 1 or size == BATCH}

    def shape(spec: TensorSpec) -> tuple[int | str, ...]:
        return tuple(f"{spec.name}_{at}" if at and size in shared else size for at, size in enumerate(spec.shape))

    return tuple(dataclasses.replace(spec, shape=shape(spec)) for spec in specs)
