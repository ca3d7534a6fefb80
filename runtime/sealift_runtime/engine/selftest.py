"""A candidate bundle's golden cases, run in a process of their own before the bundle may serve.

A model that crashes, hangs, eats the memory, answers wrongly or crawls does so there, and is told by name (`Failure`); how often it may, the
update's table says. What ended the process from outside, such as the kernel for want of memory, is no failure of the model. The process is confined
(`sealift_core.process`): it reads the bundle, and can neither write nor reach anything. This is the first time that anything on a device
loads the bundle.
"""

from __future__ import annotations

import dataclasses
import enum
import signal
from pathlib import Path
from typing import Final

from sealift_core.errors import DocumentError, LimitError, MemoryShortageError, SandboxError, SelfTestError
from sealift_core.process.child import MAX_RESULT_BYTES, ChildOutcome
from sealift_core.process.confined import FAULT, FAULT_ADVICE, processor_seconds, run_confined
from sealift_core.process.sandbox import Confinement, Walls
from sealift_core.schema.documents import Document
from sealift_runtime.engine.devices import devices_of

#: What the process runs.
MODULE: Final = "sealift_runtime.engine.selftest_process"
#: Exit statuses of the child process beside 0.
OUT_OF_MEMORY_STATUS: Final = 71
#: Signals that whoever stops a service or a session sends: the agent's own end, or an operator's.
_FROM_OUTSIDE: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
#: What `std::terminate` prints when a native allocation fails outside of any handler.
_NO_MEMORY_WORDS: Final = ("bad_alloc", "MemoryError", "Cannot allocate memory")


class Failure(enum.StrEnum):
    """A way to fail the self-test; errors begin with it."""

    DOCUMENT = "does not load, because a file of the bundle can't be used"
    LOADING = "does not load"
    RUNNING = "does not run"
    OUTPUTS = "wrong outputs"
    CRASH = "crashed"
    TIME = "hung"
    MEMORY = "out of memory"
    SPEED = "too slow"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    """A passed self-test.

    ``latency_ms`` is the median of the smallest golden case at batch 1, ``reference_latency_ms`` what the packager
    measured (None if it didn't); ``worst_excess`` the largest error as a fraction of the tolerance, 0 if all values are
    the golden ones; ``peak_memory_bytes`` the resident memory of the whole process; ``walls`` what confined it.
    """

    cases: int
    worst_excess: float
    load_time_ms: float
    latency_ms: float
    reference_latency_ms: float | None
    peak_memory_bytes: int
    walls: Walls | None = None

    @classmethod
    def parse(cls, document: Document) -> SelfTestResult:
        """Read what the child wrote."""
        return cls(
            cases=document.integer("cases", minimum=1),
            worst_excess=document.number("worst_excess", minimum=0),
            load_time_ms=document.number("load_time_ms", minimum=0),
            latency_ms=document.number("latency_ms", minimum=0),
            reference_latency_ms=document.number("reference_latency_ms", minimum=0) if document.has("reference_latency_ms") else None,
            peak_memory_bytes=document.integer("peak_memory_bytes", minimum=0),
        )


def run_self_test(
    directory: Path, *, memory_bytes: int | None, timeout_s: float, slowdown_limit: float | None, sandbox: bool = True
) -> SelfTestResult:
    """Load a bundle in a confined process, compare its golden cases, measure it.

    ``memory_bytes`` bounds what the model may allocate on top of the interpreter and onnxruntime; ``timeout_s`` the
    whole test in wall time; ``slowdown_limit`` the latency as a multiple of the packager's, where it measured one. Without ``sandbox``
    the process has limits, but no walls.
    Raises `SelfTestError` with its `Failure`; `SandboxError` if the process could not be started or confined, broke down by itself, or was ended
    from outside, and `MemoryShortageError` if the kernel ended it for want of memory: not the bundle's fault.
    """
    confined = run_confined(MODULE, [str(directory.absolute())], confinement_of(directory, memory_bytes, timeout_s, sandbox), timeout_s=timeout_s)
    result = judge(confined.outcome, directory, timeout_s=timeout_s, memory_bytes=memory_bytes)
    check_speed(result, directory, slowdown_limit)
    return dataclasses.replace(result, walls=confined.walls)


def confinement_of(directory: Path, memory_bytes: int | None, timeout_s: float, sandbox: bool) -> Confinement:
    """What a bundle's self-test may do: read the bundle and use its providers' devices, within limits."""
    files, devices = devices_of(directory)
    return Confinement(
        readable=(directory.absolute(), *files),
        devices=devices,
        memory_bytes=memory_bytes,
        cpu_s=processor_seconds(timeout_s),
        walls=sandbox,
    )


def judge(outcome: ChildOutcome, directory: Path, *, timeout_s: float, memory_bytes: int | None) -> SelfTestResult:
    """What a child's end means.

    1. Killed for taking too long, by us or by the limit of its processor time: hung.
    2. Killed as the kernel does when memory is short, or as a service manager or a person ends a process: `MemoryShortageError` or
       `SandboxError`, since it says nothing of the bundle.
    3. Ended with the status for it, or aborted saying so: out of memory.
    4. Killed by another signal, or ended without a result: crashed.
    5. A result that names a fault of this installation: `SandboxError`, for the same reason.
    6. A result that names a failure: that failure.
    7. Else: passed.
    """
    where = str(directory)
    if outcome.timed_out or outcome.status == -signal.SIGXCPU:  # 1
        raise _failed(Failure.TIME, where, expected=f"an answer within {timeout_s:g} s", found=_last_words(outcome.output))
    _refuse_ends_from_outside(outcome, where)  # 2
    if _ran_out_of_memory(outcome):  # 3
        bound = f"at most {memory_bytes} bytes" if memory_bytes else "to fit into this machine's memory"
        raise _failed(Failure.MEMORY, where, expected=bound, advice="Use a smaller variant of the model, or a larger device.")
    if outcome.status != 0:  # 4
        raise _failed(Failure.CRASH, where, outcome.ending(), found=_last_words(outcome.output))
    document = _read_result(outcome, where)
    if document.has(FAULT):  # 5
        raise SandboxError("the self-test itself failed, not the model", where=where, found=document.text(FAULT), advice=FAULT_ADVICE)
    if document.has("failure"):  # 6
        raise _failed(Failure(document.text("failure", one_of=tuple(Failure))), where, found=document.text("detail"))
    return SelfTestResult.parse(document)  # 7


def _failed(failure: Failure, where: str, how: str = "", **words: str | None) -> SelfTestError:
    return SelfTestError(f"{failure}: {how}" if how else str(failure), failure=failure, where=where, **words)


def _refuse_ends_from_outside(outcome: ChildOutcome, where: str) -> None:
    if outcome.status == -signal.SIGKILL:
        advice = "The kernel ends processes when memory is short: free memory on this machine."
        raise MemoryShortageError("the self-test ran out of memory: it was killed", where=where, found=outcome.ending(), advice=advice)
    if -outcome.status in _FROM_OUTSIDE:
        advice = "Whoever stops a service or closes a session sends such a signal. The self-test is run again."
        raise SandboxError("the self-test was ended from outside", where=where, found=outcome.ending(), advice=advice)


def check_speed(result: SelfTestResult, directory: Path, slowdown_limit: float | None) -> None:
    """Raise `SelfTestError` if the model is slower than the limit allows; nothing where nothing was measured."""
    if slowdown_limit is None or result.reference_latency_ms is None:
        return
    allowed = slowdown_limit * result.reference_latency_ms
    if result.latency_ms > allowed:
        raise _failed(
            Failure.SPEED,
            str(directory),
            expected=f"at most {allowed:.3g} ms ({slowdown_limit:g} times the packager's {result.reference_latency_ms:.3g} ms)",
            found=f"{result.latency_ms:.3g} ms",
            advice="The machine is busy, or slower than the hardware that the profile is meant for.",
        )


def _ran_out_of_memory(outcome: ChildOutcome) -> bool:
    if outcome.status == OUT_OF_MEMORY_STATUS:
        return True
    return outcome.status != 0 and any(words in outcome.output for words in _NO_MEMORY_WORDS)


def _read_result(outcome: ChildOutcome, where: str) -> Document:
    try:
        return Document.parse_json(outcome.result, where="self-test result", max_bytes=MAX_RESULT_BYTES)
    except (DocumentError, LimitError) as error:
        raise _failed(Failure.CRASH, where, "the process ended without a result", found=_last_words(outcome.output)) from error


def _last_words(output: str) -> str | None:
    return f"it printed {output[-500:]!r}" if output else None
