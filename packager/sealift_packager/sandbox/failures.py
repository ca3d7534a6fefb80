"""Errors as messages, and back: their class by its name, their words as text. What isn't one of ours is a fault, with its traceback."""

from __future__ import annotations

import traceback
from typing import Any, Final

from sealift_core import errors as runtime_errors
from sealift_core.errors import SealiftError
from sealift_packager import errors as packager_errors

_PARTS: Final = ("message", "where", "expected", "found", "advice")
_MAX_CHARACTERS: Final = 20_000
_CLASSES: Final[dict[str, type[SealiftError]]] = {
    name: class_
    for module in (runtime_errors, packager_errors)
    for name, class_ in vars(module).items()
    if isinstance(class_, type) and issubclass(class_, SealiftError)
}


class BuildFaultError(RuntimeError):
    """A fault of ours in the process that builds; the text is its traceback."""


def encode_failure(error: Exception) -> dict[str, Any]:
    """The fields of a message that says what an error is; JSON can hold them."""
    if isinstance(error, SealiftError):
        name = next(base.__name__ for base in type(error).__mro__ if base.__name__ in _CLASSES)
        return {"kind": name, **{part: _cut(getattr(error, part)) for part in _PARTS}}
    if isinstance(error, OSError) and error.errno is not None:
        return {"kind": "OSError", "number": error.errno, "message": str(error.strerror), "where": _cut(error.filename)}
    return {"kind": "", "message": "".join(traceback.format_exception(error))[-_MAX_CHARACTERS:]}


def decode_failure(fields: dict[str, Any]) -> Exception:
    """The error that `encode_failure` was given; a `BuildFaultError` if the fields name no error of ours and no ``OSError``."""
    texts = {part: _cut(fields.get(part)) for part in _PARTS}
    message = texts.pop("message") or "no message"
    name, number = fields.get("kind"), fields.get("number")
    if isinstance(name, str) and name in _CLASSES:
        return _CLASSES[name](message, **texts)
    if name == "OSError" and isinstance(number, int):
        return OSError(number, message, texts["where"])
    return BuildFaultError(message)


def _cut(value: object) -> str | None:
    return None if value is None else str(value)[:_MAX_CHARACTERS]
