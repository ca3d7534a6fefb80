"""The emulated side: ``python emulated.py MODEL INPUTS.npz OUTPUTS.npz SECONDS KEY=VALUE…`` under qemu-user.

Imports nothing of ours: another architecture's Python has numpy and onnxruntime, and no more. Text in the files is fixed-width unicode, so that
reading needs no pickle.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any, Final

import numpy as np
import onnxruntime

#: The exit status of a run that would take longer than SECONDS.
TOO_SLOW: Final = 75
#: Before the names of outputs, for numpy.savez takes none that is called ``file``.
PREFIX: Final = "output:"
BATCH: Final = 64
_FATAL: Final = 4


def main(arguments: list[str]) -> int:
    """Answer all rows: the first request alone, to estimate how long the others will take."""
    model, inputs, outputs, seconds, *entries = arguments
    session = _open(model, entries)
    with np.load(inputs) as archive:
        feeds = {name: _objects(archive[name]) for name in archive.files}
    rows = len(next(iter(feeds.values())))
    fixed = [input_.shape[0] for input_ in session.get_inputs() if input_.shape and isinstance(input_.shape[0], int)]
    first, size = (fixed[0], fixed[0]) if fixed else (1, BATCH)
    start = time.monotonic()
    feeds = {name: _filled(value, -rows % size) for name, value in feeds.items()} if fixed else feeds
    parts = [session.run(None, {name: value[:first] for name, value in feeds.items()})]
    if (time.monotonic() - start) * math.ceil(rows / first) > float(seconds):
        return TOO_SLOW
    parts += [session.run(None, {name: value[at : at + size] for name, value in feeds.items()}) for at in range(first, rows, size)]
    names = [output.name for output in session.get_outputs()]
    kept = rows if fixed else None
    arrays: dict[str, Any] = {PREFIX + name: _plain(np.concatenate([part[at] for part in parts])[:kept]) for at, name in enumerate(names)}
    np.savez(outputs, **arrays)
    return 0


def _open(model: str, entries: list[str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    for entry in entries:
        key, _, value = entry.partition("=")
        options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _filled(value: Any, more: int) -> Any:
    """With ``more`` rows like the last one, so that a fixed batch is whole."""
    return np.concatenate([value, np.repeat(value[-1:], more, axis=0)])


def _objects(value: Any) -> Any:
    return value.astype(object) if value.dtype.kind == "U" else value


def _plain(value: Any) -> Any:
    return value.astype(np.str_) if value.dtype.kind == "O" else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
