"""Attacks by thieves of keys."""

from __future__ import annotations

from attacks.attack import attack
from attacks.site import NEW, Site
from support.hostile_graphs import hostile_graphs
from support.repositories import resign
from support.thief import forge_bundle, forge_release

#: One of each kind of what a graph might try beside computing: reading a file, an operator from outside, a cost without end.
GRAPHS = 6


@attack("keys", "a thief of every publishing key but root's releases graphs that read files, load libraries or name operators of their own")
def graphs(site: Site) -> str:
    """Signed as it must be, and refused for what it is."""
    hostile = hostile_graphs("/etc/passwd")
    chosen = list(hostile)[:: max(len(hostile) // GRAPHS, 1)]
    reasons = []
    for number, name in enumerate(chosen, 1):
        version, place = f"1.1.{number}", site.work / str(number)
        honest = forge_bundle(place / "bundle", name="linear", version=version, session={}, graph=hostile[name].data)
        site.repository.vouch(place / "layout", forge_release(place / "layout", place / "bundle", honest))
        site.repository.publish_targets()
        site.agent.command("sync")
        site.still_serves()
        refused = [entry for entry in site.agent.status()["refused"] if entry["version"] == version]
        assert refused, name
        assert hostile[name].words in refused[0]["reason"], (name, refused)
        reasons.append(name)
    return f"refused all {len(reasons)}, each for what it tries ({'; '.join(reasons)})"


@attack("keys", "a thief of the channel's key alone signs a release")
def channel(site: Site) -> str:
    """The channel points, it doesn't vouch."""
    site.repository.signers["targets"], mine = site.repository.signers["channels"], site.repository.signers["targets"]
    site.repository.add_release(NEW)
    ran = site.agent.command("sync")
    assert ran.code, ran.out
    site.still_serves()
    site.repository.signers["targets"] = mine
    site.repository.publish_targets()
    site.settles(NEW)
    return f"`sync` exits {ran.code}; took the release when the right key had signed it"


@attack("keys", "metadata signed with a key that root has revoked")
def revoked(site: Site) -> str:
    """The key was lost, replaced, and is used by its finder."""
    lost = site.repository.signers["timestamp"]
    site.repository.replace_key("timestamp")
    site.repository.republish_timestamp()
    site.agent.command("sync").ok()
    path = site.repository.metadata / "timestamp.json"
    path.write_bytes(resign(path.read_bytes(), lambda signed: setattr(signed, "version", signed.version + 50), *lost))
    ran = site.agent.command("sync")
    assert ran.code, ran.out
    site.still_serves()
    site.takes_the_next()
    return f"`sync` exits {ran.code}; the next honest metadata was taken although its number is lower than the thief's"
