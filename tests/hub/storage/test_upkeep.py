from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.messages.report import Event
from sealift_hub.api.pruning import pruning
from sealift_hub.errors import DeviceNameError, UnknownDeviceError, UnknownReportError
from sealift_hub.fleet import queries
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.storage.database import Database
from sealift_hub.storage.upkeep import name_device, prune, remove_device
from support.agents import wait_until
from support.clocks import ManualClock
from support.simulated import HOUR, NOON, SimulatedDevice, installed, window

DAY_S = 86_400


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.in_directory(tmp_path)
    yield database
    database.close()


def report(intake: Intake, device: SimulatedDevice) -> None:
    number = len(device.sealed) + 1
    event = Event(number=number, time=NOON, kind="installed")
    data = device.report(models=[installed()], windows=[window(end=NOON + number * HOUR)], events=[event])
    intake.receive(device.id, data, source=Source.HTTP)


def kept(database: Database, device: SimulatedDevice) -> tuple[int, int, list[int]]:
    """How many windows and events, and the numbers of the reports whose text is here."""
    texts = []
    with database.reading() as session:
        windows = queries.newest_windows(session, device.id, "vibration", limit=100)
        events = queries.newest_events(session, device.id, limit=100)
        for stored in queries.list_reports(session, device.id, limit=100):
            try:
                texts += [stored.number] if queries.sealed_report(session, device.id, stored.number) else []
            except UnknownReportError as error:
                assert "no longer kept" in str(error)
    return len(windows), len(events), texts


def test_what_is_too_old_goes_and_the_chain_goes_on(database: Database) -> None:
    clock = ManualClock()
    intake, device = Intake(database, clock), SimulatedDevice()
    intake.enrol(device.id, device.pem)
    for _ in range(4):
        report(intake, device)
        clock.advance(DAY_S)
    assert prune(database, clock.now() - datetime.timedelta(days=2.5)) == 2
    assert kept(database, device) == (2, 2, [3, 4])
    assert not intake.receive(device.id, device.sealed[0], source=Source.HTTP).new, "its digest is still known"
    assert prune(database, clock.now() + HOUR) == 1
    assert kept(database, device) == (1, 1, [4]), "the newest report stays"
    report(intake, device)
    with database.reading() as session:
        assert queries.get_device(session, device.id).number == 5
    assert prune(database, clock.now() - HOUR) == 1
    assert prune(database, clock.now() - HOUR) == 0


def test_a_running_hub_prunes_by_itself(database: Database) -> None:
    clock = ManualClock(datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9))
    intake, device = Intake(database, clock), SimulatedDevice()
    intake.enrol(device.id, device.pem)
    for _ in range(2):
        report(intake, device)
    with pruning(database, 0):
        assert kept(database, device) == (2, 2, [1, 2])
    with pruning(database, 8):
        wait_until(lambda: kept(database, device) == (1, 1, [2]), 10, "the old report to go")


def test_a_removed_device_leaves_nothing_and_may_enrol_again(database: Database) -> None:
    intake, device, other = Intake(database, ManualClock()), SimulatedDevice(), SimulatedDevice()
    for one in (device, other):
        intake.enrol(one.id, one.pem)
        report(intake, one)
    remove_device(database, device.id)
    with database.reading() as session:
        assert [view.id for view in queries.list_devices(session, limit=10)] == [other.id]
        assert queries.newest_windows(session, device.id, "vibration", limit=10) == ()
    with pytest.raises(UnknownDeviceError):
        intake.acknowledged(device.id)
    assert intake.enrol(device.id, device.pem).new
    assert kept(database, other) == (1, 1, [1])


def test_an_operator_s_name_comes_before_the_device_s_own(database: Database) -> None:
    intake, device = Intake(database, ManualClock()), SimulatedDevice("own-name")
    intake.enrol(device.id, device.pem)
    report(intake, device)
    for given, shown in (("hall 3, press", None), ("x" * 65, None), ("", "own-name"), ("Hall 3 press_7", "Hall 3 press_7"), ("", "own-name")):
        if shown is None:
            with pytest.raises(DeviceNameError, match="not a name for a device"):
                name_device(database, device.id, given)
            continue
        name_device(database, device.id, given)
        with database.reading() as session:
            assert queries.get_device(session, device.id).name == shown
