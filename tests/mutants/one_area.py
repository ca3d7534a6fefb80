"""``python -m mutants.one_area AREA PROCESSES ANSWER [BEFORE]``: try every change of an area, and write what no test noticed to ANSWER, as JSON.

With BEFORE, an earlier answer, only what wasn't noticed then is tried: for whoever writes the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from mutants import verdicts
from mutants.areas import AREAS, Area
from mutants.codes import Mutant
from mutants.notice import Noticing

GENERATOR: Final = [".venv-mutants/bin/python", str(Path(__file__).with_name("mutate.py"))]
#: Only quick tests, so one that takes a minute waits for what never comes, on a busy machine too; no traceback is made of what fails, since most
#: changes make something fail.
FLAGS: Final = ["-q", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=60", "-m", "not slow and not long"]


def main(words: list[str]) -> int:
    """Run an area; 0 if there is a result."""
    area, processes, answer = AREAS[words[0]], int(words[1]), Path(words[2])
    mutants = _mutants(area)
    if words[3:]:
        before = json.loads(Path(words[3]).read_text(encoding="utf-8"))["unnoticed"]
        mutants = [mutant for mutant in mutants if _name(mutant) in before]
    plugin = Noticing(mutants, processes)
    pytest.main([*FLAGS, *area.tests], plugins=[plugin])
    if plugin.problem:
        print(f"error: {words[0]}: {plugin.problem}", file=sys.stderr)
        return 1
    answer.write_text(json.dumps({"mutants": [_name(mutant) for mutant in mutants], "unnoticed": [_name(mutant) for mutant in plugin.unnoticed]}))
    return 0


def _mutants(area: Area) -> list[Mutant]:
    files = sorted(str(path) for pattern in area.modules for path in Path().glob(pattern))
    done = subprocess.run([*GENERATOR, *files], stdout=subprocess.PIPE, text=True, check=True)
    return [Mutant(**json.loads(line)) for line in done.stdout.splitlines()]


def _name(mutant: Mutant) -> str:
    return verdicts.name(mutant.module, mutant.function, mutant.change)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
