"""Which rows set the ranges of activations. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from sealift_packager.load.source import Array, Arrays

ROWS: Final = 200


def calibration_rows(inputs: Arrays, *, seed: int) -> dict[str, Array]:
    """At most `ROWS` rows of the holdout, drawn by the seed, in their own order."""
    total = len(next(iter(inputs.values())))
    picked = np.sort(np.random.default_rng([seed, total]).permutation(total)[:ROWS])
    return {name: value[picked] for name, value in inputs.items()}
