"""A build by a worker, for whoever holds a key: `build` is their `Builder`."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import pickle
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sealift_core.bundle.digest import Digest
from sealift_core.errors import SealiftError
from sealift_core.hardware.limits import read_limits
from sealift_core.process.sandbox import Confinement, Walls
from sealift_core.terminal.printing import say
from sealift_packager.build.files import model_files, readable, runs_own_code
from sealift_packager.build.packed import BuildOptions, Packed, Unsigned
from sealift_packager.build.request import MODEL_TIMEOUT_S, PackRequest, time_of_build
from sealift_packager.build.sealing import pack_with
from sealift_packager.build.services import Services
from sealift_packager.build.tasks import BuildTask, DataTask, NamesTask, Task
from sealift_packager.build.worker_result import WorkerResult
from sealift_packager.cache.serialization import SerializationError, decode
from sealift_packager.cache.store import Store
from sealift_packager.errors import PackagerError
from sealift_packager.lock.lockfile import Lock
from sealift_packager.model.source import INLINE_BYTES, LoadOptions, WeightPlace
from sealift_packager.progress.progress import Progress
from sealift_packager.sandbox.activity import BYTES_PER_S
from sealift_packager.sandbox.frames import FrameError, Message
from sealift_packager.sandbox.log_records import logging_records, wanted_level
from sealift_packager.sandbox.process import Start, imports, run_worker

#: Of the memory that is free, so much is the worker's: a model that wants all of it fails before the machine does.
MEMORY_SHARE: Final = 0.9
#: A file that a build writes is at most so large, and so many times the model: it holds a graph several times, each of them larger by its types.
LEAST_FILE_BYTES: Final = 4 * 2**30
FILE_BYTES_PER_BYTE: Final = 8
#: What a worker may say of where it is: a build of many profiles has a few hundred stages.
MAX_STAGES: Final = 100_000
MAX_TITLE_CHARACTERS: Final = 200
_LOG: Final = logging.getLogger("sealift.pack")
T = TypeVar("T")


def pack(request: PackRequest, progress: Progress | None = None, *, cache: Store | None = None, lock: Lock | None = None) -> Packed:
    """Build a release, as `pipeline.pack` does; the model is read and run in another process, and the key only used here, when that has ended."""
    return pack_with(build, request, progress, BuildOptions(cache=cache, lock=lock, inline_bytes=INLINE_BYTES))


def build(request: PackRequest, scratch: Path, progress: Progress, options: BuildOptions) -> Unsigned:
    """Have a worker build the bundles of a request below ``scratch``.

    1. Functions of the user's own that give data are called, in a worker without walls.
    2. The bundles are built in a worker in a sandbox or, where the user's own code is part of the model, without.

    Raises what the worker met; `SourceModelError` if the model broke it, or took longer than ``request.model_timeout`` for one answer.
    """
    created = options.lock.created if options.lock else request.created or time_of_build()
    resolved = dataclasses.replace(request, created=created)
    if resolved.functions:
        resolved = dataclasses.replace(resolved, **_call_functions(resolved, _folder(scratch / "data")))  # 1
    folder = _folder(scratch / "work")
    open_to_all = not resolved.sandbox or runs_own_code(resolved)
    start = _no_walls() if open_to_all else _behind_walls(readable(resolved), folder, resolved.model)
    task = BuildTask(
        **_common(resolved, folder),
        request=dataclasses.replace(resolved, signer=None),
        scratch=folder,
        lock=options.lock,
        cached=options.cache is not None,
        inline_bytes=options.inline_bytes,
    )
    space = None if open_to_all or options.cache is None else _digest(resolved.model)
    with Services(resolved, folder, options.cache, space) as services, _Listener(progress, services) as listener:
        built, walls = _run(task, WorkerResult, start, resolved.model, listener.hear)  # 2
    return _unsigned(built, resolved, folder, _gaps(walls))


def input_names(model: Path, options: LoadOptions) -> list[str]:
    """The names of a model's inputs, read in a worker in a sandbox."""
    with tempfile.TemporaryDirectory(prefix="sealift.") as name:
        folder = _folder(Path(name) / "work")
        inside = dataclasses.replace(options, place=WeightPlace(folder=folder))
        task = NamesTask(**_task(folder, MODEL_TIMEOUT_S, model), model=model, options=inside)
        names, _ = _run(task, list[str], _behind_walls(model_files(model), folder, model), model, _refuse)
    return names


def _call_functions(request: PackRequest, folder: Path) -> dict[str, Any]:
    task = DataTask(**_common(request, folder), request=dataclasses.replace(request, signer=None), folder=folder)
    paths, _ = _run(task, dict[str, str], _no_walls(), request.model, _refuse)
    return {name: Path(paths[name]) for name in request.functions}


def _common(request: PackRequest, folder: Path) -> dict[str, Any]:
    return _task(folder, request.model_timeout, request.model)


def _task(folder: Path, timeout_s: float, model: Path) -> dict[str, Any]:
    return {
        "limit_s": timeout_s + _size(model) / BYTES_PER_S,
        "temporary": _folder(folder / "temporary"),
        "imports": imports(),
        "log_level": wanted_level(),
    }


def _run(task: Task, target: type[T], start: Start, model: Path, answer: Callable[[Message], Message | None]) -> tuple[T, Walls | None]:
    """The result of a task, of type ``target``, and the walls around the process."""
    _LOG.debug(
        "Starting a process for %s, %s", model, "in a sandbox" if start.confinement else "outside the sandbox, because your own code runs there"
    )
    result = run_worker(pickle.dumps(task), start, model=str(model), answer=logging_records(answer))
    if result.walls is not None:
        walls = result.walls
        _LOG.debug("The process ended; its sandbox used Landlock %s and seccomp %s", walls.landlock_abi or "absent", walls.seccomp or "absent")
    try:
        return decode(target, result.data), result.walls
    except SerializationError as error:
        raise _nonsense(model) from error


def _nonsense(model: Path) -> PackagerError:
    return PackagerError("the build process returned an invalid result", where=str(model))


def _refuse(message: Message) -> None:  # noqa: ARG001  (hears what is said)
    raise FrameError("nothing to be asked")


class _Listener:
    """Shows the stages that a worker says it is in, and has its questions answered; a context, at whose end no stage is shown any more."""

    def __init__(self, progress: Progress, services: Services) -> None:
        self._progress = progress
        self._services = services
        self._shown: list[AbstractContextManager[None]] = []
        self._stages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._shown:
            try:
                self._shown.pop().__exit__(error_type, error, trace)
            except BaseException as raised:
                if raised is not error:
                    raise

    def hear(self, message: Message) -> Message | None:
        """The answer to a question, nothing for what is only said."""
        if "ask" in message.fields:
            return self._services.answer(message)
        event = message.text("stage")
        if event == "end" and self._shown:
            self._shown.pop().__exit__(None, None, None)
        elif event in ("begin", "cached"):
            self._begin(message.text("title")[:MAX_TITLE_CHARACTERS], cached=event == "cached")
        return None

    def _begin(self, title: str, *, cached: bool) -> None:
        self._stages += 1
        if self._stages > MAX_STAGES:
            raise FrameError("too many stages")
        if cached:
            self._progress.cached(title)
            return
        shown = self._progress.stage(title)
        shown.__enter__()
        self._shown.append(shown)


def _behind_walls(files: tuple[Path, ...], folder: Path, model: Path) -> Start:
    largest = max(LEAST_FILE_BYTES, FILE_BYTES_PER_BYTE * _size(model))
    return Start(confinement=Confinement(readable=files, writable=(folder,), memory_bytes=_memory_bytes(), file_bytes=largest))


def _gaps(walls: Walls | None) -> tuple[str, ...]:
    """What this machine lacked of the walls that were to be: a sentence each."""
    if walls is None:
        return ()
    files = () if walls.landlock_abi else ("The kernel has no Landlock: the model was read by a process that could read and change your files.",)
    calls = () if walls.seccomp else ("The kernel has no seccomp filters: the model was read by a process that could reach the network.",)
    return (*files, *calls)


def _no_walls() -> Start:
    return Start(confinement=None, say=_say)


def _say(line: str) -> None:
    """What a person's own code prints: on stderr, where it can't be taken for a result."""
    say(line, error=True)


def _memory_bytes() -> int | None:
    """What a worker may allocate; None where the machine doesn't say what is free."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    free = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    bounds = [int(free[1]) * 1024] if free else []
    limit = read_limits(Path("/")).memory_bytes
    bounds += [limit] if limit is not None else []
    return int(MEMORY_SHARE * min(bounds)) if bounds else None


def _size(model: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(path.stat().st_size for path in model_files(model))
    return 0


def _digest(model: Path) -> str:
    try:
        return str(Digest.of_file(model))
    except OSError:  # reading it will say so
        return hashlib.sha256(b"").hexdigest()


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700)
    return path.absolute()


def _unsigned(result: WorkerResult, request: PackRequest, folder: Path, gaps: tuple[str, ...]) -> Unsigned:
    """What a worker says that it built, the lock checked."""
    try:
        unsigned = result.unsigned({profile.name: folder / "bundles" / profile.name for profile in request.profiles})
    except SealiftError as error:
        raise _nonsense(request.model) from error
    return dataclasses.replace(unsigned, notes=(*unsigned.notes, *gaps))
