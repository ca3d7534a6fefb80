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

    ``status`` is its exit status, minus the signal's number if one killed it; ``result`` what it wrote to its result
    descriptor; ``output`` the end of what it printed; ``timed_out`` whether we killed it for taking too long.
    """

    status: int
    result: bytes
    output: str
    timed_out: bool

    def ending(self) -> str:
        """Its end in words, like ``exit status 1`` or ``signal 11 (SIGSEGV)``."""
        if self.status >= 0:
            return f"exit status {self.status}"
        names = [known.name for known in signal.Signals if known == -self.status]
        return f"signal {-self.status}" + (f" ({names[0]})" if names else "")


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What a child is given of some variables."""
    kept = {name: value for name, value in variables.items() if name in ENVIRONMENT or name in KEPT or name.startswith(ENVIRONMENT_GROUPS)}
    return kept | SET


def run_child(command: Sequence[str], *, timeout_s: float, start_s: float = 0.0) -> ChildOutcome:
    """Run ``command`` with the number of its result descriptor as last argument, in a process group of its own.

    It may take ``timeout_s`` from the first byte that it writes there on, and ``start_s`` more until then.

    It runs in the folder ``/`` with a clean environment and nothing on its standard input. When this returns, every process of that group
    has ended or been killed.
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
    """Called in the child: end when the parent, whose process id this is, ends (Linux only)."""
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
