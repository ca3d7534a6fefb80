"""Libraries that talk: nothing of it reaches stdout or stderr while a block runs."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop prints, warnings and log records of the libraries called in the block; errors go through as exceptions."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def quiet_process() -> Iterator[None]:
    """`quiet`, and what native code writes to the process's own stdout and stderr too (torch's TorchScript exporter dumps graphs there)."""
    with open(os.devnull, "wb") as nothing, contextlib.ExitStack() as undo:  # noqa: PTH123  (a device, not a path of ours)
        for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            kept = os.dup(number)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, number)
            os.dup2(nothing.fileno(), number)
        with quiet():
            yield
