"""`check_bundle`: the one way to prove that a bundle is the one that was signed, to the last byte, and that it can only compute.

``sealift verify``, ``sealift repo add``, the packager before it signs, and a device before it loads anything call it, so each reason has one error
and one exit code everywhere. A bundle is a directory (`DirectoryBundle`) or a set of blobs (`LayoutBundle`); the rules are the same.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from sealift_core import beneath
from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import BundleFiles, BundleRef, Release, read_listed_bundle
from sealift_core.bundle.signature import Statement, decode_signature
from sealift_core.errors import IntegrityError, SignatureError
from sealift_core.signing.keys import PublicKey
from sealift_core.verify.graph import check_graph_file

#: What rule 8 reads.
_DOCUMENTS: Final = (files.MANIFEST, files.GOLDEN, files.BASELINE)


class BundleContent(Protocol):
    """A bundle's files, wherever they are."""

    @property
    def where(self) -> str:
        """The bundle, in words."""

    @property
    def listed(self) -> Mapping[str, Descriptor] | None:
        """What the bundle's OCI manifest lists, by name; None for a directory that belongs to no release."""

    def sizes(self) -> dict[str, int]:
        """List the files that are there.

        Returns:
            The size in bytes of each file, by name.

        Raises:
            IntegrityError: If there is something that no bundle may hold, or a required file is missing.
            LimitError: If there are too many files, or too large ones.
        """

    def path(self, name: str) -> Path:
        """Locate a file on this disk, for what maps it.

        Args:
            name: One of the names that `sizes` gives.

        Returns:
            The path, which isn't looked at.
        """

    def open(self, name: str) -> io.BufferedReader:
        """Open a file by no link.

        Args:
            name: One of the names that `sizes` gives.

        Returns:
            The open file; the caller closes it.

        Raises:
            IntegrityError: If the file is missing, or is no regular file.
            OSError: If it can't be opened for another reason.
        """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleIdentity:
    """Which bundle it is.

    Attributes:
        name: The model's name.
        version: The model's semantic version.
        profile: The name of the hardware profile that the bundle was made for.
    """

    name: str
    version: str
    profile: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.profile}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryBundle:
    """A bundle in a directory of its own.

    Attributes:
        directory: The folder with ``bundle.json``.
        listed: What an OCI manifest says of each file, by name; None for a directory that belongs to no release.
    """

    directory: Path
    listed: Mapping[str, Descriptor] | None = None

    @property
    def where(self) -> str:
        """The directory."""
        return str(self.directory)

    def sizes(self) -> dict[str, int]:
        """List the directory by the rules of `files.list_files`.

        Returns:
            The size in bytes of each file, by name.

        Raises:
            IntegrityError: If there is something that no bundle may hold, or a required file is missing.
            LimitError: If there are too many files, or too large ones.
        """
        return {name: path.lstat().st_size for name, path in files.list_files(self.directory).items()}

    def path(self, name: str) -> Path:
        """Locate a file on this disk.

        Args:
            name: Its path within the directory, with ``/``.

        Returns:
            The path, which isn't looked at.
        """
        return self.directory / name

    def open(self, name: str) -> io.BufferedReader:
        """Open a file by no link.

        Args:
            name: Its path within the directory, with ``/``.

        Returns:
            The open file; the caller closes it.

        Raises:
            IntegrityError: If the file is missing, or is no regular file.
            OSError: If it can't be opened for another reason.
        """
        try:
            return beneath.open_file(self.directory, *name.split("/"))
        except FileNotFoundError as error:  # removed a moment ago
            raise IntegrityError("a file is missing", where=str(self.path(name))) from error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayoutBundle:
    """A bundle whose files are blobs of an OCI image layout.

    Attributes:
        layout: Where the blobs are.
        bundle: The bundle's OCI manifest.
        where: What errors call the bundle.
    """

    layout: OciLayout
    bundle: BundleFiles
    where: str

    @property
    def listed(self) -> Mapping[str, Descriptor]:
        """What its OCI manifest lists."""
        return self.bundle.layers

    def sizes(self) -> dict[str, int]:
        """Read the sizes off the OCI manifest; each is compared with the blob's own before that is read.

        Returns:
            The size in bytes of each file, by name.
        """
        return {name: descriptor.size_bytes for name, descriptor in self.bundle.layers.items()}

    def path(self, name: str) -> Path:
        """Locate a file's blob.

        Args:
            name: A file that the OCI manifest lists.

        Returns:
            The path, which isn't looked at.
        """
        return self.layout.path(self.bundle.layers[name].digest)

    def open(self, name: str) -> io.BufferedReader:
        """Open a file's blob by no link.

        Args:
            name: A file that the OCI manifest lists.

        Returns:
            The open blob; the caller closes it.

        Raises:
            IntegrityError: If the blob is missing, or is no regular file.
            OSError: If it can't be opened for another reason.
        """
        return self.layout.open_blob(self.bundle.layers[name].digest, where=f"{self.where}/{name} ({self.path(name)})")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBundle:
    """What `check_bundle` proved.

    Attributes:
        manifest: ``bundle.json`` as a value.
        statement: What was signed; None where no key was given.
        sizes: The size in bytes of each file, by name.
    """

    manifest: BundleManifest
    statement: Statement | None
    sizes: Mapping[str, int]


def check_bundle(content: BundleContent, *, key: PublicKey | None, identity: BundleIdentity | None = None, documents: bool = True) -> CheckedBundle:
    """Check a bundle.

    1. It holds the files of a bundle and nothing else: no link, no special file, none too large, none of the required ones missing.
    2. If an OCI manifest lists it, the files are exactly those, each of its size (compared before a byte is read).
    3. If ``key`` is given, ``model.sig`` is there and signed by it.
    4. The signed statement lists exactly the other files, with the digests of the OCI manifest, if there is one.
    5. Each file has the digest that is listed. Every byte is read and hashed once.
    6. ``bundle.json`` is the bundle ``identity``, if one is given, and sets up the session only as it may.
    7. The graph can only compute (`sealift_core.verify.graph`): a good signature doesn't change that.
    8. Golden cases and baseline can be read, unless ``documents`` is off.

    Args:
        content: The bundle: a `DirectoryBundle` or a `LayoutBundle`.
        key: Who must have signed it. With None, no signature is looked at: rules 3 and 4 are left out, and rule 5 holds for what an OCI manifest
            lists.
        identity: Which bundle it must be; None for any.
        documents: Whether rule 8 applies. A device leaves it out, because it reads these documents first in the self-test's sandbox.

    Returns:
        The parsed manifest, the signed statement, and the files' sizes.

    Raises:
        SignatureError: If the bundle isn't signed, or not by ``key`` (rule 3).
        IntegrityError: If a file is missing, was added or was changed, if it is another bundle, or if the graph does more than compute (rules 1, 2,
            4, 5, 6, 7).
        LimitError: If a file or a document is larger than its bound (rules 1, 3, 5, 6, 7, 8).
        DocumentError: If a document or the graph can't be read (rules 3, 6, 7, 8).
        OSError: If a file can't be read for another reason, such as its permissions.
    """
    return BundleCheck(content, key=key, identity=identity, documents=documents).result


class BundleCheck:
    """`check_bundle`, with what a device needs to hash every byte only once, and the weights while it loads them.

    Attributes:
        result: What was proved; set once the constructor returns.
    """

    def __init__(
        self,
        content: BundleContent,
        *,
        key: PublicKey | None,
        identity: BundleIdentity | None,
        documents: bool,
        hashing: bool = True,
        weights_later: bool = False,
    ) -> None:
        """Check the bundle by the rules of `check_bundle`.

        Args:
            content: The bundle.
            key: Who must have signed it; None to look at no signature.
            identity: Which bundle it must be; None for any.
            documents: Whether golden cases and baseline are read (rule 8).
            hashing: Off for files whose every byte was hashed a moment ago and that are the same files still (`files.state`): rule 5 is left out then
                for all but the documents.
            weights_later: Whether rule 5 is left to `check_weights` for the weights: they are only numbers, and are read where the graph, which was
                checked, says.

        Raises:
            SignatureError: If the bundle isn't signed, or not by ``key``.
            IntegrityError: If a file is missing, was added or was changed, if it is another bundle, or if the graph does more than compute.
            LimitError: If a file or a document is larger than its bound.
            DocumentError: If a document or the graph can't be read.
            OSError: If a file can't be read for another reason, such as its permissions.
        """
        self._content = content
        sizes = content.sizes()  # 1
        if content.listed is not None:
            _check_listed(content, sizes, content.listed)  # 2
        self._digests = {name: descriptor.digest for name, descriptor in (content.listed or {}).items()}
        statement = self._check_signature(sizes, key) if key else None  # 3, 4
        self._digests = {**(statement.resources if statement else {}), **self._digests}
        read = {name: self._read(name) for name in (_DOCUMENTS if documents else (files.MANIFEST,))}  # 5
        hashed = {files.SIGNATURE, *read}
        left = [name for name in sizes if hashing and name in self._digests and name not in hashed]
        self._weights = [name for name in left if weights_later and files.is_weights(name)]
        self._check_files(name for name in left if name not in self._weights)
        manifest = _check_manifest(content, read[files.MANIFEST], identity)  # 6
        weights = {name: size for name, size in sizes.items() if files.is_weights(name)}
        check_graph_file(content.path(files.GRAPH), weights, where=f"{content.where}/{files.GRAPH}")  # 7
        if documents:
            _check_documents(content, read, manifest)  # 8
        self.result = CheckedBundle(manifest=manifest, statement=statement, sizes=sizes)

    def check_weights(self) -> None:
        """Check the digests of the weights (rule 5) that ``weights_later`` left out.

        Raises:
            IntegrityError: If a file of weights is missing or was changed.
            LimitError: If one has grown beyond its bound.
            OSError: If one can't be read for another reason.
        """
        self._check_files(self._weights)

    def _check_signature(self, sizes: Mapping[str, int], key: PublicKey) -> Statement:
        content = self._content
        if files.SIGNATURE not in sizes:  # 3
            raise SignatureError("the bundle is not signed", where=content.where, advice="Pack it with --key.")
        statement = decode_signature(self._read(files.SIGNATURE), key, where=f"{content.where}/{files.SIGNATURE}")
        others = sizes.keys() - {files.SIGNATURE}
        for name in sorted(others ^ statement.resources.keys()):  # 4
            message = "a signed file is missing" if name in statement.resources else "a file was added after signing"
            raise IntegrityError(message, where=f"{content.where}/{name}")
        for name, digest in statement.resources.items():
            if self._digests.get(name, digest) != digest:
                raise _changed(content, name, digest, self._digests[name])
        return statement

    def _check_files(self, names: Iterable[str]) -> None:
        listed = self._content.listed
        for name in names:
            with self._content.open(name) as file:
                size = listed[name].size_bytes if listed is not None else self._size(file, name)
                digest = Digest(beneath.hash_open(file, size, where=_place(self._content, name)))
            if digest != self._digests[name]:
                raise _changed(self._content, name, self._digests[name], digest)

    def _read(self, name: str) -> bytes:
        """A document: what is parsed are the very bytes that were hashed."""
        where = _place(self._content, name)
        with self._content.open(name) as file:
            data = beneath.read_open(file, files.max_bytes(name), where=where)
        if name in self._digests:
            digest = Digest.of(data)
            if digest != self._digests[name]:
                raise _changed(self._content, name, self._digests[name], digest)
        return data

    def _size(self, file: io.BufferedReader, name: str) -> int:
        size = beneath.size_bytes(file)
        files.check_sizes({name: size}, where=self._content.where)
        return size


def check_release_bundle(layout: OciLayout, release: Release, ref: BundleRef, *, key: PublicKey) -> CheckedBundle:
    """Check one bundle of a release: its OCI manifest and config have the size and the digest that are listed, and `check_bundle` holds.

    Args:
        layout: Where the release's blobs are.
        release: The release, which says what the bundle must be.
        ref: The bundle, one of ``release.bundles``.
        key: Who must have signed the bundle.

    Returns:
        What was proved.

    Raises:
        SignatureError: If the bundle isn't signed, or not by ``key``.
        IntegrityError: If a blob is missing or was changed, if it is another bundle, or if the graph does more than compute.
        LimitError: If something is larger than its bound.
        DocumentError: If a document or the graph can't be read.
        OSError: If a blob can't be read for another reason.
    """
    bundle = read_listed_bundle(layout, ref)
    layout.check(bundle.config)
    content = LayoutBundle(layout=layout, bundle=bundle, where=f"{layout.directory} ({ref.profile})")
    return check_bundle(content, key=key, identity=BundleIdentity(name=release.name, version=release.version, profile=ref.profile))


def check_signer(release: Release, key: PublicKey, *, where: str) -> None:
    """Check that a release names no other key than the one that is trusted. It may name none.

    Args:
        release: What was read of its index.
        key: The key that its bundles must be signed with.
        where: What errors call the release.

    Raises:
        SignatureError: If the release says that its bundles were signed with another key.
    """
    named = release.public_key
    if named is not None and named.fingerprint != key.fingerprint:
        expected, actual = f"{key.fingerprint[:16]}…", f"{named.fingerprint[:16]}…"
        raise SignatureError("the release was signed with another key", where=where, expected=expected, found=actual)


def _check_listed(content: BundleContent, sizes: Mapping[str, int], listed: Mapping[str, Descriptor]) -> None:
    for name in sorted(sizes.keys() | listed.keys()):
        if name not in sizes or name not in listed:
            raise IntegrityError("a file is missing" if name not in sizes else "a file was added", where=f"{content.where}/{name}")
        if sizes[name] != listed[name].size_bytes:
            raise _changed(content, name, f"{listed[name].size_bytes} bytes", f"{sizes[name]} bytes")


def _check_manifest(content: BundleContent, data: bytes, identity: BundleIdentity | None) -> BundleManifest:
    where = f"{content.where}/{files.MANIFEST}"
    manifest = BundleManifest.parse(data, where=where)
    actual = BundleIdentity(name=manifest.name, version=manifest.version, profile=manifest.profile.name)
    if identity is not None and actual != identity:
        raise IntegrityError("another bundle than expected", where=where, expected=str(identity), found=str(actual))
    return manifest


def _check_documents(content: BundleContent, read: Mapping[str, bytes], manifest: BundleManifest) -> None:
    from sealift_core.bundle.golden import decode_golden
    from sealift_core.drift.baseline import Baseline  # a device's control plane has no use for numpy

    where = f"{content.where}/{files.GOLDEN}"
    decode_golden(read[files.GOLDEN], manifest.inputs, manifest.outputs, manifest.golden.cases, where=where)
    Baseline.parse(read[files.BASELINE], where=f"{content.where}/{files.BASELINE}")


def _changed(content: BundleContent, name: str, expected: Digest | str, actual: Digest | str) -> IntegrityError:
    return IntegrityError("the content was changed", where=_place(content, name), expected=str(expected), found=str(actual))


def _place(content: BundleContent, name: str) -> str:
    """A file in words, and, where that isn't its path, the path too."""
    where, path = f"{content.where}/{name}", str(content.path(name))
    return where if where == path else f"{where} ({path})"
