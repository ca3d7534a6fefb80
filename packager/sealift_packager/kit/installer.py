"""install.sh and README.txt, filled in for one kit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealift_packager.errors import KitError
from sealift_packager.kit.selection import Selection
from sealift_packager.kit.wheels import WheelSet
from sealift_runtime.bundle.digest import Digest

#: What may stand between single quotes in a shell script without meaning anything.
_PLAIN = re.compile(r"[A-Za-z0-9._+ -]*")


def render_installer(wheels: WheelSet, channel: str) -> bytes:
    """install.sh for these wheels; its channel is the one that a machine follows unless told otherwise."""
    values = {
        "RUNTIME_VERSION": wheels.runtime_version,
        "PYTHONS": " ".join(wheels.pythons),
        "MACHINES": " ".join(wheels.machines),
        "CHANNEL": channel,
    }
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise KitError("can't stand in a shell script", where=name, expected="letters, digits and ._+-", found=repr(value))
    return _fill("install.sh.in", values)


def render_readme(selection: Selection, wheels: WheelSet, root: Digest) -> bytes:
    """README.txt."""
    return _fill(
        "README.txt.in",
        {
            "RUNTIME_VERSION": wheels.runtime_version,
            "RELEASES": "\n".join(f"    {name} {version}" for name, version in selection.releases),
            "CHANNELS": ", ".join(selection.channels),
            "PYTHONS": _or(wheels.pythons),
            "MACHINES": _or(wheels.machines) or "any machine",
            "ROOT_DIGEST": root.hex,
        },
    )


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)


def _fill(template: str, values: Mapping[str, str]) -> bytes:
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text).encode()
