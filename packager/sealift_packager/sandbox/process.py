"""A worker: started, listened to, answered, and ended when it is done, breaks, or takes longer than its current activity may."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sealift_core.errors import SandboxError
from sealift_core.process import confined
from sealift_core.process.child import KEPT_OUTPUT_BYTES, clean_environment
from sealift_core.process.sandbox import Confinement, Walls
from sealift_core.schema.documents import Document
from sealift_packager.errors import PackagerError, SourceModelError
from sealift_packager.sandbox.activity import NOTHING, Note
from sealift_packager.sandbox.failures import decode_failure
from sealift_packager.sandbox.frames import Decoder, FrameError, Message
from sealift_packager.sandbox.page import Page

WORKER: Final = "sealift_packager.build.worker"
_POLL_S: Final = 0.1
_LAST_WORDS_S: Final = 2.0
_CHUNK_BYTES: Final = 2**20
_REFUSED: Final = "refused"
#: In the names of variables that are nobody's but the key's.
_KEPT_BACK: Final = "PASSPHRASE"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a worker is started.

    ``confinement`` says which walls are around it; None, where a person's own code is to run, for none. What it prints is passed on to ``say``.
    """

    confinement: Confinement | None
    say: Callable[[str], None] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a worker gave, and the walls that held around it; None if there were to be none."""

    data: bytes
    walls: Walls | None


def imports() -> tuple[str, ...]:
    """Where this process imports from, so that a worker has the same modules; but for folders in which a person has everything else."""
    home = Path.home().absolute()
    return tuple(path for path in sys.path if Path(path).is_absolute() and not home.is_relative_to(path))


def run_worker(task: bytes, start: Start, *, model: str, answer: Callable[[Message], Message | None]) -> Result:
    """Have a worker do a task. When this returns or raises, the worker and whatever it started have ended.

    Args:
        task: What the worker reads first.
        start: How it is started.
        model: What errors name as the place.
        answer: Called with each message of the worker; gives what is to be sent back, or None.

    Returns:
        What the worker gave.

    Raises:
        SealiftError: The error that the task met.
        OSError: If the task met one.
        SourceModelError: If the process broke, or took too long, in an activity of the model.
        PackagerError: If it broke otherwise, or sent what is no message.
        SandboxError: If the walls couldn't be put up.
    """
    try:
        return _Worker(start, model, answer).run(task)
    except _KilledByFilterError:
        assert start.confinement is not None
        older = dataclasses.replace(start, confinement=dataclasses.replace(start.confinement, newest_abi=0))
        return _Worker(older, model, answer).run(task)


class _KilledByFilterError(Exception):
    """A service manager's filter killed the process for calling Landlock or seccomp(2), before it read anything."""


class _Worker:
    def __init__(self, start: Start, model: str, answer: Callable[[Message], Message | None]) -> None:
        self._how_started = start
        self._model = model
        self._answer = answer
        self._output = b""
        self._line = b""
        self._decoder = Decoder()
        self._outbox = memoryview(b"")
        self._result: bytes | None = None
        self._walls: Walls | None = None

    def run(self, task: bytes) -> Result:
        """Start the worker, give it the task, and listen until there is a result or an error; whatever is left of it is ended."""
        page = Page.create()
        try:
            reader, process = self._start(page)
            try:
                self._listen(process, reader, page, Message({}, task).encode())
            finally:
                _end(process)
                os.close(reader)
            return self._finished(process, page.read())
        finally:
            page.close()

    def _start(self, page: Page) -> tuple[int, subprocess.Popen[bytes]]:
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                [*self._command(str(page.descriptor)), str(writer)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writer, page.descriptor),
                env=self._environment(),
                start_new_session=True,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        return reader, process

    def _command(self, page: str) -> list[str]:
        if self._how_started.confinement is None:
            return [sys.executable, "-P", "-m", WORKER, str(os.getpid()), page]
        return confined.command(WORKER, [page], self._how_started.confinement)

    def _environment(self) -> Mapping[str, str]:
        if self._how_started.confinement is None:
            return {name: value for name, value in os.environ.items() if _KEPT_BACK not in name}
        return {
            **clean_environment(os.environ),
            "PYTHONPATH": os.pathsep.join(imports()),
            "HOME": str(self._how_started.confinement.writable[0]),
            "USER": "sealift",
        }

    def _listen(self, process: subprocess.Popen[bytes], reader: int, page: Page, task: bytes) -> None:
        """Until there is a result or an error, the process has ended, or its deadline has passed."""
        assert process.stdin is not None
        assert process.stdout is not None
        output, inbox = process.stdout.fileno(), process.stdin.fileno()
        os.set_blocking(inbox, False)
        self._outbox = memoryview(task)
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            selector.register(output, selectors.EVENT_READ)
            while self._result is None:
                _select_for_writing(selector, inbox, writing=bool(self._outbox))
                for key, _ in selector.select(_POLL_S):
                    if key.fd == inbox:
                        self._send(inbox)
                    elif not self._take(os.read(key.fd, _CHUNK_BYTES), printed=key.fd == output):
                        selector.unregister(key.fd)
                        if key.fd == reader:
                            return self._drain(output)
                self._check_time(page)
            return self._drain(output)

    def _drain(self, output: int) -> None:
        """Take what was printed last: its pipe may come to its end after the other one."""
        os.set_blocking(output, False)
        deadline = time.monotonic() + _LAST_WORDS_S
        while time.monotonic() < deadline:
            try:
                if not self._take(os.read(output, _CHUNK_BYTES), printed=True):
                    return
            except BlockingIOError:
                if self._result is not None:
                    return
                time.sleep(_POLL_S / 10)

    def _send(self, inbox: int) -> None:
        try:
            self._outbox = self._outbox[os.write(inbox, self._outbox[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._outbox = memoryview(b"")

    def _take(self, data: bytes, *, printed: bool) -> bool:
        """Whether more is to come."""
        if printed:
            self._output = (self._output + data)[-KEPT_OUTPUT_BYTES:]
            self._pass_on(data)
            return bool(data)
        try:
            for message in self._decoder.feed(data):
                self._handle(message)
        except FrameError as error:
            raise PackagerError("the build process sent an invalid message", where=self._model, found=str(error)) from error
        return bool(data)

    def _pass_on(self, data: bytes) -> None:
        if self._how_started.say is None:
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in [*lines, *([self._line] if not data and self._line else [])]:
            self._how_started.say(line.decode(errors="replace"))

    def _handle(self, message: Message) -> None:
        if self._walls is None and self._how_started.confinement is not None:  # the first line is about the walls
            if _REFUSED in message.fields:
                raise SandboxError("the build process could not be sandboxed", where=self._model, found=message.text(_REFUSED))
            self._walls = Walls.parse(Document(message.fields, "walls"))
            return
        if message.fields.get("end") == "failed":
            raise decode_failure(message.fields)
        if message.fields.get("end") == "done":
            self._result = message.blob
            return
        reply = self._answer(message)
        if reply is not None:
            if self._outbox:
                raise FrameError("a question before the last one's answer was read")
            self._outbox = memoryview(reply.encode())

    def _check_time(self, page: Page) -> None:
        note = page.read()
        if time.monotonic() > note.deadline:
            raise self._late(note)

    def _late(self, note: Note) -> SourceModelError:
        return self._fault(note, note.activity.late)

    def _fault(self, note: Note, words: str, how: str = "") -> SourceModelError:
        for name, value in {"rows": _rows(note.rows), "limit": f"{note.limit_s:,.0f} s", "how": how}.items():
            words = words.replace(f"{{{name}}}", value)
        return SourceModelError(words, where=self._model, expected=note.activity.expected or None, advice=note.activity.advice or None)

    def _finished(self, process: subprocess.Popen[bytes], note: Note) -> Result:
        if self._result is not None:
            return Result(self._result, self._walls)
        confinement = self._how_started.confinement
        if process.returncode == -signal.SIGSYS and self._walls is None and confinement is not None and confinement.newest_abi:
            raise _KilledByFilterError
        how = self._how(process.returncode)
        if note.activity != NOTHING.activity:
            raise self._fault(note, note.activity.broken, how)
        raise PackagerError("the build process crashed", where=self._model, found=how, advice="If there is enough memory, please report it.")

    def _how(self, status: int) -> str:
        if status == -signal.SIGKILL:
            return "SIGKILL, as when there is too little memory"
        if status < 0:
            return signal.Signals(-status).name if -status in list(signal.Signals) else f"signal {-status}"
        lines = self._output.decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"exit status {status}"


def _select_for_writing(selector: selectors.BaseSelector, descriptor: int, *, writing: bool) -> None:
    """Wait for a pipe to take more, or no longer."""
    if writing and descriptor not in selector.get_map():
        selector.register(descriptor, selectors.EVENT_WRITE)
    elif not writing and descriptor in selector.get_map():
        selector.unregister(descriptor)


def _end(process: subprocess.Popen[Any]) -> None:
    """Kill what is left of the process's group, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _rows(count: int) -> str:
    return "one row" if count <= 1 else f"{count:,} rows"
