"""Attacks by whoever wrote the stick."""

from __future__ import annotations

import copy
import datetime
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attacks.attack import attack
from attacks.site import NEW, Site
from sealift_core.bundle.layout import OciLayout
from support.cli import Ran
from support.repositories import Repository, flip

#: A medium that can't be taken is refused within this time, in seconds.
AT_ONCE_S: Final = 20.0


def _medium(site: Site) -> Path:
    """A medium with the next update, which the repository itself doesn't have yet."""
    medium = site.work / "medium"
    shutil.copytree(site.repository.directory, medium / "repository")
    written = copy.copy(site.repository)
    written.directory, written.layout = medium / "repository", OciLayout(medium / "repository")
    written.add_release(NEW)
    return medium


def _import(site: Site, medium: Path) -> Ran:
    begun = time.monotonic()
    ran = site.agent.command("import", medium)
    assert time.monotonic() - begun < AT_ONCE_S, "it was not refused at once"
    return ran


def _tampered(site: Site, tamper: Callable[[Path], None]) -> Ran:
    medium = _medium(site)
    tamper(medium / "repository")
    ran = _import(site, medium)
    assert ran.code, ran.out
    site.still_serves()
    return ran


def _words(ran: Ran) -> str:
    return (ran.err or ran.out).strip().splitlines()[0].removeprefix("error: ").split(". ")[0]


@attack("media", "a pipe where the metadata should be, which would hold whoever reads it for ever")
def pipe(site: Site) -> str:
    """Refused without being opened."""

    def tamper(repository: Path) -> None:
        (repository / "metadata" / "timestamp.json").unlink()
        os.mkfifo(repository / "metadata" / "timestamp.json")

    ran = _tampered(site, tamper)
    return f"`import` exits {ran.code} at once"


@attack("media", "a link to /dev/zero and one to a file of this machine, in place of metadata")
def link(site: Site) -> str:
    """No link is followed out of the medium."""

    def tamper(repository: Path) -> None:
        timestamp = repository / "metadata" / "timestamp.json"
        timestamp.unlink()
        timestamp.symlink_to("/dev/zero")
        shutil.rmtree(repository / "blobs")
        (repository / "blobs").symlink_to("/etc")

    ran = _tampered(site, tamper)
    return f"`import` exits {ran.code} at once"


@attack("media", "metadata of 600 MB")
def huge(site: Site) -> str:
    """Sparse, so that it costs the attacker nothing."""

    def tamper(repository: Path) -> None:
        with (repository / "metadata" / "timestamp.json").open("r+b") as file:
            file.truncate(600 * 2**20)

    ran = _tampered(site, tamper)
    return f"`import` exits {ran.code} before it reads them"


@attack("media", "another vendor's medium, whole and signed")
def foreign(site: Site) -> str:
    """Another root of trust."""
    other = Repository(site.work / "other" / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    other.add_release(NEW)
    ran = _import(site, site.work / "other")
    assert ran.code, ran.out
    site.still_serves()
    return f"`import` exits {ran.code}"


@attack("media", "one bit flipped in every file of an update")
def damaged(site: Site) -> str:
    """The update isn't taken; the version that serves stays."""
    old = {path.name for path in site.repository.layout.blobs.iterdir()}

    def tamper(repository: Path) -> None:
        for path in OciLayout(repository).blobs.iterdir():
            if path.name not in old:
                flip(path, 10)

    ran = _tampered(site, tamper)
    words = _words(ran).replace(f"{site.work}/medium/repository: ", "").partition(": expected")[0]
    return f"`import` exits {ran.code}: {words}"


@attack("media", "the device's own folder on the medium is a link to a folder of this machine, which `export` would write to")
def export(site: Site) -> str:
    """Not followed; the folder stays empty."""
    medium, victim = site.work / "medium", site.work / "victim"
    victim.mkdir()
    identity = site.agent.status()["device"]
    (medium / "sealift-reports").mkdir(parents=True)
    (medium / "sealift-reports" / identity).symlink_to(victim)
    ran = site.agent.command("export", medium)
    assert not list(victim.iterdir()), list(victim.iterdir())
    assert ran.code, ran.out
    return f"`export` exits {ran.code}; nothing was written there"
