"""Data that a person's own function gives: ``module:function`` or ``path/to/file.py:function``, without arguments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from sealift_core.errors import SealiftError
from sealift_packager.errors import DataError, caused_by
from sealift_packager.plugins.functions import load_callable

_REFERENCE: Final = re.compile(r"(.+\.py|[A-Za-z_]\w*(\.\w+)*):[A-Za-z_]\w*")


def is_function(reference: Path) -> bool:
    """Whether ``--data`` names a function, and no file."""
    return _REFERENCE.fullmatch(str(reference)) is not None and not reference.exists()


def call_function(reference: Path, *, where: str) -> Any:
    """What the function gives; `DataError` if it can't be found or fails."""
    function = load_callable(str(reference), where=where, error=DataError)
    try:
        return function()
    except SealiftError:
        raise
    except Exception as error:  # the user's own function
        raise DataError(
            f"the function failed ({caused_by(error)})",
            where=where,
            advice="Call it in Python first, without arguments.",
        ) from error
