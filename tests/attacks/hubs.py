"""Attacks by whoever answers for the hub."""

from __future__ import annotations

import signal
import socket
import time

from attacks.attack import attack
from attacks.site import NEW, Site
from sealift_core.messages.receipt import Receipt, seal_receipt
from sealift_core.signing.keys import PrivateKey
from support.agents import wait_until
from support.trickling import trickling

#: An agent whose hub answers ends within this time, in seconds.
END_S = 15.0


@attack("hubs", "a hub that takes the connection and never answers")
def hanging(site: Site) -> str:
    """Updates come, and the agent ends when it is asked to."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _turn_to(site, f"http://127.0.0.1:{silent.getsockname()[1]}")
        site.takes_the_next()
        seconds = _end(site)
    assert seconds < END_S, seconds
    return f"took an update meanwhile; SIGTERM ended it in {seconds:.1f} s"


@attack("hubs", "a hub whose answers come a byte at a time")
def trickled(site: Site) -> str:
    """As the hanging hub, but never silent."""
    with trickling("body") as url:
        _turn_to(site, url)
        site.takes_the_next()
        seconds = _end(site)
    assert seconds < END_S, seconds
    return f"took an update meanwhile; SIGTERM ended it in {seconds:.1f} s"


@attack("hubs", "a hub that answers 500, then 413, then garbage, then a page of a login portal")
def babbling(site: Site) -> str:
    """No report is lost: all come when the hub is itself again."""
    site.hub.override[:] = [(500, b""), (413, b"{}"), (200, b"\0\xff" * 100), (200, b"<html>Sign in</html>")] * 3
    wait_until(lambda: not site.hub.override, 60, "the hub to have said all of it")
    return f"kept its reports and sent them again; {_whole_chain(site)} arrived, none missing, none twice"


@attack("hubs", "an impostor who acknowledges a thousand reports, with no signature and with one of a key of its own")
def forged(site: Site) -> str:
    """Nothing is dropped, and the hub gets all of it afterwards."""
    wait_until(lambda: site.hub.reports, 60, "a first report, with which the hub's key is pinned")
    identity = str(site.agent.status()["device"])
    claim = Receipt(device=identity, acknowledged=1000)
    site.hub.override[:] = [(200, claim.to_bytes()), (200, seal_receipt(claim, PrivateKey.generate()))] * 3
    wait_until(lambda: not site.hub.override, 60, "the impostor to have said all of it")
    return f"took neither; the hub has all {_whole_chain(site)} reports"


@attack("hubs", "a stick with a receipt for a thousand reports, with no signature and with one of a key of its own")
def forged_on_a_stick(site: Site) -> str:
    """A medium can't end a device's reporting either."""
    wait_until(lambda: site.hub.reports, 60, "a first report, with which the hub's key is pinned")
    site.configure()  # reports wait for the stick from now on
    identity, medium, codes = str(site.agent.status()["device"]), site.work / "medium", []
    folder = medium / "sealift-reports" / identity
    folder.mkdir(parents=True)
    claim = Receipt(device=identity, acknowledged=1000)
    for data in (claim.to_bytes(), seal_receipt(claim, PrivateKey.generate())):
        (folder / "receipt.json").write_bytes(data)
        codes.append(site.agent.command("import", medium).code)
    (folder / "receipt.json").unlink()
    site.configure("--hub", site.hub.url)
    assert all(codes), codes
    return f"`import` exits {codes[0]} and {codes[1]}; the hub has all {_whole_chain(site)} reports"


def _whole_chain(site: Site) -> int:
    """Wait for one more report; how many the hub has then, each of them once."""
    before = len(site.hub.reports)
    wait_until(lambda: len(site.hub.reports) > before, 60, "a report to arrive")
    numbers = [report.number for report in site.hub.reports]
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    return len(numbers)


def _turn_to(site: Site, url: str) -> None:
    site.configure("--hub", url)
    time.sleep(1.5)


def _end(site: Site) -> float:
    site.client.stop()
    assert site.agent.process is not None
    assert site.agent.serving() == NEW
    begun = time.monotonic()
    site.agent.process.send_signal(signal.SIGTERM)
    assert site.agent.process.wait(120) == 0
    return time.monotonic() - begun
