"""What an unknown model is doing, and until when it may: noted where another process sees it, for nothing within this one can stop a model.

A model can loop without end, break the library that reads or runs it, or take all memory. Where a build runs in a process of its own
(`sealift_packager.sandbox`), that process notes each activity here before it begins; whoever started it ends it at the deadline, and knows from
the note what to say, whether it was ended or broke. Without a `Monitor`, as in a Python program of one's own, nothing is noted and nothing bounded.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: A request of many rows may take so many times what its rows would at the quickest pace that was seen, and the limit besides.
SLACK: Final = 10.0
#: What converts, quantizes or measures runs the model many times: it may take so many times the limit.
SEVERAL: Final = 10.0
#: What reading a large file adds to the limit: a slow disk's pace, as the file is read several times.
BYTES_PER_S: Final = 16 * 2**20
OPTION: Final = "--model-timeout"
_LOOP: Final = f"The model may contain an endless loop. {OPTION} raises the limit."
DAMAGED: Final = "The file may be cut off or damaged: save the model again."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something that may not end, or may end the process.

    ``late`` says that it took more than {limit}, ``broken`` that the process ended {how}; both may name the {rows} of a request.
    """

    late: str
    broken: str
    expected: str = ""
    advice: str = ""


ANSWERING: Final = Activity(
    late="the model did not answer {rows} within {limit}", broken="the process crashes when the model answers {rows} ({how})", advice=_LOOP
)
OPENING: Final = Activity(late="onnxruntime did not open the graph within {limit}", broken="onnxruntime crashes when it opens the graph ({how})")
CONVERTING: Final = Activity(
    late="the model could not be converted within {limit}", broken="the process crashes when the model is converted ({how})", advice=_LOOP
)
QUANTIZING: Final = Activity(
    late="the model could not be quantized within {limit}", broken="the process crashes when the model is quantized ({how})", advice=_LOOP
)
MEASURING: Final = Activity(
    late="the model could not be measured within {limit}", broken="the process crashes when the model is measured ({how})", advice=_LOOP
)


def reading(library: str, *, expected: str = "a complete file", advice: str = DAMAGED) -> Activity:
    """What a library does with a file of its format."""
    return Activity(
        late=f"{library} could not read the file within {{limit}}",
        broken=f"{library} crashes when it reads the file ({{how}})",
        expected=expected,
        advice=advice,
    )


class Board(Protocol):
    """Where the activity is seen from outside; ``deadline`` is of `time.monotonic`, infinite where nothing is going on."""

    def show(self, activity: Activity, rows: int, limit_s: float, deadline: float) -> None:
        """Note it, instead of what was there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What is on the board."""

    activity: Activity
    rows: int
    limit_s: float
    deadline: float


NOTHING: Final = Note(Activity(late="", broken=""), 0, 0.0, math.inf)


class Monitor:
    """Notes on a board what goes on; one activity may take ``limit_s``, and longer where it has many rows."""

    def __init__(self, board: Board, limit_s: float) -> None:
        self._board = board
        self._limit_s = limit_s
        self._row_s = 0.0
        self._shown = NOTHING

    @contextlib.contextmanager
    def during(self, activity: Activity, *, rows: int = 0, times: float = 1.0, more_s: float = 0.0) -> Any:
        """Note an activity while the block runs: for ``times`` the limit, ``more_s`` longer; never beyond the end of what it is part of."""
        before, start = self._shown, time.monotonic()
        limit_s = times * self._limit_s + more_s + SLACK * rows * self._row_s
        earlier = start + limit_s < before.deadline
        self._show(Note(activity, rows, limit_s if earlier else before.limit_s, start + limit_s if earlier else before.deadline))
        try:
            yield
            if rows:
                pace = (time.monotonic() - start) / rows
                self._row_s = min(self._row_s, pace) if self._row_s else pace
        finally:
            self._show(before)

    @contextlib.contextmanager
    def pausing(self) -> Any:
        """Note nothing while the block runs, and give what was noted before so much longer."""
        before, start = self._shown, time.monotonic()
        self._show(NOTHING)
        try:
            yield
        finally:
            self._show(dataclasses.replace(before, deadline=before.deadline + time.monotonic() - start))

    def _show(self, note: Note) -> None:
        self._shown = note
        self._board.show(note.activity, note.rows, note.limit_s, note.deadline)


_MONITOR: contextvars.ContextVar[Monitor | None] = contextvars.ContextVar("_MONITOR", default=None)
_UNNOTED: Final = contextlib.nullcontext()


def monitored() -> bool:
    """Whether somebody outside this process sees what it does, and ends it in time."""
    return _MONITOR.get() is not None


@contextlib.contextmanager
def monitoring(monitor: Monitor | None) -> Any:
    """Note what goes on in the block with ``monitor``, or not at all."""
    token = _MONITOR.set(monitor)
    try:
        yield
    finally:
        _MONITOR.reset(token)


def during(activity: Activity, *, rows: int = 0, times: float = 1.0, more_s: float = 0.0) -> AbstractContextManager[Any]:
    """Note an activity while the block runs, if anybody looks."""
    monitor = _MONITOR.get()
    return _UNNOTED if monitor is None else monitor.during(activity, rows=rows, times=times, more_s=more_s)


def pausing() -> AbstractContextManager[Any]:
    """Note nothing while the block runs, in which another process works."""
    monitor = _MONITOR.get()
    return _UNNOTED if monitor is None else monitor.pausing()


@contextlib.contextmanager
def during_all(activity: Activity, *, times: float = SEVERAL, more_s: float = 0.0) -> Any:
    """Note one activity for a whole block, and nothing of what happens in it: where single runs are timed, noting them would be timed too."""
    with during(activity, times=times, more_s=more_s), monitoring(None):
        yield


def several(activity: Activity) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorates a function that runs the model many times."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def noted(*args: P.args, **kwargs: P.kwargs) -> T:
            with during(activity, times=SEVERAL):
                return function(*args, **kwargs)

        return noted

    return decorate


def noting_answers(predict: Callable[[Mapping[str, Any]], T]) -> Callable[[Mapping[str, Any]], T]:
    """The same function of a request, each call of which is noted."""

    def answer(inputs: Mapping[str, Any]) -> T:
        with during(ANSWERING, rows=rows_of(inputs)):
            return predict(inputs)

    return answer


def rows_of(inputs: Mapping[str, Any]) -> int:
    """How many rows a request has: the first dimension of its largest input."""
    return max((value.shape[0] for value in inputs.values() if getattr(value, "ndim", 0)), default=1)
