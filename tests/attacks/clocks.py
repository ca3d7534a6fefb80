"""Attacks by wrong times, with stolen keys and without."""

from __future__ import annotations

from attacks.attack import attack
from attacks.site import NEW, OLD, Site
from support.repositories import DAY

YEARS = 10 * 365 * DAY


@attack("clocks", "the stolen timestamp key signs metadata of ten years from now, so that nothing honest is ever new enough")
def ahead(site: Site) -> str:
    """A thief pushes the fleet ahead in time; the next honest metadata leads it back."""
    honest = site.repository.now
    site.repository.now = honest + YEARS
    site.repository.republish_timestamp()
    site.agent.command("sync")
    site.still_serves()
    site.repository.now = honest
    site.takes_the_next()
    return "took the next honest update; its floor of time follows the roles that a thief of one key doesn't have"


@attack("clocks", "a publisher whose clock is ten years ahead signs a whole release")
def publisher(site: Site) -> str:
    """All online roles with one wrong clock, mended afterwards."""
    honest = site.repository.now
    site.repository.now = honest + YEARS
    site.repository.publish_targets()
    site.agent.command("sync")
    site.repository.now = honest
    site.takes_the_next()
    return "took the next release that was signed by the right clock"


@attack("clocks", "a mirror that stands still for two months, so that the device never hears of an update (freeze)")
def freeze(site: Site) -> str:
    """Signed two months ago, as the device's clock shows it; the operator allows one."""
    site.repository.now -= 60 * DAY
    site.repository.republish()
    warned = site.agent.command("sync").ok()
    assert "expired" in warned.out + warned.err, warned
    site.configure("--set", "limits.stale_days=30")
    site.repository.add_release(NEW)
    ran = site.agent.command("sync")
    assert ran.code, ran.out
    site.still_serves(OLD)
    site.repository.now += 60 * DAY
    site.repository.republish()
    site.settles(NEW)
    return f"warns at each `sync`; with `limits.stale_days=30` it exits {ran.code} and installs nothing until the metadata is fresh"
