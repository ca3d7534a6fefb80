"""A model whose file another version of its library wrote than reads it: said before anything else. Pure."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from sealift_core.errors import SealiftError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionSkew:
    """``made_with`` and ``read_with`` are versions of ``library``, which pip knows as ``package``; the first may be words if it isn't known."""

    library: str
    package: str
    made_with: str
    read_with: str

    def __str__(self) -> str:
        return f"the model was made with {self.library} {self.made_with}, read with {self.read_with}"

    @property
    def note(self) -> str:
        """For the report: what a reader must know of a model that was packed in spite of it."""
        return (
            f"Warning: {self}. The bundle was compared with what {self.library} {self.read_with} makes of the file, which may answer otherwise than "
            f"{self.made_with} did. {self.advice}"
        )

    @property
    def advice(self) -> str:
        """What to do about it."""
        pinned = f"Pack it where that version is installed (pip install {self.package}=={self.made_with})"
        exact = self.made_with[:1].isdigit()
        return f"{pinned if exact else 'Pack it where the version that made it is installed'}, or train and save it again with {self.read_with}."


@contextlib.contextmanager
def telling(skew: VersionSkew | None) -> Iterator[None]:
    """Whatever error leaves the block says so first: an old file is the likeliest reason of all."""
    try:
        yield
    except SealiftError as error:
        if skew is not None and str(skew) not in error.message:
            error.message = f"{skew}; {error.message}"
            error.advice = f"{error.advice} {skew.advice}" if error.advice else skew.advice
        raise
