"""A wrong clock at the publisher, a stolen key of timestamp, and the way back: through the installed commands and a device's own rules."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from sealift_core.clock import BUILD_TIME, SystemClock, format_time
from sealift_core.errors import ExpiredError
from sealift_core.signing.keys import PrivateKey
from sealift_packager.repository.keyring import tuf_signer
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.trust.state import TrustState
from sealift_runtime.trust.workflow import start
from sealift_runtime.update.refresh import RefreshResult, refresh_trust
from support.cli import Ran, call
from support.workshop import assert_refused

DAY = datetime.timedelta(days=1)
NOW = BUILD_TIME + 100 * DAY
FAR = NOW + 40 * 365 * DAY


class WallClock:
    """What every clock of this machine says."""

    now = NOW


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    wall = WallClock()
    monkeypatch.setattr(SystemClock, "now", lambda _: wall.now)
    return wall


@pytest.fixture
def directory(tmp_path: Path, clock: WallClock) -> Path:
    repo("init", tmp_path / "repo").ok()
    return tmp_path / "repo"


def repo(*words: object) -> Ran:
    return call("sealift", "repo", *words)


def steal(directory: Path, role: str = "timestamp", *, moment: datetime.datetime = FAR, versions: int = 1) -> None:
    """What the key of timestamp alone can do: sign one timestamp far in the future."""
    path = directory / "metadata" / "timestamp.json"
    metadata: Metadata[Any] = Metadata.from_file(str(path))
    metadata.signed.version += versions
    metadata.signed.expires = moment + 30 * DAY
    metadata.signed.unrecognized_fields["dev.sealift.signed-at"] = format_time(moment)
    metadata.signatures.clear()
    metadata.sign(tuf_signer(PrivateKey.load(directory.with_name(f"{directory.name}-keys") / f"{role}.pem")))
    metadata.to_file(str(path))


def follow(directory: Path, state: TrustState, clock: datetime.datetime = NOW) -> RefreshResult:
    return refresh_trust(state, DirectoryTransport(directory), clock=clock, max_staleness=datetime.timedelta(0), save=lambda _: None)


def enrolled(directory: Path) -> TrustState:
    return start((directory / "metadata" / "1.root.json").read_bytes())


@pytest.mark.parametrize("moment", [datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), NOW - 3 * DAY])
def test_nothing_is_signed_by_a_clock_before_the_last_signature(directory: Path, clock: WallClock, moment: datetime.datetime) -> None:
    clock.now = moment
    for words in (["refresh", directory], ["rotate", directory, "targets"], ["promote", directory, "x", "1.0.0", "--channel", "stable"]):
        assert_refused(repo(*words), 3, "this machine's clock is before", "nothing was signed", "pass --trust-clock")
    repo("refresh", directory, "--trust-clock").ok()


def test_nothing_is_signed_by_a_clock_that_is_implausibly_late(directory: Path, clock: WallClock) -> None:
    clock.now = NOW + 181 * DAY
    assert_refused(repo("refresh", directory), 3, "this machine's clock is long after the last signature", "--trust-clock")
    repo("refresh", directory, "--trust-clock").ok()
    assert "Stale" not in repo("status", directory).ok().out


def test_a_pause_while_the_timestamp_is_valid_is_plausible(directory: Path, clock: WallClock) -> None:
    repo("refresh", directory, "--expires", "timestamp=900").ok()
    clock.now = NOW + 800 * DAY
    repo("refresh", directory).ok()


def test_a_repository_is_not_made_by_a_clock_before_this_version(tmp_path: Path, clock: WallClock) -> None:
    clock.now = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert_refused(repo("init", tmp_path / "other"), 3, "before this version of Sealift was made")
    assert not (tmp_path / "other").exists()


def test_status_shows_what_was_signed_in_the_future(directory: Path) -> None:
    steal(directory)
    shown = repo("status", directory).ok().out
    assert f"timestamp says that it was signed at {format_time(FAR)}, in the future" in shown
    roles = {role["role"]: role for role in repo("status", directory, "--json").ok().json["roles"]}
    assert (roles["timestamp"]["state"], roles["timestamp"]["signed_at"]) == ("signed in the future", format_time(FAR))
    assert (roles["targets"]["state"], roles["targets"]["signed_at"]) == ("fresh", format_time(NOW))


@pytest.mark.parametrize("versions", [1, 100_000])
@pytest.mark.parametrize("earlier", [False, True], ids=["this-agent", "pushed-ahead-as-an-earlier-agent"])
def test_a_fleet_that_a_stolen_timestamp_key_pushed_ahead_is_led_back_by_rotating_it(directory: Path, *, versions: int, earlier: bool) -> None:
    device = follow(directory, enrolled(directory)).state
    steal(directory, versions=versions)
    device = follow(directory, device).state  # not locked out meanwhile either
    if earlier:
        device = dataclasses.replace(device, signed_time=FAR)
    assert follow(directory, device).stale is None
    assert_refused(repo("refresh", directory), 3, "before the time at which timestamp was signed", "`sealift repo rotate DIR timestamp`")
    repo("rotate", directory, "timestamp").ok()
    repo("refresh", directory, "--role", "channels").ok()
    after = follow(directory, device)
    assert after.stale is None
    assert after.state.versions["channels"] == 2
    assert (after.state.seen_time, after.state.signed_time) == (NOW, NOW)


@pytest.mark.parametrize("words", [["refresh", "--role", "channels"], ["refresh", "--role", "targets", "--role", "root"], ["rotate", "snapshot"]])
def test_a_fleet_that_one_wrong_clock_at_the_publisher_pushed_ahead_is_led_back(directory: Path, clock: WallClock, words: list[str]) -> None:
    device = follow(directory, enrolled(directory)).state
    clock.now = FAR
    repo(words[0], directory, *words[1:], "--trust-clock").ok()
    clock.now = NOW
    try:
        device = follow(directory, device).state
    except ExpiredError:
        assert words[0] == "rotate" or "root" in words
    assert_refused(repo("refresh", directory), 3, "this machine's clock is before")
    repo("refresh", directory, "--role", "root", "--role", "targets", "--role", "channels", "--trust-clock").ok()
    after = follow(directory, device)
    assert after.stale is None
    repo("refresh", directory).ok()
    assert follow(directory, after.state).stale is None
