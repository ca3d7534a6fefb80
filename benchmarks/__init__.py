"""The figures that the README states, measured on the machine at hand: ``make bench``.

Reading order:

- ``figure``      one row of the table
- ``models``      the demo's two models, packed and published once into ``.bench``
- ``install``     how large the agent is, and what it leaves out
- ``start``       how soon a command is there, and how soon a model answers
- ``footprint``   the memory of the three processes
- ``serving``     requests per second beside onnxruntime alone
- ``monitoring``  what monitoring for drift costs per request
- ``__main__``    all of them, as one Markdown table

Everything is a median of rounds; what is compared is measured in turns, because a shared machine drifts.
"""

import sys
from pathlib import Path

import sealift_core  # noqa: F401  (before all else: it prepares the environment that other libraries are imported in)

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # for ``support``, as in the tests
