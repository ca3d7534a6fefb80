"""install.sh and README.txt, filled in for one kit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_core.signing.keys import PublicKey
from sealift_packager.errors import KitError
from sealift_packager.kit.selection import Selection
from sealift_packager.kit.wheels import WheelSet

#: What may stand between single quotes in a shell script without meaning anything.
_PLAIN = re.compile(r"[A-Za-z0-9._+ -]*")
_SIGNED = """\
This kit is signed. The public key (a file such as vendor.pub) isn't on this medium:
you must get it by another way. Before you run anything from this medium, check:

    openssl dgst -{hash} -verify vendor.pub -signature SHA256SUMS.sig SHA256SUMS
    sha256sum -c SHA256SUMS

The first must say "Verified OK". install.sh does both again, and keeps the key:
from then on it installs nothing that another key signed, or none.

    sha256sum vendor.pub      {fingerprint}"""
_UNSIGNED = """\
This kit isn't signed, so install.sh finds damage, but no tampering. Compare two
digests with ones that reached you by another way, before you run install.sh.

    sha256sum SHA256SUMS      (told by "sealift kit build")"""


def render_installer(wheels: WheelSet, channel: str, *, largest_bytes: int, signed: bool, hub_key: str) -> bytes:
    """install.sh for these wheels; its channel is the one that a machine follows unless told otherwise, no file of the kit is larger.

    ``hub_key`` is the fingerprint that devices pin; empty for none.
    """
    values = {
        "RUNTIME_VERSION": wheels.runtime_version,
        "PYTHONS": " ".join(wheels.pythons),
        "MACHINES": " ".join(wheels.machines),
        "GLIBC": _libc(wheels.glibc),
        "MUSL": _libc(wheels.musl),
        "CHANNEL": channel,
        "LARGEST_BYTES": str(largest_bytes),
        "HUB_KEY": hub_key,
        "SIGNED": "yes" if signed else "no",
    }
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise KitError("can't stand in a shell script", where=name, expected="letters, digits and ._+-", found=repr(value))
    return _fill("install.sh.in", values)


def render_readme(selection: Selection, wheels: WheelSet, root: Digest, signed_by: PublicKey | None) -> bytes:
    """README.txt."""
    return _fill(
        "README.txt.in",
        {
            "RUNTIME_VERSION": wheels.runtime_version,
            "RELEASES": "\n".join(f"    {name} {version}" for name, version in selection.releases),
            "CHANNELS": ", ".join(selection.channels),
            "PYTHONS": _or(wheels.pythons),
            "MACHINES": _or(wheels.machines) or "any machine",
            "LIBC": _or([f"{name} {_libc(version)} or newer" for name, version in (("glibc", wheels.glibc), ("musl", wheels.musl)) if version]),
            "ROOT_DIGEST": root.hex,
            "INSTALL_OPTIONS": " --key vendor.pub" if signed_by else "",
            "CHECK": _SIGNED.format(hash=signed_by.hash_name, fingerprint=signed_by.fingerprint) if signed_by else _UNSIGNED,
        },
    )


def _libc(version: tuple[int, int] | None) -> str:
    """A version for install.sh: ``none`` where no version will do."""
    return "none" if version is None else f"{version[0]}.{version[1]}"


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)


def _fill(template: str, values: Mapping[str, str]) -> bytes:
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text).encode()
