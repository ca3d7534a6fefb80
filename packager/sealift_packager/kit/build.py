"""Puts a kit together, checks it, and only then gives it its place (see `new_folder`)."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import platform
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from sealift_core import durable
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import REF_NAME, OciLayout
from sealift_core.disk_room import check_fits
from sealift_core.errors import IntegrityError
from sealift_core.messages import medium
from sealift_core.messages.kit import KIT_FILE, KitContents
from sealift_core.messages.receipt import FINGERPRINT
from sealift_core.signing.keys import PublicKey, Signer
from sealift_packager.errors import KitError, OutputError
from sealift_packager.kit.installer import render_installer, render_readme
from sealift_packager.kit.requirements import read_wheels, render_requirements
from sealift_packager.kit.selection import Selection, select
from sealift_packager.kit.wheels import WheelRequest, WheelSet, collect_wheels
from sealift_packager.repository.metadata import RepositoryMetadata
from sealift_packager.repository.new_folder import is_free, new_folder
from sealift_packager.repository.publisher import METADATA, Repository
from sealift_packager.repository.status import role_statuses

SUMS: Final = "SHA256SUMS"
#: An ECDSA signature (DER) over the bytes of SHA256SUMS, as ``openssl dgst`` makes and checks it. A line of that file begins with a digest,
#: so nothing else that such a key signs (DSSE envelopes, TUF metadata) can be taken for it.
SIGNATURE: Final = "SHA256SUMS.sig"
_UNSIGNED: Final = "The kit isn't signed. Pass --key, so that the site can tell whether the agent was changed."
#: FAT32 holds no larger file, and none of these names: https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
FAT_FILE_BYTES: Final = 2**32 - 1
_FAT_NAME = re.compile(r'[^\x00-\x1f<>:"/\\|?*]{0,254}[^\x00-\x1f<>:"/\\|?*. ]')
_FAT_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FAT_ADVICE = "USB sticks are usually FAT. Publish the model, channel or profile under another name."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KitRequest:
    """What a kit is to hold, and where it is to be made; a machine at the site follows the first channel.

    ``hub_key`` is the fingerprint of the key that signs the hub's receipts, which the site's devices are to pin; empty for none.
    """

    repository: Path
    out: Path
    channels: tuple[str, ...]
    wheels: WheelRequest
    key: Signer | None = None
    hub_key: str = ""
    models: tuple[str, ...] = ()
    version: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A finished kit; ``sums`` is the digest of SHA256SUMS, to be told to the site by another way, ``signed_by`` the key that signed that."""

    directory: Path
    selection: Selection
    wheels: WheelSet
    files: int
    size_bytes: int
    root: Digest
    sums: Digest
    signed_by: PublicKey | None
    hub_key: str
    warnings: tuple[str, ...]


def build_kit(request: KitRequest, *, now: datetime.datetime) -> Kit:
    """Build a kit; `OutputError` if its place is taken, `KitError` and the repository's own errors otherwise."""
    if request.hub_key and not re.fullmatch(FINGERPRINT, request.hub_key):
        expected = "64 hex digits, as `sealift-hub init` prints them"
        raise KitError("not the fingerprint of a key", where="--hub-key", expected=expected, found=repr(request.hub_key))
    if not is_free(request.out):
        raise OutputError(
            "there is a file or folder at the kit's path already",
            where=str(request.out),
            advice="Pass a new or empty folder to --out, on the medium or elsewhere.",
        )
    repository = Repository(request.repository)
    with new_folder(request.out, last=SUMS) as building:
        return _fill(request, repository, building, now)


def _fill(request: KitRequest, repository: Repository, folder: Path, now: datetime.datetime) -> Kit:
    current, selection = _copy_selection(request, repository, folder / medium.REPOSITORY)
    wheels = collect_wheels(request.wheels, folder / "wheels")
    root = Repository(folder / medium.REPOSITORY).read_metadata_file("root.json")
    signed_by = request.key.public_key if request.key else None
    contents = {
        "root.json": root,
        "install.sh": render_installer(
            wheels, request.channels[0], largest_bytes=_largest(folder), signed=signed_by is not None, hub_key=request.hub_key
        ),
        "README.txt": render_readme(selection, wheels, Digest.of(root), signed_by),
        **_requirements(folder / "wheels", wheels),
    }
    for name, data in contents.items():
        durable.write_bytes(folder / name, data, mode=0o755 if name.endswith(".sh") else durable.PUBLIC_MODE)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    check_fat_names(paths)
    sizes = {path: (folder / path).stat().st_size for path in paths}
    too_large = [path for path, size in sizes.items() if size > FAT_FILE_BYTES]
    sums, signature = _write_sums(folder, paths, request.key)
    states = [status for status in role_statuses(current, now) if status.state != "fresh"]
    return Kit(
        directory=request.out,
        selection=selection,
        wheels=wheels,
        files=len(paths) + 1 + bool(signature),
        size_bytes=sum(sizes.values()) + len(sums) + len(signature),
        root=Digest.of(root),
        sums=Digest.of(sums),
        signed_by=signed_by,
        hub_key=request.hub_key,
        warnings=(
            *(f"The repository's {state.role} metadata: {state.state}; `sealift repo refresh` signs it again." for state in states),
            *wheels.untested,
            *([] if signed_by else [_UNSIGNED]),
            *(f"{path} is larger than FAT32 can hold; use exFAT or ext4." for path in too_large),
        ),
    )


def _copy_selection(request: KitRequest, repository: Repository, target: Path) -> tuple[RepositoryMetadata, Selection]:
    with repository.locked(reading=True):
        current = repository.read_metadata()
        with _advising():
            selection = select(repository, current, request.channels, request.models, request.version)
            copy_repository(repository, current, selection, target)
    return current, selection


def _write_sums(folder: Path, paths: Iterable[str], key: Signer | None) -> tuple[bytes, bytes]:
    """Write SHA256SUMS and, with a key, its signature: the bytes of both."""
    sums = "".join(f"{Digest.of_file(folder / path).hex}  {path}\n" for path in paths).encode()
    durable.write_bytes(folder / SUMS, sums)
    signature = key.sign(sums) if key else b""
    if signature:
        durable.write_bytes(folder / SIGNATURE, signature)
    return sums, signature


def _requirements(folder: Path, wheels: WheelSet) -> dict[str, bytes]:
    collected, machines = read_wheels(folder), wheels.machines or (platform.machine(),)
    return {f"requirements-{python}.txt": render_requirements(collected, python, machines) for python in wheels.pythons}


def _largest(folder: Path) -> int:
    """The size of the largest file by now: blobs and wheels are there, and install.sh refuses what is larger before it reads it."""
    return max(2**20, *(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


@contextlib.contextmanager
def _advising() -> Iterator[None]:
    """What to do about a blob that is missing or was changed."""
    try:
        yield
    except IntegrityError as error:
        error.advice = error.advice or "Add its release again: `sealift repo add`."
        raise


def copy_repository(repository: Repository, current: RepositoryMetadata, selection: Selection, target: Path) -> None:
    """Copy a repository with all its current metadata but only the blobs of a selection, each checked as it is written; kit.json names them."""
    layout = OciLayout.create(target)
    check_fits(target, [descriptor.size_bytes for descriptor in selection.blobs])
    for descriptor in selection.blobs:
        repository.layout.copy_blob(descriptor, layout.path(descriptor.digest))
    refs = {f"{name}:{version}" for name, version in selection.releases}
    layout.write_index([descriptor for descriptor in repository.layout.index() if descriptor.annotations.get(REF_NAME) in refs])
    durable.write_bytes(target / KIT_FILE, KitContents(channels=selection.channels, releases=selection.releases).to_bytes())
    for name in current.file_names():
        durable.write_bytes(target / METADATA / name, repository.read_metadata_file(name))


def check_fat_names(paths: Iterable[str]) -> None:
    """Raise `KitError` for a path that a FAT file system can't hold, or two that it can't tell apart."""
    seen: dict[str, str] = {}
    for path in paths:
        for name in path.split("/"):
            if not _FAT_NAME.fullmatch(name) or _FAT_DEVICES.fullmatch(name):
                raise KitError("a file name isn't allowed on FAT", where=path, found=repr(name), advice=_FAT_ADVICE)
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise KitError("FAT can't tell two file names apart", where=path, found=other, advice=_FAT_ADVICE)
