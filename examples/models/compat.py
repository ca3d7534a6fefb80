"""Pack every example model for one profile and write what came out: docs/reference/compatibility.md. Run by ``make compat``.

Each model is built and packed in a process of its own, which may take ten minutes; one that fails is listed with its error.
Results are kept in ``build/compat``, so an interrupted run continues where it stopped. A result that other code made is made again; ``--fresh``
makes all of them again. ``--only`` keeps the rest of the table, and tells which of it other code made; a line of
the page without a result stays.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from table import write_table

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
RESULTS = ROOT / "build" / "compat"
#: What a result depends on.
CODE = ("core", "packager", "runtime", "hardware-profiles", "examples")
TIMEOUT_S = 600


def main() -> None:
    """Pack the chosen examples, each in a process of its own, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="pack only examples whose name begins with this; may be repeated")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results of the examples that are run")
    parser.add_argument("--profile", default="x86-64-avx2")
    parser.add_argument("--table-only", action="store_true", help="write the table from earlier results")
    arguments = parser.parse_args()
    names = json.loads(subprocess.run([sys.executable, FOLDER / "one.py", "--list"], capture_output=True, check=True).stdout)
    chosen = [name for name in names if not arguments.only or name.startswith(tuple(arguments.only))]
    code = _code()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(chosen if not arguments.table_only else [], 1):
        result = RESULTS / f"{name}.json"
        if arguments.fresh or _is_stale(result, code):
            result.write_text(json.dumps(_run(name, arguments.profile) | {"code": code}), encoding="utf-8")
        outcome = json.loads(result.read_text(encoding="utf-8"))
        print(f"{number:3}/{len(chosen)} {name}: {outcome.get('chosen') or outcome['error'][:200]}", flush=True)
    outcomes = [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names if (RESULTS / f"{name}.json").exists()]
    others = [outcome["name"] for outcome in outcomes if outcome.get("code") != code]
    if others:
        print(f"{len(others)} of {len(outcomes)} results were made by other code: {', '.join(others)}")
    write_table(outcomes, arguments.profile, ROOT / "docs" / "reference" / "compatibility.md", names)


def _code() -> str:
    """A digest of what a result depends on."""
    total = hashlib.sha256()
    files = (path for folder in CODE for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".py", ".toml"))
    for path in files:
        total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return total.hexdigest()


def _is_stale(result: Path, code: str) -> bool:
    return not result.exists() or json.loads(result.read_text(encoding="utf-8")).get("code") != code


def _run(name: str, profile: str) -> dict[str, object]:
    start = time.monotonic()
    command = [sys.executable, str(FOLDER / "one.py"), name, profile]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    except subprocess.TimeoutExpired:
        return {"name": name, "family": "", "error": f"not done after {TIMEOUT_S} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"name": name, "family": "", "error": lines[-1], "seconds": time.monotonic() - start}
    outcome: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return outcome


if __name__ == "__main__":
    main()
