"""What a project file may say that nobody named.

``./sealift.toml`` and ``./project.toml`` are read because they lie in the working folder, and whoever made that folder wrote them: the author of a
checkout, or another user of ``/tmp``. Nothing in them may run code, sign, send, overwrite, or reach outside their folder:

1. A key is one of `HARMLESS`. Every other key is refused, so a new option is refused here until somebody lists it with a reason.
2. A path lies in the file's own folder, links followed.
3. What may name a function names none.

A file that is named on the command line, or trusted by ``--trust-project``, may say everything.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import UntrustedProjectError
from sealift_packager.profiles.library import is_path

TRUST_OPTION: Final = "--trust-project"


class Rule(enum.Enum):
    """What is checked of a harmless key's values."""

    ANY = "any value"
    INSIDE = "a path in the file's folder"
    NO_FUNCTION = "no function"
    DATA = "a path in the file's folder, and no function"
    PROFILE = "a shipped profile's name, or a path in the file's folder"


#: Why each may stand in a file that nobody named. What isn't here may not: ``key`` and ``passphrase-file`` sign; ``measure-on`` sends the model
#: away; ``trust-pickle`` and ``factory`` run code; ``force`` overwrites; ``locked`` believes figures instead of measuring them;
#: ``no-sandbox`` takes the walls away.
HARMLESS: Final[Mapping[str, Rule]] = {
    # Text that the bundle bears.
    "name": Rule.ANY,
    "version": Rule.ANY,
    "description": Rule.ANY,
    "license": Rule.ANY,
    # Files that are read as data, never run: a pickle is refused without --trust-pickle, which can't stand here. Inside the folder, so that no
    # private file of the person who packs becomes part of a bundle.
    "model": Rule.INSIDE,
    "data": Rule.DATA,
    "golden-from": Rule.DATA,
    "example": Rule.INSIDE,
    # How that data is read: words and numbers.
    "format": Rule.ANY,
    "target": Rule.ANY,
    "state-key": Rule.ANY,
    "allow-extra": Rule.ANY,
    "dynamic": Rule.ANY,
    "shape": Rule.ANY,
    "inputs": Rule.ANY,
    "image-mean": Rule.ANY,
    "image-std": Rule.ANY,
    # Which machines are built for: a profile is a document that is parsed.
    "profile": Rule.PROFILE,
    "objective": Rule.ANY,
    # How candidates are held against the folder's own model on the folder's own data; the bundle and the report say by what they were judged.
    "metric": Rule.NO_FUNCTION,
    "output": Rule.ANY,
    "max-drop": Rule.ANY,
    "seed": Rule.ANY,
    # Time and progress only.
    "measure-seconds": Rule.ANY,
    "model-timeout": Rule.ANY,
    "no-cache": Rule.ANY,
    "json": Rule.ANY,
    # What is written: inside the folder, where nothing stands that isn't the folder's own.
    "out": Rule.INSIDE,
    "lock": Rule.INSIDE,
    "locks": Rule.INSIDE,
    "report": Rule.INSIDE,
}


def refuse_unasked(settings: Mapping[str, Any], file: Path, *, where: str, consent: str) -> None:
    """Raise `UntrustedProjectError`, which names the keys, for settings of ``file`` that it may only make if it is named.

    ``where`` is the file (and table) as messages name it, ``consent`` what to type to name it.
    """
    refused = [f"{key}{reason}" for key, value in settings.items() if (reason := _refusal(key, value, file.absolute().parent)) is not None]
    if refused:
        raise UntrustedProjectError(
            "this project file was found, not named, so it may not set this option",
            where=where,
            expected="only options that don't run code, sign, send data or overwrite files",
            found=", ".join(refused),
            advice=f"If you trust this folder, pass {consent}, or {TRUST_OPTION}.",
        )


def _refusal(key: str, value: Any, folder: Path) -> str | None:
    """Why a setting is refused, to stand behind its key (nothing to add for a whole key); None if it is harmless."""
    rule = HARMLESS.get(key)
    if rule is None:
        return ""
    if rule in (Rule.NO_FUNCTION, Rule.DATA) and any(":" in text for text in _texts(value)):
        return " (may name a function)"
    paths = [text for text in _texts(value) if rule in (Rule.INSIDE, Rule.DATA) or (rule is Rule.PROFILE and is_path(text))]
    return None if all(_inside(text, folder) for text in paths) else " (a path outside the folder)"


def _texts(value: Any) -> Iterator[str]:
    """The texts of a value; one of a wrong type is told by whoever reads it."""
    yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _inside(text: str, folder: Path) -> bool:
    try:
        return (folder / text).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        return False
