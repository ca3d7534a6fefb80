r"""Where everything that the commands print and log leaves the program: no terminal and no log gets what others wrote as it is.

Each text given to `say` is one line, and each log record too: a line break in it is shown as ``\n`` (`printable`). Output of several
lines is several texts, so that what stands inside one of them can't forge another. No other module prints, and none makes a log
handler of its own; a test over the sources holds that.

Where the log is JSON, whatever is said on standard error is a record of it, so that a program can read that stream line by line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from types import TracebackType
from typing import Any, Final, TextIO

from sealift_core.terminal.printable import printable, printable_json
from sealift_core.terminal.records import OURS, JsonFormatter, OneLineFormatter, marked, traceback_lines

__all__ = ["OneLineFormatter", "guard_stderr", "log_nowhere", "log_to_stderr", "logs_json", "say", "say_json"]

_COMMAND: Final = logging.getLogger(f"{OURS}.command")


def say(*lines: str, error: bool = False, level: int = logging.INFO) -> None:
    """Print lines.

    Args:
        *lines: The lines; each is one line whatever it holds.
        error: Whether they go to standard error, and not to standard output.
        level: The level of the records that they are on standard error where the log is JSON.
    """
    if error and logs_json():
        for line in lines:
            _record(level, line)
    else:
        _write(sys.stderr if error else sys.stdout, "".join(f"{printable(line)}\n" for line in lines))


def _record(level: int, line: str, exc_info: Any = None) -> None:
    """A record of what is said in any case, whatever the log's level is."""
    record = _COMMAND.makeRecord(_COMMAND.name, level, "", 0, "%s", (line,), exc_info)
    for handler in logging.getLogger().handlers:
        handler.handle(record)


def say_json(value: Any, *, error: bool = False, indent: int | None = None) -> None:
    """Print a JSON document: what would steer a terminal is escaped as JSON does it, so a parser reads the same value.

    Args:
        value: What JSON can hold.
        error: Whether it goes to standard error, and not to standard output.
        indent: Spaces per level; None for one line.
    """
    _write(sys.stderr if error else sys.stdout, f"{printable_json(json.dumps(value, indent=indent, ensure_ascii=False))}\n")


def _write(stream: TextIO, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="", file=stream, flush=True)


class _StderrHandler(logging.Handler):
    """Writes each record to whatever is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            _write(sys.stderr, f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001  # as every handler does: a log that can't be written ends no work
            self.handleError(record)


def logs_json() -> bool:
    """Tell whether what is logged on standard error is JSON."""
    return any(isinstance(handler, _StderrHandler) and isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def log_to_stderr(formatter: str | logging.Formatter, *, level: int = logging.INFO, libraries: int = logging.INFO) -> None:
    """Log on standard error; what Python itself says there, warnings and tracebacks, goes the same way.

    Args:
        formatter: What a record's line looks like; a text is a format of `logging`.
        level: From which level on Sealift's own records are written.
        libraries: The same for those of libraries.
    """
    log_nowhere()
    handler = _StderrHandler()
    handler.setFormatter(OneLineFormatter(formatter) if isinstance(formatter, str) else formatter)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(libraries)
    logging.getLogger(OURS).setLevel(level)
    guard_stderr()
    threading.excepthook = lambda args: _show_traceback(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)


def log_nowhere() -> None:
    """Undo `log_to_stderr`: only what nobody handles is shown, from WARNING on, as Python does it."""
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, _StderrHandler)]
    for handler in ours:
        root.removeHandler(handler)
    if ours:
        root.setLevel(logging.WARNING)
        logging.getLogger(OURS).setLevel(logging.NOTSET)


def guard_stderr() -> None:
    """Escape what Python itself says, which often quotes an input: warnings, unforeseen errors, records that no handler takes."""
    sys.excepthook = _show_traceback
    warnings.showwarning = _show_warning
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLineFormatter())


def _show_traceback(error_class: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if logs_json():
        _record(logging.CRITICAL, "unexpected error; please report it", (error_class, error, trace))
        return
    first, *rest = traceback_lines(error_class, error, trace)
    _write(sys.stderr, f"{printable(first)}\n{marked(rest)}\n")


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    del line  # the source's line says nothing to a user
    text = f"{filename}:{lineno}: {category.__name__}: {message}"
    if file is None and logs_json():
        _record(logging.WARNING, text)
    else:
        _write(file or sys.stderr, f"{printable(text)}\n")
