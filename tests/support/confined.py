"""Code of a test, run behind the walls."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

from sealift_core.process.child import ChildOutcome, run_child
from sealift_core.process.sandbox import Confinement

_START = """
import json, os, sys
from sealift_core.schema.documents import Document
from sealift_core.process.sandbox import Confinement, confine
sys.path.insert(0, {tests!r})
{before}
confinement = Confinement.parse(Document.parse_json({confinement!r}.encode(), where="confinement", max_bytes=10**6))
confine(confinement, {parent})
{after}
os.write(int(sys.argv[-1]), json.dumps(result).encode())
"""


def behind_walls(after: str, *, before: str = "", timeout_s: float = 60, **confinement: Any) -> ChildOutcome:
    """How a process ends that runs ``before``, confines itself, and runs ``after``, which may set ``result``."""
    code = _START.format(
        tests=str(Path(__file__).parents[1]),
        before=textwrap.dedent(before),
        after="result = None\n" + textwrap.dedent(after),
        confinement=json.dumps(Confinement(**confinement).json()),
        parent=os.getpid(),
    )
    return run_child([sys.executable, "-P", "-c", code], timeout_s=timeout_s)
