"""Missing text: NaN in a table, ``""`` in a tensor, which has nothing else for it. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.trees.within import fitted_parts


def knows_missing_text(model: Any) -> bool:
    """Whether a step was fitted to do something with NaN among text, and none takes ``""`` for a category of its own."""
    handles_missing = False
    for part in fitted_parts(model):
        handles_missing |= fills_text(part)
        for categories in getattr(part, "categories_", ()):
            values = np.asarray(categories, dtype=object)
            if any(isinstance(item, str) and item == "" for item in values):
                return False
            texts = any(isinstance(item, str) for item in values)
            handles_missing |= texts and any(item is None or item != item for item in values)
    return handles_missing


def fills_text(part: Any) -> bool:
    """Whether a step is an imputer of text whose missing value is NaN. Constant numbers are objects too, as `statistics_` has them."""
    return (
        type(part).__name__ == "SimpleImputer"
        and part.missing_values != part.missing_values
        and any(isinstance(value, str) for value in getattr(part, "statistics_", ()))
    )
