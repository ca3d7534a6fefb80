"""A child process with limits: its time, its environment, its whole group killed, its result on a descriptor of its own.

What the child prints goes nowhere but into the last lines of an error message, so nothing that a model or a library
prints can spoil the result. It inherits no descriptor but that of its result, and no variable but those of `ENVIRONMENT`: what else is in
the agent's environment (a proxy's password, a token) is none of its business.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from sealift_core.onnxruntime_environment import KEPT, SET
from sealift_core.process.kernel import prctl

MAX_RESULT_BYTES: Final = 1024 * 1024
KEPT_OUTPUT_BYTES: Final = 4096
#: What a child keeps of our environment: where programs and libraries are (HOME for packages of a user's own), language and time, how many
#: threads libraries start, which accelerators there are, whether Python leaves compiled modules behind. Neither what makes an interpreter or a
#: linker load other code (PYTHONPATH, LD_PRELOAD) nor anything secret.
ENVIRONMENT: Final = ("PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "LANGUAGE", "TZ", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "PYTHONDONTWRITEBYTECODE")
ENVIRONMENT_GROUPS: Final = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "NVIDIA_")
_PR_SET_PDEATHSIG: Final = 1
_POLL_S: Final = 0.02


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChildOutcome:
    """How a child ended.

    Attributes:
        status: Its exit status; minus the signal's number if one killed it.
        result: What it wrote to its result descriptor: at most one byte more than `MAX_RESULT_BYTES`.
        output: The end of what it printed, at most `KEPT_OUTPUT_BYTES`.
        timed_out: Whether it was killed for taking too long.
    """

    status: int
    result: bytes
    output: str
    timed_out: bool

    def ending(self) -> str:
        """Say how it ended, like ``exit status 1`` or ``signal 11 (SIGSEGV)``."""
        if self.status >= 0:
            return f"exit status {self.status}"
        names = [number.name for number in signal.Signals if number == -self.status]
        return f"signal {-self.status}" + (f" ({names[0]})" if names else "")


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Choose what a child is given of some variables.

    Args:
        variables: The environment of this process.

    Returns:
        The variables of `ENVIRONMENT` and `ENVIRONMENT_GROUPS`, and those that `onnxruntime_environment` keeps or sets.
    """
    kept = {name: value for name, value in variables.items() if name in ENVIRONMENT or name in KEPT or name.startswith(ENVIRONMENT_GROUPS)}
    return kept | SET


def run_child(command: Sequence[str], *, timeout_s: float, start_s: float = 0.0) -> ChildOutcome:
    """Run a command in a process group of its own, in the folder ``/``, with a clean environment and nothing on its standard input.

    When this returns, every process of that group has ended or been killed.

    Args:
        command: The program and its arguments; the number of its result descriptor is added as the last one.
        timeout_s: How many seconds it may take from the first byte that it writes to the result descriptor on.
        start_s: How many seconds more it may take until then.

    Returns:
        How it ended.

    Raises:
        OSError: If it can't be started.
    """
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            [*command, str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(writer,),
            env=clean_environment(os.environ),
            cwd="/",
            start_new_session=True,
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        result, output, timed_out = _collect(process, reader, timeout_s, start_s)
    finally:
        _kill_group(process)
        os.close(reader)
    text = output.decode(errors="replace").strip()
    return ChildOutcome(status=process.returncode, result=result, output=text, timed_out=timed_out)


def die_with_parent(parent: int) -> None:
    """Have this process end when its parent does. Called in the child, before anything else may go wrong (Linux only; prctl(2), PR_SET_PDEATHSIG).

    Args:
        parent: The parent's process id. If it is no longer the parent, this process ends at once.

    Raises:
        OSError: If the kernel refuses.
    """
    if sys.platform == "linux":
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew
        os._exit(1)


def _collect(process: subprocess.Popen[bytes], result_fd: int, timeout_s: float, start_s: float) -> tuple[bytes, bytes, bool]:
    """What the child writes to its result descriptor (the beginning) and prints (the end), until it ends or takes too long."""
    assert process.stdout is not None
    output_fd = process.stdout.fileno()
    kept = {result_fd: b"", output_fd: b""}
    timed_out = False
    deadline = time.monotonic() + start_s + timeout_s
    with selectors.DefaultSelector() as selector:
        for descriptor in kept:
            selector.register(descriptor, selectors.EVENT_READ)
        while not timed_out:
            ended = _has_ended(process.pid)
            ready = selector.select(0 if ended else _POLL_S)
            for key, _ in ready:
                if key.fd == result_fd and not kept[result_fd]:
                    deadline = time.monotonic() + timeout_s
                data = os.read(key.fd, 65536)
                kept[key.fd] = (kept[key.fd] + data)[-KEPT_OUTPUT_BYTES:] if key.fd == output_fd else _head(kept[key.fd], data)
                if not data:
                    selector.unregister(key.fd)
            if ended and not ready:
                break
            timed_out = time.monotonic() > deadline
    return kept[result_fd], kept[output_fd], timed_out


def _head(kept: bytes, data: bytes) -> bytes:
    """A result is kept to one byte more than is allowed, so that whoever reads it sees that it is too long."""
    return kept + data[: MAX_RESULT_BYTES + 1 - len(kept)]


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it stays a zombie, so that its process group can't become another's meanwhile."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
