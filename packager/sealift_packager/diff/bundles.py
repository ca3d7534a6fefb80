"""The files of two bundles, each compared as what it is."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.golden import decode_golden
from sealift_core.bundle.limits import LIMITS
from sealift_core.verify.check import DirectoryBundle, check_bundle
from sealift_packager.diff import artifact
from sealift_packager.diff.difference import BundleDifference
from sealift_packager.diff.documents import MISSING, compare_json
from sealift_packager.diff.graphs import compare_graphs
from sealift_packager.diff.tensors import compare_tensors
from sealift_packager.errors import PackagerError
from sealift_packager.model.source import Array

#: Files whose content is compared, up to this size; of others it is said that the bytes differ.
_MAX_BYTES: Final = {
    files.MANIFEST: LIMITS.manifest_bytes,
    files.BASELINE: LIMITS.baseline_bytes,
    files.SBOM: LIMITS.baseline_bytes,
    files.PROVENANCE: LIMITS.baseline_bytes,
    files.GOLDEN: LIMITS.golden_bytes,
    files.CARD: 2**20,
}
_MAX_LINES: Final = 1000


def compare(first: Path, second: Path, profile: str | None = None) -> list[BundleDifference]:
    """All differences of two releases, by profile, or of two bundles (a release with one bundle counts as that).

    Empty if every byte is the same. `PackagerError` if a path is neither, or if one side has several bundles and the other is one.
    """
    with tempfile.TemporaryDirectory(prefix="sealift-diff.") as scratch:
        mine, yours = _bundles(first, Path(scratch, "a"), profile), _bundles(second, Path(scratch, "b"), profile)
        if len(mine) == len(yours) == 1:
            return list(compare_bundles(next(iter(mine.values())), next(iter(yours.values()))))
        if not (artifact.is_release(first) and artifact.is_release(second)):
            raise PackagerError(
                "a single bundle can't be compared with several", where=f"{first}, {second}", advice="Name one of them with --profile."
            )
        return list(_by_profile(mine, yours))


def _bundles(path: Path, scratch: Path, profile: str | None) -> dict[str, Path]:
    """Bundle directories by profile, unpacked where they are in a release."""
    if not artifact.is_release(path):
        return {artifact.view(path)[0].manifest.profile.name: path}
    names = [bundle.manifest.profile.name for bundle in artifact.view(path, profile)]
    for name in names:
        artifact.unpack(path, name, scratch / name)
    return {name: scratch / name for name in names}


def _by_profile(mine: dict[str, Path], yours: dict[str, Path]) -> Iterator[BundleDifference]:
    for name in sorted({*mine, *yours}):
        if name in mine and name in yours:
            yield from (dataclasses.replace(difference, profile=name) for difference in compare_bundles(mine[name], yours[name]))
        else:
            presence = ["a bundle" if name in folders else MISSING for folders in (mine, yours)]
            yield BundleDifference(profile=name, file="", field="", first=presence[0], second=presence[1])


def compare_bundles(first: Path, second: Path) -> Iterator[BundleDifference]:
    """All differences of two bundle directories; weights count with the graph that they belong to."""
    mine, yours = files.list_files(first), files.list_files(second)
    changed = [
        name for name in dict.fromkeys([*mine, *yours]) if name not in mine or name not in yours or _digest(mine[name]) != _digest(yours[name])
    ]
    graph = [name for name in changed if name == files.GRAPH or name.startswith("weights/")]
    for name in changed:
        if name not in graph or name not in mine or name not in yours:
            yield from _compare_file(name, first, second)
    if graph:
        differences = list(compare_graphs(first, second))
        yield from differences or [_bytes(name, mine[name], yours[name]) for name in graph if name in mine and name in yours]


def _digest(path: Path) -> str:
    return str(Digest.of_file(path))


def _compare_file(name: str, first: Path, second: Path) -> Iterator[BundleDifference]:
    mine, yours = first / name, second / name
    if not (mine.exists() and yours.exists()):
        presence = ["a file" if path.exists() else MISSING for path in (mine, yours)]
        yield BundleDifference(file=name, field="", first=presence[0], second=presence[1])
        return
    differences: list[BundleDifference] = []
    if max(path.stat().st_size for path in (mine, yours)) <= _MAX_BYTES.get(name, 0):
        with contextlib.suppress(RecursionError):  # nested as no document of ours is
            differences = list(_compare_content(name, first, second))
    yield from differences or [_bytes(name, mine, yours)]


def _compare_content(name: str, first: Path, second: Path) -> Iterator[BundleDifference]:
    if name == files.GOLDEN:
        yield from compare_tensors(name, _golden(first), _golden(second))
    elif name == files.CARD:
        yield from _lines(name, *(path.read_text(encoding="utf-8", errors="replace") for path in (first / name, second / name)))
    else:
        yield from compare_json(name, _json(first / name), _json(second / name))


def _json(path: Path) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(path.read_bytes())
    return path.read_text(encoding="utf-8", errors="replace")


def _golden(directory: Path) -> dict[str, Array]:
    manifest = check_bundle(DirectoryBundle(directory=directory), key=None, documents=False).manifest
    cases = decode_golden((directory / files.GOLDEN).read_bytes(), manifest.inputs, manifest.outputs, manifest.golden.cases, where=str(directory))
    arrays: dict[str, Array] = {}
    for number, case in enumerate(cases):
        arrays |= {f"case {number} input {name}": value for name, value in case.inputs.items()}
        arrays |= {f"case {number} output {name}": value for name, value in case.outputs.items()}
    return arrays


def _lines(name: str, first: str, second: str) -> Iterator[BundleDifference]:
    mine, yours = first.splitlines(), second.splitlines()
    for change, start, end, begin, stop in _opcodes(mine, yours):
        if change != "equal":
            yield BundleDifference(
                file=name, field=f"line {start + 1}", first="\n".join(mine[start:end]) or MISSING, second="\n".join(yours[begin:stop]) or MISSING
            )


def _opcodes(mine: list[str], yours: list[str]) -> list[tuple[str, int, int, int, int]]:
    """As difflib has them; one change where there are so many lines that difflib could take hours."""
    if max(len(mine), len(yours)) > _MAX_LINES:
        return [("replace", 0, len(mine), 0, len(yours))]
    return list(difflib.SequenceMatcher(None, mine, yours, autojunk=False).get_opcodes())


def _bytes(name: str, first: Path, second: Path) -> BundleDifference:
    """For what has no fields to show: a signature, or bytes that mean the same."""
    field = "the signed content or the key differs" if name == files.SIGNATURE else "the bytes"
    return BundleDifference(file=name, field=field, first=_digest(first), second=_digest(second))
