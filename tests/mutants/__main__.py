"""``python -m mutants [AREA …]``: change the code that decides, one small change at a time, and see whether its own tests notice.

Prints a table. Fails if an area's tests notice less than 95 % of the changes that behaviour depends on, and names those they don't.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mutants.areas import AREAS
from mutants.verdicts import AreaVerdict, judge, read


def main(words: list[str]) -> int:
    """Run the areas; 0 if each notices enough."""
    unknown = [word for word in words if word not in AREAS]
    if unknown:
        print(f"error: there is no area {unknown[0]}: expected {', '.join(AREAS)}", file=sys.stderr)
        return 2
    verdicts = {area: _run(area) for area in words or AREAS}
    for area, verdict in verdicts.items():
        _explain(area, verdict)
    _table(verdicts)
    return int(any(verdict is None or not verdict.is_enough for verdict in verdicts.values()))


def _run(area: str) -> AreaVerdict | None:
    print(f"{area} …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        processes = os.environ.get("PROCESSES", str(os.cpu_count() or 1))
        subprocess.run([sys.executable, "-m", "mutants.one_area", area, processes, str(answer)], check=False)
        if not answer.exists():
            return None
        result = json.loads(answer.read_text(encoding="utf-8"))
    return judge(result["mutants"], result["unnoticed"], read(area))


def _explain(area: str, verdict: AreaVerdict | None) -> None:
    if verdict is None:
        return
    for change in verdict.unlisted:
        print(f"{area}: unnoticed: {json.dumps(change, ensure_ascii=False)},")
    for change in verdict.stale:
        print(f"{area}: listed, but noticed or gone: {json.dumps(change, ensure_ascii=False)},")


def _table(verdicts: dict[str, AreaVerdict | None]) -> None:
    rows = [["area", "changes", "noticed", "listed", "share"]]
    for area, verdict in verdicts.items():
        if verdict is None:
            rows.append([area, "no result", "", "", ""])
        else:
            rows.append([area, str(verdict.mutants), str(verdict.noticed), str(verdict.listed), f"{verdict.share:.1%}"])
    rows.insert(1, ["---"] * len(rows[0]))
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
