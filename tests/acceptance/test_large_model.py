"""A model of 2.25 GiB of weights packs, verifies, and answers from its bundle; time and peak memory go to stdout (``-s``)."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sealift_packager.model.source import INLINE_BYTES
from sealift_runtime.engine.session import ModelSession
from support import cli, large

WIDTHS = (12288,) * 5
WEIGHTS_BYTES = 4 * sum(first * second for first, second in itertools.pairwise(WIDTHS))
#: Of the weights: the model itself, what candidates are made of, the bundle and its copies.
DISK = 6
#: Of the build's own memory at its peak; files that are mapped don't count, for the kernel may take their pages back.
MEMORY = 3
TIMEOUT_S = 3000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is counted by Linux")
    disk, memory = shutil.disk_usage(tmp_path).free, psutil.virtual_memory().available
    if disk < DISK * WEIGHTS_BYTES or memory < (MEMORY + 1) * WEIGHTS_BYTES:
        wanted = f"{DISK * WEIGHTS_BYTES >> 30} GiB of disk and {(MEMORY + 1) * WEIGHTS_BYTES >> 30} GiB of memory"
        pytest.skip(f"needs {wanted}; there are {disk >> 30} and {memory >> 30} GiB")
    return tmp_path


def packed(environment: dict[str, str], *words: object) -> int:
    """Run ``sealift pack``; the most memory of its own that it had, in bytes."""
    argv, peak = [str(cli.BIN / "sealift"), "pack", *map(str, words)], 0
    with subprocess.Popen(argv, env={**os.environ, **environment}) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
                peak = max([peak, *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:"))])
            time.sleep(0.1)
    assert process.returncode == 0
    return peak


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_a_model_larger_than_one_protobuf_message_goes_all_the_way(folder: Path) -> None:
    assert WEIGHTS_BYTES > 2**31 > INLINE_BYTES
    model, data = large.chain(folder, WIDTHS), large.rows(folder / "rows.npz", WIDTHS[0], 16)
    start = time.monotonic()
    options = ("--name", "large", "--version", "1.0.0", "--profile", "x86-64-avx2", "--data", data, "--metric", "cosine", "--out", folder / "release")
    peak = packed({"SEALIFT_CACHE": str(folder / "cache")}, model, *options)
    print(f"{WEIGHTS_BYTES / 2**30:.2f} GiB packed in {time.monotonic() - start:.0f} s, {peak / WEIGHTS_BYTES:.2f} times its weights at the peak")
    assert peak < MEMORY * WEIGHTS_BYTES
    cli.run("sealift", "unpack", folder / "release", folder / "bundle", "--profile", "x86-64-avx2", timeout_s=TIMEOUT_S).ok()
    print(cli.run("sealift", "explain", folder / "bundle").ok().out)
    rows = {"x": np.random.default_rng(7).standard_normal((2, WIDTHS[0]), dtype=np.float32)}
    found, expected = ModelSession.open(folder / "bundle").run(rows)["y"], large.answer(folder, WIDTHS, rows["x"])
    cosine = (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert (cosine > 0.98).all()
