"""The process that builds: started and listened to by `sealift_packager.sandbox.process`.

It takes one task on its standard input, as a pickle of the process that started it. What it says goes over the pipe whose number it is given: which
stage it is in, what it asks for, and the result or the error. What libraries print goes to its standard output, and nobody takes that for anything.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sealift_core.process.child import die_with_parent
from sealift_packager.build.tasks import BuildTask, DataTask, NamesTask, Task
from sealift_packager.cache.serialization import encode
from sealift_packager.progress.importing import importing
from sealift_packager.sandbox.activity import Monitor, monitoring
from sealift_packager.sandbox.failures import encode_failure
from sealift_packager.sandbox.log_records import log_warnings, send_records
from sealift_packager.sandbox.outside import asking
from sealift_packager.sandbox.page import Page

if TYPE_CHECKING:
    from sealift_packager.build.worker_result import WorkerResult


def main(arguments: Sequence[str], descriptor: int) -> None:
    """Do the one task; ``arguments`` are the descriptor of the page."""
    with importing():
        from sealift_packager.build.remote import WorkerChannel

    channel = WorkerChannel(_private_input(), descriptor)
    page = Page(int(arguments[0]))
    task: Task = pickle.loads(channel.receive().blob)  # noqa: S301  (the process that started this one wrote it)
    _settle(task)
    send_records(channel, task.log_level)
    log_warnings()
    try:
        with monitoring(Monitor(page, task.limit_s)):
            result = _do(task, channel)
    except Exception as error:  # noqa: BLE001  # the outermost place of a process: told to the other one, and raised there
        channel.send(end="failed", **encode_failure(error))
    else:
        channel.send(encode(result), end="done")


def _private_input() -> int:
    """Standard input under another number, so that nothing else reads from it."""
    reader = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  (a device, not a path of ours)
        os.dup2(nothing.fileno(), 0)
    return reader


def _settle(task: Task) -> None:
    """Temporary files, and what libraries keep for a user, go where this process may write; modules come from where the other one has them."""
    tempfile.tempdir = os.environ["TMPDIR"] = str(task.temporary)
    sys.path[:] = task.imports


def _do(task: Task, channel: Any) -> Any:
    from sealift_packager.build.remote import RemoteOutside

    with asking(RemoteOutside(channel)):
        if isinstance(task, BuildTask):
            return _build(task, channel)
        if isinstance(task, DataTask):
            return _call_functions(task)
        assert isinstance(task, NamesTask)
        return _names(task)


def _build(task: BuildTask, channel: Any) -> WorkerResult:
    with importing():
        from sealift_packager.build.packed import BuildOptions
        from sealift_packager.build.pipeline import build
        from sealift_packager.build.remote import RemoteProgress, RemoteStore
        from sealift_packager.build.worker_result import WorkerResult

    options = BuildOptions(cache=RemoteStore(channel) if task.cached else None, lock=task.lock, inline_bytes=task.inline_bytes)
    return WorkerResult.of(build(task.request, task.scratch, RemoteProgress(channel), options))


def _call_functions(task: DataTask) -> dict[str, str]:
    from sealift_packager.build.data_functions import write_functions

    return {field: str(path) for field, path in write_functions(task.request, task.folder).items()}


def _names(task: NamesTask) -> list[str]:
    from sealift_packager.frameworks.loaders import load_model

    return [spec.name for spec in load_model(task.model, task.options).inputs]


if __name__ == "__main__":  # without walls, where a person's own code is run
    die_with_parent(int(sys.argv[1]))
    main(sys.argv[2:-1], int(sys.argv[-1]))
