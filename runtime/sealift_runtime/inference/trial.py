"""A new version beside the one before it: both are asked the same, so that what differs is the version's doing, not the traffic's or the machine's.

1. A request that the new version failed, or answered with numbers that aren't finite, is asked again of the new version, then of the previous
   one. It counts as the new version's own only if it happens again and the previous version answers. Memory that ran out is nobody's fault.
2. Of the other requests some are asked of both, in turns, first of the one and then of the other: the time that each takes, and the memory that
   the process has more of afterwards.

All of that happens on one thread, for a small share of its time, while clients get the new version's answers.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from sealift_core.bundle.golden import Array
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import EngineError
from sealift_core.process.memory import resident_bytes
from sealift_runtime.engine.run_limit import RunLimit
from sealift_runtime.engine.translate import is_out_of_memory
from sealift_runtime.inference.limits import LIMITS
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.trial_counts import TrialCounts

#: Pairs above the first ones say nothing new.
MAX_PAIRS: Final = 300
MAX_ASKED: Final = 1_000
#: Of requests that wait to be asked again.
_MAX_WAITING: Final = 64
_MAX_BYTES: Final = 8 * 2**20
#: Outputs of more values aren't searched for what isn't finite: that would take a request's time.
_MAX_SEARCHED: Final = 2**16
#: How many times as long as it worked the thread rests, so that it takes at most a tenth of a core, and the least of it.
_REST: Final = 9
_LEAST_REST_S: Final = 0.02
_QUICK_NS: Final = 5_000_000

Arrays = Mapping[str, Array]


@dataclasses.dataclass(frozen=True, slots=True)
class _Suspect:
    """A request to be asked again; ``failed``, or else its answer wasn't finite."""

    inputs: Arrays
    failed: bool


class Trial:
    """Compares the version that serves with the previous one until `stop`; safe to use from several threads."""

    def __init__(self, model: ServedModel, previous: ServedModel) -> None:
        """Start comparing.

        Args:
            model: The version that serves.
            previous: The one before it, with the same inputs (see `are_comparable`).
        """
        self._model = model
        self._previous = previous
        self._wakes = threading.Condition()
        self._suspects: collections.deque[_Suspect] = collections.deque()
        self._sample: Arrays | None = None
        self._stopped = False
        self._wants_samples = True
        self._counts = collections.Counter[str]()
        self._ratios: list[float] = []
        self._growths: list[int] = []
        # A thread's own time doesn't grow when other processes are busy; it is all of a session's time where that has no other threads.
        self._clock = time.thread_time_ns if _has_one_thread(model) and _has_one_thread(previous) else time.perf_counter_ns
        self._thread = threading.Thread(target=self._work, name=f"trial-{model.name}", daemon=True)
        self._thread.start()

    def offer(self, inputs: Arrays, outputs: Arrays | None) -> None:
        """Take note of a request; on the request path, so it copies at most one now and then.

        Args:
            inputs: The request's arrays.
            outputs: The new version's answer; None if it failed.
        """
        if outputs is None:
            self._suspect(inputs, failed=True)
        elif not _is_finite(outputs):
            self._suspect(inputs, failed=False)
        elif self._wants_samples and _size(inputs) <= _MAX_BYTES:
            with self._wakes:
                self._sample, self._wants_samples = _copies(inputs), False
                self._wakes.notify()

    def _suspect(self, inputs: Arrays, *, failed: bool) -> None:
        with self._wakes:
            self._counts["failures" if failed else "nonfinite"] += 1
            if len(self._suspects) < _MAX_WAITING and self._counts["asked"] < MAX_ASKED and _size(inputs) <= _MAX_BYTES:
                self._suspects.append(_Suspect(_copies(inputs), failed))
                self._wakes.notify()

    def counts(self) -> TrialCounts:
        """What was found out so far."""
        with self._wakes:
            counts = {name: count for name, count in self._counts.items() if name != "asked"}
            return TrialCounts(previous=self._previous.version, ratios=tuple(self._ratios), growths=tuple(self._growths), **counts)

    def stop(self) -> None:
        """Compare no more, and let the previous version go."""
        with self._wakes:
            self._stopped = True
            self._wakes.notify()

    def _work(self) -> None:
        while (request := self._take()) is not None:
            began = time.monotonic()
            if isinstance(request, _Suspect):
                self._ask_again(request)
            else:
                self._compare(request)
            del request
            self._rest(time.monotonic() - began)

    def _take(self) -> _Suspect | Arrays | None:
        with self._wakes:
            while not (self._stopped or self._suspects or self._sample is not None):
                self._wakes.wait()
            if self._stopped:
                return None
            if self._suspects:
                return self._suspects.popleft()
            sample, self._sample = self._sample, None
            return sample

    def _rest(self, worked_s: float) -> None:
        with self._wakes:
            self._wakes.wait_for(lambda: self._stopped, max(worked_s * _REST, _LEAST_REST_S))
            self._wants_samples = len(self._ratios) < MAX_PAIRS

    def _ask_again(self, suspect: _Suspect) -> None:
        """1: of the new version, then of the previous one."""
        kind = "failures" if suspect.failed else "nonfinite"
        own = not _answers(self._model, suspect, forgiving=True) and _answers(self._previous, suspect)
        with self._wakes:
            self._counts.update({"asked": 1, f"{kind}_asked": 1, f"{kind}_own": int(own)})

    def _compare(self, inputs: Arrays) -> None:
        """2: in turns, twice each where that is quick."""
        new, old = _Taken(self._model), _Taken(self._previous)
        first, second = (new, old) if len(self._ratios) % 2 else (old, new)
        try:
            for taken in (first, second, second, first):
                if taken.best_ns is None or taken.best_ns < _QUICK_NS:
                    taken.run(inputs, self._clock)
        except EngineError:  # one of them doesn't answer this: if it is the new one, a client's request tells
            return
        if new.best_ns and old.best_ns:
            with self._wakes:
                self._ratios.append(new.best_ns / old.best_ns)
                self._growths.append(new.growth_bytes // new.runs - old.growth_bytes // old.runs)


class _Taken:
    """What a version took for a request: the least time, and by how much the process grew."""

    def __init__(self, model: ServedModel) -> None:
        self._session = model.session
        self.best_ns: int | None = None
        self.growth_bytes = self.runs = 0

    def run(self, inputs: Arrays, clock: Callable[[], int]) -> None:
        before, began = resident_bytes(), clock()
        self._session.run(inputs, None, RunLimit(LIMITS.execution_s))
        took_ns = clock() - began
        self.growth_bytes += resident_bytes() - before
        self.runs += 1
        self.best_ns = took_ns if self.best_ns is None else min(self.best_ns, took_ns)


def are_comparable(model: ServedModel, previous: ServedModel) -> bool:
    """Whether two versions take the same requests."""
    new, old = model.signature.inputs, previous.signature.inputs
    return new.keys() == old.keys() and all(spec.dtype == old[name].dtype and _sizes(spec) == _sizes(old[name]) for name, spec in new.items())


def _sizes(spec: TensorSpec) -> list[int | None]:
    """An input's shape without the names of its free dimensions."""
    return [size if isinstance(size, int) else None for size in spec.shape]


def _has_one_thread(model: ServedModel) -> bool:
    settings = model.session.manifest.session
    return settings.intra_op_threads == 1 and settings.inter_op_threads == 1


def _answers(model: ServedModel, suspect: _Suspect, *, forgiving: bool = False) -> bool:
    """Whether a version answers, with finite numbers if that is the question; ``forgiving``, memory that ran out counts as an answer."""
    try:
        outputs = model.session.run(suspect.inputs, None, RunLimit(LIMITS.execution_s))
    except EngineError as error:
        return forgiving and is_out_of_memory(error)
    return suspect.failed or _is_finite(outputs)


def _is_finite(outputs: Arrays) -> bool:
    return all(value.size > _MAX_SEARCHED or bool(np.isfinite(value).all()) for value in outputs.values() if value.dtype.kind == "f")


def _size(inputs: Arrays) -> int:
    return sum(value.nbytes for value in inputs.values())


def _copies(inputs: Arrays) -> Arrays:
    """A request's arrays may be views of its body, or a program's own, which change."""
    return {name: value.copy() for name, value in inputs.items()}
