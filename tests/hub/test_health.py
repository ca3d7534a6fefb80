"""The hub judges devices by the definition that they have, too."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import SealiftError
from sealift_core.messages.report import Event
from sealift_hub.api.schemas import DeviceAnswer
from sealift_hub.fleet import queries
from sealift_hub.fleet.health import state
from sealift_hub.fleet.views import DeviceView
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.storage.database import Database
from support.clocks import ManualClock
from support.simulated import HOUR, SimulatedDevice, drift, installed, window

NOW = ManualClock().now()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.in_directory(tmp_path)
    yield database
    database.close()


@pytest.fixture
def device(database: Database) -> SimulatedDevice:
    device = SimulatedDevice()
    Intake(database, ManualClock()).enrol(device.id, device.pem)
    return device


def view(database: Database, device: SimulatedDevice) -> DeviceView:
    with database.reading() as session:
        return queries.get_device(session, device.id)


def crashes(*hours_ago: int) -> list[Event]:
    return [Event(number=number, time=NOW - hours * HOUR, kind="server-crashed") for number, hours in enumerate(hours_ago, 1)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param({}, "well", id="well"),
        pytest.param({"events": crashes(5, 4, 3)}, "crash-loop", id="crash loop"),
        pytest.param({"events": crashes(90, 80, 70, 1)}, "well", id="old crashes"),
        pytest.param({"events": crashes(-90, -80, -70)}, "crash-loop", id="crashes in the future happened when they were told"),
        pytest.param({"windows": [window(failures={"model": 7})]}, "failures", id="failures"),
        pytest.param({"windows": [window(failures={"bad-request": 70})]}, "well", id="a client's mistakes"),
        pytest.param({"models": [installed(condition="rolled back", channel_version="2.0.0")]}, "release-refused", id="refused"),
        pytest.param({"models": [installed(condition="held up", channel_version="2.0.0")]}, "update-held-up", id="held up"),
        pytest.param({"models": [installed(channel_version="2.0.0")]}, "behind", id="behind"),
        pytest.param({"windows": [window(features=[drift("speed", 0.9)], failures={"model": 7})]}, "drift", id="drift"),
        pytest.param({"created": NOW + 9 * HOUR}, "clock", id="clock"),
    ],
)
def test_a_device_is_what_its_reports_say(database: Database, device: SimulatedDevice, told: dict[str, object], expected: str) -> None:
    report = device.report(**{"models": [installed()], "created": NOW} | told)  # type: ignore[arg-type]
    Intake(database, ManualClock()).receive(device.id, report, source=Source.HTTP)
    shown = view(database, device)
    assert state(shown, NOW) == expected
    answer = DeviceAnswer.of(shown, NOW)
    assert answer.state == expected
    if expected not in ("well", "drift", "behind"):
        assert (answer.health[0].trouble, bool(answer.health[0].sentence)) == (expected, True)


def test_a_device_that_is_silent_or_new_says_so(database: Database, device: SimulatedDevice) -> None:
    assert state(view(database, device), NOW) == "new"
    Intake(database, ManualClock()).receive(device.id, device.report(created=NOW), source=Source.HTTP)
    assert state(view(database, device), NOW + datetime.timedelta(days=1)) == "well"
    assert state(view(database, device), NOW + datetime.timedelta(days=2)) == "silent"


def test_a_device_whose_reports_can_not_be_taken_is_not_well(database: Database, device: SimulatedDevice) -> None:
    intake = Intake(database, ManualClock())
    device.report()
    with pytest.raises(SealiftError, match="report 1 is missing"):
        intake.receive(device.id, device.report(), source=Source.HTTP)
    assert state(view(database, device), NOW) == "gap"
