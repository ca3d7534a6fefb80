"""Attacks by whoever answers for the repository."""

from __future__ import annotations

import shutil
import signal
import time

from attacks.attack import attack
from attacks.site import NEW, OLD, Site
from support.repositories import flip
from support.trickling import ANSWERS, trickling


def _short(reason: str) -> str:
    """A reason's first sentence."""
    return reason.split(". ", maxsplit=1)[0].split("; ", maxsplit=1)[0].rstrip(".")


@attack("servers", "the metadata of last week, with their good signatures, so that the device goes back or stays behind")
def replay(site: Site) -> str:
    """A mirror's old state after a newer one was seen."""
    old = site.work / "metadata"
    shutil.copytree(site.repository.metadata, old)
    site.takes_the_next()
    current = site.work / "current"
    shutil.move(site.repository.metadata, current)
    shutil.copytree(old, site.repository.metadata)
    ran = site.agent.command("sync")
    assert ran.code, ran.out
    site.still_serves(NEW)
    reason = site.event("refused")
    shutil.rmtree(site.repository.metadata)
    shutil.move(current, site.repository.metadata)
    site.agent.command("sync").ok()
    return f"`sync` exits {ran.code}: {_short(reason)}"


@attack("servers", "one bit flipped in the graph of an update")
def flipped(site: Site) -> str:
    """A damaged download isn't a verdict on the release: the honest bytes are taken afterwards."""
    before = {path.name for path in site.repository.layout.blobs.iterdir()}
    site.repository.add_release(NEW, channel=None)
    new = [path for path in site.repository.layout.blobs.iterdir() if path.name not in before]
    for path in new:
        flip(path, 100)
    site.repository.promote(NEW)
    ran = site.agent.command("sync")
    assert ran.code, ran.out
    site.still_serves()
    for path in new:
        flip(path, 100)
    site.settles(NEW)
    return f"`sync` exits {ran.code}; took the update when the mirror was mended"


@attack("servers", "answers that come a byte at a time and never end: " + ", ".join(ANSWERS))
def trickle(site: Site) -> str:
    """Nothing waits for such an answer but the download itself; not even the agent's end."""
    for kind in ANSWERS:
        with trickling(kind) as url:
            site.configure(repository=url)
            time.sleep(2)
            begun = time.monotonic()
            site.agent.command("status").ok()
            assert time.monotonic() - begun < 5
            site.still_serves()
    site.client.stop()
    assert site.agent.process is not None
    begun = time.monotonic()
    with trickling("body") as url:
        site.configure(repository=url)
        time.sleep(1)
        site.agent.process.send_signal(signal.SIGTERM)
        assert site.agent.process.wait(30) == 0
    return f"served on; `status` answered at once; SIGTERM ended it in {time.monotonic() - begun - 1:.0f} s"


@attack("servers", "a redirect of every request to another server")
def redirect(site: Site) -> str:
    """Where a device asks is what it was configured with; what it gets is proven whoever gave it."""
    site.server.faults.redirect_to = "http://127.0.0.1:9"
    ran = site.agent.command("sync")
    site.server.faults.redirect_to = ""
    assert ran.code, ran.out
    site.still_serves()
    site.takes_the_next()
    return f"`sync` exits {ran.code}; the next update came when the server answered for itself"


@attack("servers", "a server that fails ten requests (500, 503) and cuts off five answers")
def failing(site: Site) -> str:
    """A hindrance is tried again, and is no verdict."""
    site.server.faults.statuses = [500, 503] * 5
    site.server.faults.cut_after_bytes = [10] * 5
    site.takes_the_next()
    assert not site.agent.status()["refused"]
    return "tried again until the update was whole, and refused no release"


@attack("servers", "a channel that names a release that nobody signed")
def unknown(site: Site) -> str:
    """Signed by the channel's key alone."""
    site.repository.promote("9.9.9")
    ran = site.agent.command("sync")
    assert ran.code, ran.out
    site.still_serves(OLD)
    return f"`sync` exits {ran.code}: {_short(site.event('refused'))}"
