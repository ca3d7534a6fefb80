"""Pack every example model for one profile and write what came out: docs/reference/compatibility.md. Run by ``make compat``.

Each model is built and packed in a process of its own, which may take ten minutes; one that fails stands in the table with its message.
Results are kept in ``build/compat``, so a run that was broken off goes on where it was. What other code made is made anew, and so is everything
with ``--fresh``; ``--only`` leaves the rest of the table as it was, and says so.
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

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "build" / "compat"
CODE = ("packager", "runtime", "hardware-profiles", "examples/models")
TIMEOUT_S = 600


def main() -> None:
    """Pack the examples that were asked for, each in a process of its own, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="only examples whose name begins with this; may come several times")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results of the examples that are run")
    parser.add_argument("--profile", default="x86-64-avx2")
    parser.add_argument("--table-only", action="store_true", help="write the table from what is there")
    arguments = parser.parse_args()
    names = json.loads(subprocess.run([sys.executable, HERE / "one.py", "--list"], capture_output=True, check=True).stdout)
    wanted = [name for name in names if not arguments.only or name.startswith(tuple(arguments.only))]
    code = _code()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(wanted if not arguments.table_only else [], 1):
        result = RESULTS / f"{name}.json"
        if arguments.fresh or _is_stale(result, code):
            result.write_text(json.dumps(_run(name, arguments.profile) | {"code": code}), encoding="utf-8")
        found = json.loads(result.read_text(encoding="utf-8"))
        print(f"{number:3}/{len(wanted)} {name}: {found.get('chosen') or found['error'][:200]}", flush=True)
    rows = [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names if (RESULTS / f"{name}.json").exists()]
    others = [row["name"] for row in rows if row.get("code") != code]
    if others:
        print(f"{len(others)} of {len(rows)} rows were made by other code: {', '.join(others)}")
    write_table(rows, arguments.profile, ROOT / "docs" / "reference" / "compatibility.md")


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
    command = [sys.executable, str(HERE / "one.py"), name, profile]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    except subprocess.TimeoutExpired:
        return {"name": name, "family": "", "error": f"not done after {TIMEOUT_S} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"name": name, "family": "", "error": lines[-1], "seconds": time.monotonic() - start}
    found: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
