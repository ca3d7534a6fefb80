"""Run a family of the corpus through ``sealift pack`` in one process, and say what came of each case.

``python -m support.bad_models MODULE FOLDER`` prints a JSON line per case as soon as it is done, so a case that hangs or kills the process
is known by its missing line. The peak is the resident memory's high-water mark, set back before each case.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import time
from pathlib import Path

from sealift_packager.cli import cli
from sealift_runtime import commandline

OPTIONS = ["--name", "bad", "--version", "1.0.0", "--profile", "arm64-baseline", "--no-cache"]


def main(module: str, folder: Path, names: list[str]) -> None:
    cases = importlib.import_module(module).CASES
    for number, (name, case) in enumerate(cases.items()):
        if names and name not in names:
            continue
        place = folder / str(number)
        place.mkdir(parents=True)
        words = [str(word) for word in case.make(place)]
        Path("/proc/self/clear_refs").write_text("5")
        start = time.monotonic()
        code, out, err = packed([*words, *OPTIONS, "--out", str(place / "out")])
        row = {"name": name, "code": code, "out": out, "err": err, "peak_bytes": peak_bytes(), "seconds": time.monotonic() - start}
        print(json.dumps(row | {"left": (place / "out").exists()}), flush=True)


def packed(words: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            commandline.run(cli, ["pack", *words])
        except SystemExit as done:
            code = int(done.code or 0)
        except BaseException as error:  # noqa: BLE001  # a fault of ours: what the command would show as a traceback, with exit code 1
            code = 1
            err.write(f"Traceback: {type(error).__name__}: {error}")
    return code, out.getvalue(), err.getvalue()


def peak_bytes() -> int:
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
