"""The names of a table's columns: are they those that a model takes, and what to do if they aren't. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from sealift_core.errors import first_few, nearest
from sealift_packager.errors import DataError

#: So many names are listed in an error.
_SHOWN: Final = 12
#: What pandas calls the index that it wrote into a file.
_INDEX: Final = "Unnamed: 0"
_DROP_INDEX: Final = "The column without a name is an index: save the table without it, with to_csv(…, index=False)."
_ADD_NAMES: Final = "If the first line holds data, add a line with a name for each column before it."


def check_header(names: list[str], where: str) -> None:
    """Raise `DataError` where a file of text, of which neither the target nor the model knows a name, may begin with data: as 0, 1, 2 names do."""
    count_up = all(name.isdigit() for name in names) and len({int(name) - at for at, name in enumerate(names)}) == 1
    if any(_is_number(name) for name in names) and not count_up:
        raise DataError("the first line may hold data, not names", where=where, expected="a header line", found=listed(names), advice=_ADD_NAMES)


def on_spaces(names: list[str]) -> str | None:
    """What to do where a file has one name with spaces in it."""
    return "If the file's columns are separated by spaces, separate them by commas." if len(names) == 1 and len(names[0].split()) > 1 else None


def on_header(names: list[str]) -> str | None:
    """What to do where a file's names are none that a model or a person would use."""
    if _INDEX in names:
        return _DROP_INDEX
    return _ADD_NAMES if any(_is_number(name) for name in names) else None


def check_names(expected: list[str], given: list[str], noun: str, where: str, repeated: frozenset[str]) -> None:
    """Raise `DataError` unless the ``expected`` names of columns or inputs (``noun``) were ``given``, in any order, and no others."""
    missing, extra = [name for name in expected if name not in given], [name for name in given if name not in expected]
    if not missing and not extra:
        return
    details = [f"missing {listed(missing)}"] if missing else []
    details += [f"unexpected {listed(extra)}"] if extra else []
    pairs = [(name, nearest(name, extra)) for name in missing[:5]]
    hints = [f"{name}: {hint}" for name, hint in pairs if hint]
    twice = f"Several columns have the name {', '.join(sorted(repeated))}; rename them." if repeated else ""
    header = on_header(extra) if extra else None
    advice = (
        twice
        or " ".join(hints)
        or header
        or ("Remove the columns that the model does not take, or name the target with --target." if extra else None)
    )
    raise DataError(
        f"the {noun}s are not those of the model's inputs", where=where, expected=listed(expected), found="; ".join(details), advice=advice
    )


def listed(names: Iterable[str]) -> str:
    """The first names, and how many there are."""
    return first_few(list(names), _SHOWN)


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name.replace(",", ".")))
    except ValueError:
        return False
