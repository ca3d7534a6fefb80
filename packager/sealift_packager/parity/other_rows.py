"""Whether a model's answer to a row depends on the other rows of its request, as BatchNorm's does in training mode."""

from __future__ import annotations

from typing import Final

from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.detect import TORCH_FORMATS
from sealift_packager.model.source import Arrays, SourceModel
from sealift_packager.parity.compare import compare, sizes, spreads

#: Asked by themselves. Not one: of that, a variance is 0 or no number.
ROWS: Final = 2


def warn_of_other_rows(source: SourceModel, inputs: Arrays, answers: Arrays) -> str:
    """A warning if the first rows get other answers by themselves than among all; empty if not.

    Only a module of torch is asked: other frameworks answer row by row.
    """
    rows = len(next(iter(inputs.values())))
    if source.format not in TORCH_FORMATS or fixed_batch(source.inputs) is not None or rows <= ROWS:
        return ""
    try:
        alone = source.predict({name: value[:ROWS] for name, value in inputs.items()})
    except Exception:  # noqa: BLE001  # a model that doesn't take so few rows: parity asks with them too, and says so
        return ""
    among = {name: value[:ROWS] for name, value in answers.items()}
    if not compare(among, alone, usual=sizes(answers), usual_spreads=spreads(answers)):
        return ""
    return (
        "the model's answer to a row depends on the other rows of its request, as with BatchNorm in training mode: the score is that of one request "
        f"of {rows} rows, and a device that is sent fewer rows answers them differently"
    )
