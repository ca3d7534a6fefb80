"""Log records of a worker, in the log of the process that started it: each a message with a logger's name, a level, a text, and fields.

A worker may have been taken over by the model that it read, so its records are bounded in number and in size, and all that they hold is
text and numbers; the log's formatter escapes them as it does all others. They come under ``sealift.worker``: none of them can pass for a
record of the process that holds the key, as that something was signed.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from sealift_core.terminal.records import FACTS, OURS
from sealift_packager.sandbox.frames import FrameError, Message

#: A message that is a log record has this field: the name of its logger.
FIELD: Final = "log"
#: Above the loggers of all that workers say.
WORKER: Final = f"{OURS}.worker"
_LIBRARIES: Final = logging.getLogger(f"{OURS}.libraries")
MAX_RECORDS: Final = 10_000
MAX_CHARACTERS: Final = 2_000
MAX_FIELDS: Final = 20
_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
_NAME: Final = re.compile(rf"{OURS}\.[a-z_]{{1,40}}")
_FIELD: Final = re.compile(r"[a-z_0-9]{1,40}")


class Sender(Protocol):
    """What sends a message."""

    def send(self, blob: bytes = b"", **fields: Any) -> None:
        """Send it."""


class RemoteHandler(logging.Handler):
    """In a worker: sends each of Sealift's records to the process that started it."""

    def __init__(self, channel: Sender) -> None:
        super().__init__()
        self._channel = channel
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record; what isn't Sealift's, and what a forked process says, is dropped."""
        if os.getpid() != self._process or not _NAME.fullmatch(record.name):
            return
        text = record.getMessage()[:MAX_CHARACTERS]
        self._channel.send(log=record.name, level=_level(record.levelno), message=text, facts=_sound(getattr(record, FACTS, {})))


def send_records(channel: Sender, level: int) -> None:
    """In a worker: log to the process that started it, from a level on."""
    logging.getLogger().addHandler(RemoteHandler(channel))
    logging.getLogger(OURS).setLevel(level)


def log_warnings() -> None:
    """In a worker: what libraries warn of goes to the log, from INFO on, and not to the user's terminal."""

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        lines = str(message).strip().splitlines() or [""]
        _LIBRARIES.info("%s: %s", category.__name__, lines[0])

    warnings.showwarning = show


def wanted_level() -> int:
    """From which level on this process logs Sealift's records, so that a worker sends no others."""
    return logging.getLogger(OURS).getEffectiveLevel()


def logging_records(answer: Callable[[Message], Message | None]) -> Callable[[Message], Message | None]:
    """What answers a worker's messages, and logs those that are records; after `MAX_RECORDS` of them, no more."""
    count = 0

    def answered(message: Message) -> Message | None:
        """Answer one message, or log it and answer nothing."""
        nonlocal count
        if FIELD not in message.fields:
            return answer(message)
        count += 1
        if count <= MAX_RECORDS:
            _log(message)
        elif count == MAX_RECORDS + 1:
            logging.getLogger(f"{OURS}.pack").warning("The build process logs too much; the rest of its records are dropped.")
        return None

    return answered


def _log(message: Message) -> None:
    name, text, level = message.text(FIELD), message.text("message"), message.fields.get("level")
    if not _NAME.fullmatch(name) or type(level) is not int or level not in _LEVELS:
        raise FrameError("not a log record")
    fields = message.fields.get("facts")
    given = _sound(fields) if isinstance(fields, dict) else {}
    logging.getLogger(f"{WORKER}.{name.removeprefix(f'{OURS}.')}").log(level, "%s", text[:MAX_CHARACTERS], extra={FACTS: given})


def _level(number: int) -> int:
    """The level of ours that isn't above a record's."""
    return max((level for level in _LEVELS if level <= number), default=logging.DEBUG)


def _sound(fields: Mapping[str, Any]) -> dict[str, str | float | bool | None]:
    """Fields with short names, whose values are short too."""
    few = list(fields.items())[:MAX_FIELDS]
    return {name: _short(value) for name, value in few if isinstance(name, str) and _FIELD.fullmatch(name)}


def _short(value: Any) -> str | float | bool | None:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() <= 64):
        return value
    return str(value)[:MAX_CHARACTERS] if isinstance(value, str) else "?"
