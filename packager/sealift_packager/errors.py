"""Every error of the packager.

The tree:

    PackagerError (a SealiftError)
    ├── SourceModelError      a model file can't be read or isn't what it should be
    │   └── UntrustedPickleError  reading it would run code, and nobody said that's fine
    ├── UntrustedProjectError a project file that nobody named sets what only a named one may
    ├── DataError             holdout data doesn't fit the model or the options
    ├── ProfileError          no such hardware profile, or a broken one
    ├── ConversionError       a model can't be turned into ONNX
    ├── QuantizationError     a candidate can't be quantized; the report says so and others go on
    │   └── NothingToQuantizeError  there is nothing in the model that the candidate is about
    ├── ParityError           the converted model answers differently
    ├── GateError             no candidate is within the accuracy budget
    ├── RepositoryError       a repository can't take what it is given
    ├── KitError              a site kit can't be made
    ├── LockError             a lock doesn't fit the build that it is to repeat
    ├── ProjectError          a project file is wrong, or some of its models failed
    ├── DeviceError           a device can't be reached, or can't measure
    │   └── DeviceRefusedError    a device doesn't measure for us
    └── OutputError           the output place is taken or can't be written
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from sealift_core.errors import SealiftError

#: How numpy 2 shows a number or a text.
_NUMPY: Final = re.compile(r"\bnp\.(?:float\d+|u?int\d+|str_|bool_?|longlong|longdouble)\(('[^']*'|\"[^\"]*\"|[^()'\"]*)\)")


class PackagerError(SealiftError):
    """Base of the packager's errors; exit code 3 unless a class says otherwise."""

    exit_code: ClassVar[int] = 3


class SourceModelError(PackagerError):
    """A model file can't be read or isn't what it should be."""


class UntrustedPickleError(SourceModelError):
    """Reading the file would run code in it, and nobody said that's fine."""


class UntrustedProjectError(PackagerError):
    """A project file that nobody named sets what only a named or trusted one may."""


class DataError(PackagerError):
    """Holdout data doesn't fit the model or the options."""


class ProfileError(PackagerError):
    """No such hardware profile, or a broken one."""


class ConversionError(PackagerError):
    """A model can't be turned into ONNX."""


class QuantizationError(PackagerError):
    """A candidate can't be quantized; the report says so and the others go on."""


class NothingToQuantizeError(QuantizationError):
    """There is nothing in the model that the candidate is about: no fault, and the report calls it none."""


class ParityError(PackagerError):
    """The converted model answers differently from its source."""

    exit_code: ClassVar[int] = 7


class GateError(PackagerError):
    """No candidate is within the accuracy budget."""

    exit_code: ClassVar[int] = 7


class RepositoryError(PackagerError):
    """A repository can't take what it is given."""


class KitError(PackagerError):
    """A site kit can't be made."""


class LockError(PackagerError):
    """A lock doesn't fit the build that it is to repeat, or can't be read."""


class ProjectError(PackagerError):
    """A project file is wrong, or some of its models failed."""

    exit_code: ClassVar[int] = 7


class DeviceError(PackagerError):
    """A device that is to measure can't be reached, goes away, or can't do it."""

    exit_code: ClassVar[int] = 5


class DeviceRefusedError(DeviceError):
    """A device doesn't measure for us: it is off there, or our key isn't trusted, or it isn't the device that was meant."""

    exit_code: ClassVar[int] = 4


class OutputError(PackagerError):
    """The output place is taken or can't be written."""

    exit_code: ClassVar[int] = 6


def first_line(error: BaseException) -> str:
    """Shorten an error of another library to what it says first.

    Args:
        error: The error.

    Returns:
        Its first line, with numpy's values as plain ones, or its type's name where it says nothing.
    """
    lines = str(error).strip().splitlines()
    return without_numpy(lines[0]) if lines else type(error).__name__


def caused_by(error: BaseException) -> str:
    """Name an error of another library, for the end of a message of ours.

    Args:
        error: The error.

    Returns:
        "caused by: ", its type's name, and what it says first.
    """
    return f"caused by: {type(error).__name__}: {first_line(error):.300}"


def without_numpy(text: str) -> str:
    """Write numpy's values as others are: ``0.5`` in the place of ``np.float64(0.5)``.

    Args:
        text: Words of a library, or a value's ``repr``.

    Returns:
        The same without the names of numpy's types.
    """
    return _NUMPY.sub(r"\1", text)
