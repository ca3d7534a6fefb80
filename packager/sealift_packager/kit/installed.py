"""A wheel of a distribution of ours, made again from the files that are installed beside the packager: nothing has to be fetched.

Every file must be what the distribution's RECORD says. Scripts and compiled files aren't taken: whoever installs the wheel makes them anew.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import json
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from sealift_packager.errors import KitError

#: The one kind of wheel that is made again: ours have no compiled parts.
TAG: Final = "py3-none-any"
_FIRST_TIME: Final = (1980, 1, 1, 0, 0, 0)
_OF_THE_INSTALLER: Final = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def find_installed(project: str, version: str, scratch: Path, *, path: Sequence[str] | None = None) -> Path | None:
    """Find a distribution that is installed here.

    Args:
        project: Its name.
        version: The version that it must have.
        scratch: The folder for the wheel; it is created.
        path: Where to look instead of ``sys.path``.

    Returns:
        Its source folder if that is what is installed (an editable installation), else its wheel; None if there is none of this version.

    Raises:
        KitError: If a file isn't what was installed.
    """
    found = importlib.metadata.Distribution.discover(name=project, path=list(path)) if path else importlib.metadata.distributions(name=project)
    distribution = next((one for one in found if one.version == version and one.files), None)
    if distribution is None:
        return None
    if folder := _source_folder(distribution):
        return folder
    if f"Tag: {TAG}" not in (distribution.read_text("WHEEL") or ""):
        return None
    scratch.mkdir(parents=True, exist_ok=True)
    wheel = scratch / f"{canonicalize_name(project).replace('-', '_')}-{version}-{TAG}.whl"
    _write_wheel(wheel, dict(_contents(distribution, project)))
    return wheel


def _source_folder(distribution: importlib.metadata.Distribution) -> Path | None:
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(urllib.request.url2pathname(urllib.parse.urlsplit(origin["url"]).path))


def _contents(distribution: importlib.metadata.Distribution, project: str) -> Iterator[tuple[str, bytes]]:
    """The files of a wheel by name, each compared with RECORD."""
    for file in sorted(distribution.files or (), key=str):
        within = ".." not in file.parts and not Path(file).is_absolute()
        if not within or file.suffix == ".pyc" or (file.parent.suffix == ".dist-info" and file.name in _OF_THE_INSTALLER):
            continue
        try:
            data = Path(str(file.locate())).read_bytes()
        except OSError as error:
            raise KitError(f"an installed file can't be read ({error.strerror})", where=f"{project}: {file}", advice=_advice(project)) from error
        if file.hash is None or file.hash.mode != "sha256" or _digest(data) != file.hash.value:
            raise KitError("an installed file isn't what was installed", where=f"{project}: {file}", advice=_advice(project))
        yield str(file), data


def _advice(project: str) -> str:
    return f"Install {project} again, or pass its wheel with --own-wheel."


def _write_wheel(wheel: Path, contents: dict[str, bytes]) -> None:
    info = next(name.partition("/")[0] for name in contents if name.partition("/")[0].endswith(".dist-info"))
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    rows.writerows([name, f"sha256={_digest(data)}", len(data)] for name, data in contents.items())
    rows.writerow([f"{info}/RECORD", "", ""])
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (*contents.items(), (f"{info}/RECORD", record.getvalue().encode())):
            member = zipfile.ZipInfo(name, _FIRST_TIME)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
