r"""Where everything that the commands print and log leaves the program: no terminal and no log gets what others wrote as it is.

Each text given to `say` is one line, and each log record too: a line break in it is shown as ``\n`` (`printable`). Output of several
lines is several texts, so that what stands inside one of them can't forge another. No other module prints, and none makes a log
handler of its own; a test over the sources holds that.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, TextIO

from sealift_core.terminal.printable import printable, printable_json

#: What stands before the lines of a traceback: none of them looks like a record of a log, or like an error of ours.
_CONTINUED: Final = "    | "


def say(*lines: str, error: bool = False) -> None:
    """Print lines on standard output, or on standard error; each is one line whatever it holds."""
    _write(sys.stderr if error else sys.stdout, "".join(f"{printable(line)}\n" for line in lines))


def say_json(value: Any, *, error: bool = False, indent: int | None = None) -> None:
    """Print a JSON document: what would steer a terminal is escaped as JSON does it, so a parser reads the same value."""
    _write(sys.stderr if error else sys.stdout, f"{printable_json(json.dumps(value, indent=indent, ensure_ascii=False))}\n")


def _write(stream: TextIO, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="", file=stream, flush=True)


class OneLineFormatter(logging.Formatter):
    """A record is one line; a traceback that belongs to it follows, each of its lines marked as one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """The record without its traceback."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  (logging's name)
        """The traceback below it."""
        return _marked(_traceback_lines(*ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  (logging's name)
        """The stack below it, where that was asked for."""
        return _marked(stack_info.split("\n"))


def _marked(lines: Iterable[str]) -> str:
    return "\n".join(f"{_CONTINUED}{printable(line)}" for line in lines)


def _traceback_lines(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> list[str]:
    """A traceback's lines; what an error says is one of them, whatever it holds."""
    lines: list[str] = []
    for part in traceback.format_exception(kind, error, trace):
        text = part.removesuffix("\n")
        lines += text.split("\n") if text.startswith(("  File ", "\n")) else [text]
    return lines


def log_to_stderr(form: str) -> None:
    """Log from INFO on, on standard error; what Python itself says there, warnings and tracebacks, goes the same way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    guard_stderr()
    threading.excepthook = lambda args: _show_traceback(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)


def guard_stderr() -> None:
    """Escape what Python says by itself too, for it often quotes an input: warnings, unforeseen errors, records that no handler takes."""
    sys.excepthook = _show_traceback
    warnings.showwarning = _show_warning
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLineFormatter())


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    first, *rest = _traceback_lines(kind, error, trace)
    _write(sys.stderr, f"{printable(first)}\n{_marked(rest)}\n")


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    del line  # the source's line says nothing to a user
    _write(file or sys.stderr, printable(f"{filename}:{lineno}: {category.__name__}: {message}") + "\n")
