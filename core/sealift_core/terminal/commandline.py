"""What the three commands share: errors become one message and a documented exit code, results become text or JSON.

The exit codes:

    0    done
    1    a fault of ours: please report it (the traceback is shown)
    2    the command line is wrong (click's own)
    3    an input is wrong: a file, a document, a key, an option's value
    4    refused: a signature, digest, size, or repository metadata doesn't hold
    5    another side can't be reached, or has no such file
    6    this machine can't: disk, memory, hardware, a port, a lock, a sandbox, a library
    7    a model doesn't pass: parity, accuracy gate, self-test
    8    two bundles differ (``sealift diff``)
    129  told to end by SIGHUP, as when a terminal closes
    130  interrupted with Ctrl-C
    143  told to end by SIGTERM
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, Final, NoReturn

import click

from sealift_core import errors
from sealift_core.terminal.printing import guard_stderr, say, say_json

EXIT_CODES: Final[tuple[tuple[type[errors.SealiftError], int], ...]] = (
    (errors.IntegrityError, 4),
    (errors.OversizedError, 4),
    (errors.TrustError, 4),
    (errors.ReportError, 4),
    (errors.TransportError, 5),
    (errors.StoreError, 6),
    (errors.HardwareError, 6),
    (errors.BusyError, 6),
    (errors.SandboxError, 6),
    (errors.InstallationError, 6),
    (errors.MemoryShortageError, 6),
    (errors.EngineError, 7),
    (errors.SealiftError, 3),
)


_OURS: Final = "sealift_"
_INSTALL: Final = "Install the missing package in a version that this wheel declares. If a package is installed but broken, install what it needs."


def exit_code(error: errors.SealiftError) -> int:
    """Look up the documented exit code of an error; an ``exit_code`` attribute on its class wins over the table.

    Args:
        error: The error.

    Returns:
        The code.
    """
    code = getattr(error, "exit_code", None)
    return code if isinstance(code, int) else next(code for error_class, code in EXIT_CODES if isinstance(error, error_class))


def run(command: click.Command, arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit. Every `SealiftError` is shown as one line, as JSON on standard error under ``--json``.

    Args:
        command: The program.
        arguments: The words after the program's name; those of this process by default.

    Raises:
        SystemExit: Always, with a documented exit code.
        Exception: A fault of ours, as it was raised.
    """  # noqa: DOC501  (what is raised again is a fault of ours)
    words = sys.argv[1:] if arguments is None else arguments
    guard_stderr()
    os.umask(os.umask(0o077) | 0o002)  # whatever the machine's umask is: nobody else may write what this command makes
    try:
        with _signals_raised():
            command.main(args=words, standalone_mode=False)
    except errors.SealiftError as error:
        _end(error, as_json="--json" in words)
    except click.ClickException as error:
        if "--json" in words:
            _say_as_json(error.format_message(), error, error.exit_code)
        else:
            say(*_usage(error), error=True, level=logging.ERROR)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        number = error.signal if isinstance(error, _SignalReceived) else signal.SIGINT
        say("interrupted" if number == signal.SIGINT else f"ended by {number.name}", error=True, level=logging.ERROR)
        sys.exit(128 + number)
    except ImportError as error:
        if (error.name or "").startswith(_OURS):
            raise
        message = "a library that this command needs can't be imported"
        _end(errors.InstallationError(message, found=str(error), advice=_INSTALL), as_json="--json" in words)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    sys.exit(0)


class _SignalReceived(KeyboardInterrupt):
    """A signal asked this process to end: as Ctrl-C does, so that temporary folders are removed and child processes ended on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise `_SignalReceived` on the first SIGINT, SIGTERM or SIGHUP, unless whoever started this process has them ignored (nohup).

    It is raised once more for whatever the body raises then: a C extension that was just being imported makes an `ImportError` of it.
    """  # noqa: DOC501  (private)
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)  # the second one ends the process at once
        raise _SignalReceived(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)} if _is_main_thread() else {}
    before = {number: handler for number, handler in before.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if received:
            raise _SignalReceived(received[0]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_main_thread() -> bool:
    """Whether signals can be handled here: only the main thread may."""
    return threading.current_thread() is threading.main_thread()


def _end(error: errors.SealiftError, *, as_json: bool) -> NoReturn:
    code = exit_code(error)
    if as_json:
        _say_as_json(str(error), error, code)
    else:
        say_error(error)
    sys.exit(code)


def say_error(error: errors.SealiftError) -> None:
    """Print an error on standard error: one line.

    Args:
        error: The error.
    """
    say(f"error: {error}", error=True, level=logging.ERROR)


def _say_as_json(message: str, error: Exception, code: int) -> None:
    say_json({"error": message, "kind": type(error).__name__, "exit_code": code}, error=True)


def _usage(error: click.ClickException) -> list[str]:
    """What click says of a wrong command line: how the command is used, where its help is, what is wrong."""
    text = io.StringIO()
    error.show(file=text)
    return text.getvalue().rstrip("\n").expandtabs(4).split("\n")


json_option: Final[Callable[[Any], Any]] = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for machines.")


def blocks(parts: Iterable[Iterable[str]]) -> list[str]:
    """Set blocks of lines apart.

    Args:
        parts: The lines of each block.

    Returns:
        All lines, with an empty one between two blocks.
    """
    lines = [line for part in parts for line in ("", *part)]
    return lines[1:]


def show(value: Any, text: str | Iterable[str], *, as_json: bool) -> None:
    r"""Print a result, as JSON for machines or as text for people.

    Args:
        value: The result as JSON can hold it.
        text: The result for people, one line or several. A line break inside a line, which a name from outside may hold, is shown as ``\n``.
        as_json: Whether ``value`` is printed, and not ``text``.
    """
    if as_json:
        say_json(value, indent=2)
    else:
        say(*([text] if isinstance(text, str) else text))
