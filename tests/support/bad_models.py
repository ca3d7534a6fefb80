"""Families of the corpus through ``sealift pack``: each in one process, which says what came of each case as soon as it is done.

It builds there too, where its memory can be measured and libraries are imported once. A user's command has another process build: for that see
tests/packager/sandbox/test_reading_apart.py.

A case that hangs or kills that process is known by its missing line. The peak is the resident memory's high-water mark, set back before each case.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from corpus.badmodels import boosters, data_files, onnx_files, pickles
from corpus.badmodels.case import Case
from sealift_core.terminal import commandline
from sealift_packager.build import isolated as build
from sealift_packager.build import pipeline
from sealift_packager.cli import cli
from support.cli import without_stages

FAMILIES: Final[dict[str, dict[str, Case]]] = {
    "onnx": onnx_files.CASES,
    "pickles and torch": pickles.CASES,
    "boosters": boosters.CASES,
    "data": data_files.CASES,
}
OPTIONS: Final = ("--name", "bad", "--version", "1.0.0", "--profile", "arm64-baseline", "--no-cache")
#: torch, scikit-learn and onnxruntime alone take 600 MiB; a model of a few bytes may take 1 GiB more.
MAX_PEAK_BYTES: Final = 2 * 2**30
MAX_SECONDS: Final = 60
FAMILY_TIMEOUT_S: Final = 900


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """What a case came to. ``left`` says that something stands at ``--out``, ``ran`` that code in the file was run."""

    code: int
    out: str
    err: str
    peak_bytes: int
    seconds: float
    left: bool
    ran: bool


def check(family: str, name: str, *, heavy: bool) -> CaseOutcome:
    """Assert that a case was refused as the corpus says."""
    outcomes, ending = run_family(family, heavy=heavy)
    assert name in outcomes, f"the process ended in or before this case: {ending}"
    outcome, case = outcomes[name], FAMILIES[family][name]
    assert (outcome.code, outcome.out) == (case.code, ""), outcome
    complaint = without_stages(outcome.err)
    assert complaint.startswith("error: "), outcome
    assert len(complaint.splitlines()) == 1, outcome
    for words in case.said:
        assert words in complaint, f"{words!r} is not in {outcome.err!r}"
    assert outcome.peak_bytes <= MAX_PEAK_BYTES
    assert outcome.seconds <= MAX_SECONDS
    assert not outcome.left
    assert not outcome.ran
    return outcome


@functools.cache
def run_family(family: str, *, heavy: bool) -> tuple[dict[str, CaseOutcome], str]:
    """All outcomes of a family by name, and what its process said at its end."""
    with tempfile.TemporaryDirectory(prefix="sealift-bad.") as folder:
        command = [sys.executable, "-m", "support.bad_models", family, folder, *(["heavy"] if heavy else [])]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FAMILY_TIMEOUT_S, cwd=Path(__file__).parents[1])
        except subprocess.TimeoutExpired as error:
            printed = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
            return _parsed(printed), f"it took more than {FAMILY_TIMEOUT_S} s"
    return _parsed(done.stdout), f"exit status {done.returncode}: {done.stderr[-2000:]}"


def _parsed(text: str) -> dict[str, CaseOutcome]:
    outcomes = [json.loads(line) for line in text.splitlines()]
    return {outcome.pop("name"): CaseOutcome(**outcome) for outcome in outcomes}


def build_here() -> None:
    """Have ``sealift pack`` build in this process."""
    build.pack = pipeline.pack


def main(family: str, folder: Path, *, heavy: bool) -> None:
    """The process's own side."""
    build_here()
    for number, (name, case) in enumerate(FAMILIES[family].items()):
        if case.heavy and not heavy:
            continue
        place = folder / str(number)
        place.mkdir()
        words = [str(word) for word in case.make(place)]
        Path("/proc/self/clear_refs").write_text("5")
        start = time.monotonic()
        code, out, err = packed([*words, *OPTIONS, "--out", str(place / "out")])
        seconds = time.monotonic() - start
        outcome = CaseOutcome(
            code=code,
            out=out,
            err=err,
            peak_bytes=_peak_bytes(),
            seconds=seconds,
            left=(place / "out").exists(),
            ran=(place / "sprung").exists(),
        )
        print(json.dumps({"name": name, **dataclasses.asdict(outcome)}), flush=True)


def packed(words: list[str]) -> tuple[int, str, str]:
    """Exit code and output of ``sealift pack``."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            commandline.run(cli, ["pack", *words])
        except SystemExit as done:
            code = int(done.code or 0)
        except Exception as error:  # noqa: BLE001  # a fault of ours: what the command would show as a traceback, with exit code 1
            code = 1
            err.write(f"Traceback: {type(error).__name__}: {error}")
    return code, out.getvalue(), err.getvalue()


def _peak_bytes() -> int:
    line = next(status_line for status_line in Path("/proc/self/status").read_text().splitlines() if status_line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), heavy="heavy" in sys.argv[3:])
