r"""A log record as one line: text for people, or one JSON object for machines. Pure.

Whatever a record holds, its line is one line, and nothing in it steers a terminal (`printable`). The user and the password of an
address never stand in one, wherever the address came from: an error's text, a library's, a person's file.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from sealift_core.terminal.printable import printable, printable_json

#: The logger above all of Sealift's: its children are ``sealift.pack``, ``sealift.update`` and so on.
OURS: Final = "sealift"
#: Where a record keeps what `facts` gave it.
FACTS: Final = "facts"
#: What stands before the lines of a traceback: none of them looks like a record of a log, or like an error of ours.
_CONTINUED: Final = "    | "
_USER: Final = re.compile(r"(?<=://)[^\s/?#'\"<>]*@")


def facts(**fields: str | float | bool | None) -> dict[str, Any]:
    """Give a record what it says as fields for machines: ``logger.info("…", extra=facts(seconds=1.2))``.

    Args:
        **fields: The fields, with their units in their names.

    Returns:
        What `logging` takes as ``extra``.
    """
    return {FACTS: fields}


def without_users(text: str) -> str:
    """Replace the user and the password of each address in a text by asterisks.

    Args:
        text: Any text.

    Returns:
        The text without them.
    """
    return _USER.sub("***@", text) if "://" in text else text


class OneLineFormatter(logging.Formatter):
    """Writes a record as one line; a traceback that belongs to it follows, each of its lines marked as one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Write the record without its traceback.

        Args:
            record: The record.

        Returns:
            One line.
        """
        return printable(without_users(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:  # noqa: N802  (logging's name)
        """Write the traceback below it.

        Args:
            ei: What ``sys.exc_info`` gives.

        Returns:
            Lines that are marked as belonging to the record.
        """
        return marked(traceback_lines(*ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  (logging's name)
        """Write the stack below it, where that was asked for.

        Args:
            stack_info: The stack's lines.

        Returns:
            Lines that are marked as belonging to the record.
        """
        return marked(stack_info.split("\n"))


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object on one line: time (RFC 3339, UTC), level, logger, message.

    Process, fields and traceback follow where there are any.
    """

    def __init__(self, process: str = "") -> None:
        """Prepare the formatter.

        Args:
            process: The name of this process in each record; empty for none.
        """
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as an object.

        Args:
            record: The record.

        Returns:
            One line.
        """
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname,
            "logger": record.name,
            "message": without_users(record.getMessage()),
        }
        if self._process:
            line["process"] = self._process
        if fields := getattr(record, FACTS, None):
            line["fields"] = _plain(fields)
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = [without_users(text) for text in traceback_lines(type(record.exc_info[1]), *record.exc_info[1:])]
        return printable_json(json.dumps(line, ensure_ascii=False, default=str, allow_nan=False))


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in fields.items()}


def _value(value: Any) -> Any:
    """JSON has no NaN and no infinity: those are text."""
    if isinstance(value, str):
        return without_users(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if isinstance(value, int | float | None) else without_users(str(value))


def marked(lines: Iterable[str]) -> str:
    """Mark lines that belong to the record above them.

    Args:
        lines: The lines.

    Returns:
        The marked lines, with line breaks between.
    """
    return "\n".join(f"{_CONTINUED}{printable(without_users(line))}" for line in lines)


def traceback_lines(error_class: type[BaseException], error: BaseException, trace: TracebackType | None) -> list[str]:
    """Write a traceback, with what the error says as one of its lines, whatever it holds.

    Args:
        error_class: The error's class.
        error: The error.
        trace: Where it was raised; None if that isn't known.

    Returns:
        The lines.
    """
    lines: list[str] = []
    for part in traceback.format_exception(error_class, error, trace):
        text = part.removesuffix("\n")
        lines += text.split("\n") if text.startswith(("  File ", "\n")) else [text]
    return lines
