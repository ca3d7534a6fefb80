"""The process that keeps the data plane and the control plane alive, each by itself.

It does nothing else and imports next to nothing, so there is little in it that could fail, and it is small. Each child
holds the read end of a pipe whose other end only the supervisor has: when the supervisor dies, however it dies, the pipe
closes and the children leave.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from sealift_core.errors import BusyError, SealiftError
from sealift_core.terminal.printing import say
from sealift_runtime.agent.home import Home, short_path
from sealift_runtime.agent.lock import one_of_its_kind
from sealift_runtime.agent.logs import set_up_logging

logger = logging.getLogger("sealift.agent")

#: A data plane gives notice for at most 10 s, drains for 10 s, and ends what still runs.
STOP_S: Final = 28.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0
#: A child that ran this long starts again without a longer pause.
HEALTHY_S: Final = 30.0
#: How often a data plane is asked whether it is there, how long it may think, and after how long without an answer it is killed.
ASK_S: Final = 5.0
THINK_S: Final = 5.0
SILENT_S: Final = 60.0
#: Exit codes that starting again won't change: a wrong option, configuration, or port (see commandline).
FINAL_CODES: Final = (2, 3, 6)


@dataclasses.dataclass(slots=True)
class Child:
    """One supervised process; ``answers`` says whether it does, where that can be asked."""

    name: str
    command: Sequence[str]
    answers: Callable[[], bool] | None = None
    process: subprocess.Popen[bytes] | None = None
    pause_s: float = FIRST_PAUSE_S

    def start(self) -> None:
        """Start it, with the pipe that ties its life to ours as its standard input."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE)

    def stop(self) -> None:
        """Ask it to end."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def release(self) -> None:
        """Close the pipe to a process that has ended."""
        if self.process and self.process.stdin:
            self.process.stdin.close()


class Silence:
    """How long a process that answered once has not answered any more; it is asked every `ASK_S`."""

    def __init__(self, answers: Callable[[], bool] | None) -> None:
        self._answers = answers
        self._last: float | None = None
        self._asked = time.monotonic()

    def is_too_long(self) -> bool:
        """Ask if it is time to, and say whether the process hangs."""
        now = time.monotonic()
        if self._answers is None or now < self._asked + ASK_S:
            return False
        if self._answers():
            self._last = time.monotonic()
        self._asked = time.monotonic()
        return self._last is not None and self._asked > self._last + SILENT_S


class Supervisor:
    """Runs children until told to stop or one ends for good.

    ``crashed(name, code)`` is told of every end that wasn't asked for, so that it can be recorded.
    """

    def __init__(self, children: Sequence[Child], crashed: Callable[[str, int], None]) -> None:
        self._children = children
        self._crashed = crashed
        self._stopping = threading.Event()
        self._code = 0

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        keepers = [threading.Thread(target=self._keep, args=(child,), name=child.name) for child in self._children]
        for keeper in keepers:
            keeper.start()
        for keeper in keepers:
            keeper.join()
        return self._code

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        for child in self._children:
            child.stop()

    def _keep(self, child: Child) -> None:
        while not self._stopping.is_set():
            child.start()
            healthy = threading.Timer(HEALTHY_S, setattr, (child, "pause_s", FIRST_PAUSE_S))
            healthy.start()
            code = self._wait(child)
            healthy.cancel()
            child.release()
            if self._stopping.is_set():
                return
            if code in FINAL_CODES:
                self._code = code
                self._stop()
                return
            logger.error("%s ended with %d; starting it again in %.1f s", child.name, code, child.pause_s)
            self._crashed(child.name, code)
            self._stopping.wait(child.pause_s)
            child.pause_s = min(2 * child.pause_s, LONGEST_PAUSE_S)

    def _wait(self, child: Child) -> int:
        process = child.process
        if process is None:
            return 0
        silence = Silence(child.answers)
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    return self._finish(child.name, process)
                if silence.is_too_long():
                    logger.error(  # noqa: TRY400 - the wait that timed out is no news
                        "%s has not answered for %.0f s and is killed", child.name, SILENT_S
                    )
                    process.kill()

    def _finish(self, name: str, process: subprocess.Popen[bytes]) -> int:
        process.terminate()
        try:
            return process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            logger.warning("%s didn't end within %.0f s and is killed", name, STOP_S)
            process.kill()
            return process.wait()


def main() -> None:
    """Entry point of the process: ``python -m sealift_runtime.agent.supervisor HOME HOST PORT``."""
    set_up_logging("supervisor")
    directory, host, port = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    children = [
        Child("server", module_command("data_plane", str(directory), host, port), answers=lambda: _is_live(directory)),
        Child("control", module_command("control_plane", str(directory))),
    ]
    try:
        with one_of_its_kind(directory / "run" / "agent.lock", "agent"):
            sys.exit(Supervisor(children, lambda name, code: _record_crash(directory, name, code)).run())
    except BusyError as error:
        say(f"error: {error}", error=True)
        sys.exit(FINAL_CODES[-1])


def _is_live(directory: Path) -> bool:
    """Whether the data plane of a home answers on its private socket."""
    try:
        with short_path(Home(directory).socket) as path, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(THINK_S)
            connection.connect(str(path))
            connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def module_command(name: str, *arguments: str) -> list[str]:
    """The command line of a module of the agent."""
    return [sys.executable, "-P", "-m", f"sealift_runtime.agent.{name}", *arguments]


def _record_crash(directory: Path, name: str, code: int) -> None:
    from sealift_runtime.update.state import StateDatabase  # as long as nothing crashes, it isn't needed

    try:
        with contextlib.closing(StateDatabase(directory / "state.sqlite")) as state:
            state.record(f"{name}-crashed", detail=f"it ended with {code}", now=datetime.datetime.now(datetime.UTC))
    except (SealiftError, OSError) as error:  # whatever the database suffers from, the process has to start again
        logger.warning("the crash of %s can't be recorded: %s", name, error)


if __name__ == "__main__":
    main()
