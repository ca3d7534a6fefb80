"""Tensors by name: which differ, and how much. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sealift_packager.diff.difference import BundleDifference
from sealift_packager.diff.documents import MISSING
from sealift_packager.model.source import Array


def compare_tensors(file: str, first: Mapping[str, Array], second: Mapping[str, Array]) -> Iterator[BundleDifference]:
    """One difference for each tensor that isn't the same."""
    for name in dict.fromkeys([*first, *second]):
        if name not in first or name not in second:
            types = (_type(tensors[name]) if name in tensors else MISSING for tensors in (first, second))
            yield BundleDifference(file=file, field=name, first=next(types), second=next(types))
        else:
            yield from _compare(file, name, first[name], second[name])


def _compare(file: str, name: str, first: Array, second: Array) -> Iterator[BundleDifference]:
    if first.dtype != second.dtype or first.shape != second.shape:
        yield BundleDifference(file=file, field=name, first=_type(first), second=_type(second))
        return
    differing = np.asarray(first != second) if first.dtype.kind in "OUS" else ~((first == second) | (_nan(first) & _nan(second)))
    count = int(np.count_nonzero(differing))
    if count:
        at = tuple(int(axis) for axis in np.argwhere(np.atleast_1d(differing))[0])
        summary = f"{count} of {first.size} values differ{_most(first, second)}; the first at {list(at)}: "
        yield BundleDifference(file=file, field=name, first=summary + _at(first, at), second=_at(second, at))


def _at(values: Array, at: tuple[int, ...]) -> str:
    return str(np.atleast_1d(values)[at])


def _nan(values: Array) -> Array:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)


def _most(first: Array, second: Array) -> str:
    if first.dtype.kind not in "fiu":
        return ""
    with np.errstate(invalid="ignore"):
        gaps = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return f", the most by {float(np.nanmax(gaps)):.6g}" if np.isfinite(gaps).any() else ""


def _type(values: Array) -> str:
    return f"{values.dtype} {list(values.shape)}"
