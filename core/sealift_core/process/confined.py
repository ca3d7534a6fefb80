"""A module of ours, run behind walls: what the parent calls, and what the child runs.

The child is ``python -m sealift_core.process.confined MODULE CONFINEMENT PARENT ARGUMENTS… FD``. It confines itself, imports MODULE, tells
its walls in a line of JSON on FD, and calls MODULE's ``main(arguments, descriptor)``. Libraries are imported behind the walls, since
their threads would otherwise be outside. Nothing that others made is read before that line: if the process ends without it, the machine or
this installation is at fault, never what was to be read. The same holds for an exception after it that MODULE doesn't expect, such as a
library that lacks a name or a file. MODULE then puts `FAULT` into its result, and whoever reads that raises `SandboxError`, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sealift_core.errors import DocumentError, SandboxError, SealiftError
from sealift_core.process.child import ChildOutcome, run_child
from sealift_core.process.memory import limit_memory
from sealift_core.process.sandbox import Confinement, Walls, confine
from sealift_core.schema.documents import Document

MODULE: Final = "sealift_core.process.confined"
#: How long the process may take to come up: large libraries on a small, busy machine.
START_S: Final = 120.0
_MAX_LINE: Final = 64 * 1024
_REFUSED: Final = "refused"
#: The field of a result that says that this installation failed, and what to do then.
FAULT: Final = "fault"
FAULT_ADVICE: Final = "This installation is at fault, not the bundle. Install the library named here in a version that the wheel declares."
_MAX_CHARACTERS: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """How a confined process ended.

    Attributes:
        walls: Which walls held.
        outcome: How it ended; ``outcome.result`` is what the module wrote.
    """

    walls: Walls
    outcome: ChildOutcome


def run_confined(module: str, arguments: Sequence[str], confinement: Confinement, *, timeout_s: float) -> Confined:
    """Run a module's ``main(arguments, descriptor)`` in a confined process.

    Where a service manager kills what calls Landlock or seccomp(2), as systemd's ``@system-service`` does, it is tried again without the
    former and by an older way to the latter.

    Args:
        module: The module's full name.
        arguments: What ``main`` is given.
        confinement: What the process may do.
        timeout_s: How many seconds ``main`` may take; imports aren't counted.

    Returns:
        Which walls held, and how the process ended: it may have failed or been killed.

    Raises:
        SandboxError: If the process can't be started or confined, or didn't come to call ``main``. It says nothing of what was to be read.
    """  # noqa: DOC501  (`_not_begun` makes a SandboxError)
    try:
        outcome = run_child(command(module, arguments, confinement), timeout_s=timeout_s, start_s=START_S)
    except OSError as error:
        advice = "Free memory, or allow the service more processes and open files."
        raise SandboxError("a sandboxed process can't be started", where=module, found=error.strerror or str(error), advice=advice) from error
    if outcome.status == -signal.SIGSYS and not outcome.result and confinement.newest_abi:
        return run_confined(module, arguments, dataclasses.replace(confinement, newest_abi=0), timeout_s=timeout_s)
    line, newline, result = outcome.result.partition(b"\n")
    if not newline:
        raise _not_begun(module, outcome)
    document = _first_line(module, line)
    return Confined(walls=Walls.parse(document), outcome=dataclasses.replace(outcome, result=result))


def processor_seconds(timeout_s: float) -> int:
    """Bound the processor time that a confined process can use, if it isn't held up and isn't ended in time.

    Args:
        timeout_s: The seconds that it may take.

    Returns:
        Seconds, of all cores together.
    """
    return int(timeout_s + START_S + 1) * (os.cpu_count() or 1)


def command(module: str, arguments: Sequence[str], confinement: Confinement) -> list[str]:
    """Build the child's command line; `run_child` adds the number of its result descriptor.

    Args:
        module: The module's full name.
        arguments: What its ``main`` is given.
        confinement: What the process may do.

    Returns:
        The program and its arguments.
    """
    return [sys.executable, "-P", "-B", "-m", MODULE, module, json.dumps(confinement.json()), str(os.getpid()), *arguments]


def main(words: Sequence[str]) -> None:
    """Confine this process and run a module in it: what the child runs.

    Args:
        words: The module, the confinement as JSON, the parent's process id, the module's arguments, and the number of the result descriptor.
    """
    module, text, parent, *arguments, descriptor = words
    number = int(descriptor)
    os.set_inheritable(number, False)
    confinement = Confinement.parse(Document.parse_json(text.encode(), where="confinement", max_bytes=len(text.encode())))
    _be_ended_first()
    try:
        walls = confine(confinement, int(parent))
        called = importlib.import_module(module)
        if confinement.memory_bytes:
            limit_memory(confinement.memory_bytes)
    except Exception as error:  # noqa: BLE001  # a process's outermost call; nothing of others' was read yet
        reason = str(error)[:_MAX_CHARACTERS] if isinstance(error, SealiftError) else describe_fault(error)
        os.write(number, json.dumps({_REFUSED: reason}).encode() + b"\n")
        return
    os.write(number, json.dumps(walls.json()).encode() + b"\n")
    called.main(arguments, number)


def _be_ended_first() -> None:
    """Where memory runs out, have the kernel end this process, and none that serves (proc(5), ``oom_score_adj``)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _first_line(module: str, line: bytes) -> Document:
    try:
        document = Document.parse_json(line, where="confined process", max_bytes=_MAX_LINE)
    except DocumentError as error:
        raise SandboxError("a sandboxed process sent output before its sandbox was in place", where=module) from error
    if document.has(_REFUSED):
        raise SandboxError("a sandboxed process could not be set up", where=module, found=document.text(_REFUSED))
    return document


def describe_fault(error: Exception) -> str:
    """Describe an exception that nobody expected.

    Args:
        error: The exception.

    Returns:
        Its class, its message, and where it was raised.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}"[:_MAX_CHARACTERS] + place


def _not_begun(module: str, outcome: ChildOutcome) -> SandboxError:
    end = "it took too long" if outcome.timed_out else f"it ended with {outcome.ending()}"
    ending = f"{end}; it printed {outcome.output[-500:]!r}" if outcome.output else end
    advice = "Is this installation complete? Variables such as PYTHONPATH aren't passed on to it."
    if outcome.status == -signal.SIGKILL:
        advice = "The kernel kills processes when memory is short: free memory on this machine."
    return SandboxError("a sandboxed process did not start", where=module, found=ending, advice=advice)


if __name__ == "__main__":
    main(sys.argv[1:])
