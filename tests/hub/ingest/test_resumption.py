"""A device whose reports don't continue what the hub has goes on at an operator's word: under its key, with a gap that shows, and counted once."""

from __future__ import annotations

import pytest

from sealift_core.errors import SignatureError
from sealift_core.messages.report import Event
from sealift_hub.errors import ForkError, GapError, UnknownDeviceError
from sealift_hub.fleet import queries
from sealift_hub.fleet.views import DeviceView
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.storage.database import Database
from support.simulated import HOUR, NOON, SimulatedDevice, installed, window


def view(database: Database, device: SimulatedDevice) -> DeviceView:
    with database.reading() as session:
        return queries.get_device(session, device.id)


def held(database: Database, device: SimulatedDevice) -> list[int]:
    with database.reading() as session:
        return [report.number for report in queries.list_reports(session, device.id, limit=1000)]


def report(device: SimulatedDevice, requests: int = 100) -> bytes:
    return device.report(models=[installed()], windows=[window(end=NOON + len(device.sealed) * HOUR, latencies_ms={1.0: requests})])


def receive(intake: Intake, device: SimulatedDevice, data: bytes, source: Source = Source.HTTP) -> int:
    return intake.receive(device.id, data, source=source).receipt.acknowledged


def test_a_gap_is_shown_while_the_device_offers_what_is_beyond_it(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    sealed = [report(device) for _ in range(4)]
    receive(intake, device, sealed[0])
    with pytest.raises(GapError, match=f"sealift-hub resume {device.id[:12]}"):
        receive(intake, device, sealed[3])
    assert view(database, device).gap == "reports 2 to 3 are missing"
    for data in sealed[1:]:
        receive(intake, device, data)
    assert (view(database, device).gap, view(database, device).interruptions) == (None, ())


def test_a_new_database_takes_a_device_up_again_with_the_oldest_report_that_it_has(
    database: Database, intake: Intake, device: SimulatedDevice
) -> None:
    sealed = [report(device) for _ in range(20)]
    for data in (sealed[16], sealed[14]):
        with pytest.raises(GapError):
            receive(intake, device, data)
    intake.resume(device.id)
    with pytest.raises(GapError):
        receive(intake, device, sealed[16])
    assert [receive(intake, device, data) for data in sealed[14:]] == [15, 16, 17, 18, 19, 20]
    shown = view(database, device)
    assert [interruption.reason for interruption in shown.interruptions] == ["Taken up again at report 15: reports 1 to 14 are missing."]
    assert (shown.gap, shown.resume_asked, shown.models[0].requests) == (None, None, 600)
    report(device)
    with pytest.raises(GapError):
        receive(intake, device, report(device))


def test_asked_before_the_device_came_it_is_not_taken_up_before_it_has_offered_its_oldest(intake: Intake, device: SimulatedDevice) -> None:
    sealed = [report(device) for _ in range(17)]
    intake.resume(device.id)
    for data in (sealed[16], sealed[14], sealed[16]):
        with pytest.raises(GapError):
            receive(intake, device, data)
    assert receive(intake, device, sealed[14]) == 15


def test_a_device_that_was_set_back_goes_on_and_what_was_here_is_kept_apart(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    for _ in range(5):
        receive(intake, device, report(device))
    copy = device.set_back(3)
    other = report(copy, requests=7)
    with pytest.raises(ForkError, match=f"sealift-hub resume {device.id[:12]}"):
        receive(intake, copy, other)
    intake.resume(device.id)
    assert receive(intake, copy, other) == 4
    shown = view(database, device)
    assert (shown.conflict, shown.number, held(database, device)) == (None, 4, [1, 2, 3, 4])
    assert [interruption.reason for interruption in shown.interruptions] == [
        "Taken up again at report 4: 2 reports that the hub had from there on are kept apart."
    ]
    assert shown.models[0].requests == 507, "what was counted stays counted"
    with pytest.raises(ForkError):
        receive(intake, device, device.sealed[4])


def test_a_device_that_lost_its_spool_begins_anew_at_1(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    for _ in range(3):
        receive(intake, device, report(device))
    fresh = SimulatedDevice(key=device.key)
    first = report(fresh, requests=1)
    intake.resume(device.id)
    assert receive(intake, fresh, first) == 1
    assert receive(intake, fresh, report(fresh, requests=1)) == 2
    assert (held(database, device), view(database, device).models[0].requests) == ([1, 2], 302)


def test_a_report_that_comes_once_more_after_that_is_not_counted_twice(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    for _ in range(4):
        receive(intake, device, report(device))
    crash = Event(number=1, time=NOON, kind="server-crashed")
    receive(intake, device, device.report(models=[installed()], windows=[window(end=NOON + 4 * HOUR)], events=[crash]))
    intake.resume(device.id)
    assert receive(intake, device, device.sealed[2]) == 3, "its disk was set back to report 3, and it has no others"
    assert [receive(intake, device, data) for data in device.sealed[3:]] == [4, 5]
    shown = view(database, device)
    assert (shown.models[0].requests, shown.number, len(shown.interruptions), len(shown.crashes)) == (500, 5, 1, 1)


def test_on_a_medium_reports_that_are_here_already_set_nothing_back(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    for _ in range(3):
        receive(intake, device, report(device))
    intake.resume(device.id)
    assert receive(intake, device, device.sealed[0], Source.MEDIUM) == 3
    assert view(database, device).interruptions == ()


def test_a_word_that_was_not_needed_is_spent_by_the_next_report(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    receive(intake, device, report(device))
    intake.resume(device.id)
    receive(intake, device, report(device))
    assert view(database, device).resume_asked is None
    with pytest.raises(ForkError):
        receive(intake, device, SimulatedDevice(key=device.key, name="copy").report())


def test_only_what_the_device_signed_takes_it_up_again(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    receive(intake, device, report(device))
    intake.resume(device.id)
    with pytest.raises(SignatureError):
        receive(intake, device, SimulatedDevice().report())
    assert view(database, device).interruptions == ()


def test_devices_that_need_it_are_found(database: Database, intake: Intake, device: SimulatedDevice) -> None:
    well, forked = SimulatedDevice(), SimulatedDevice()
    for other in (well, forked):
        intake.enrol(other.id, other.pem)
        receive(intake, other, report(other))
    with pytest.raises(ForkError):
        receive(intake, forked, SimulatedDevice(key=forked.key, name="copy").report())
    report(device)
    with pytest.raises(GapError):
        receive(intake, device, report(device))
    with database.reading() as session:
        assert queries.interrupted_devices(session) == sorted([device.id, forked.id])


def test_an_unknown_device_is_named(intake: Intake) -> None:
    with pytest.raises(UnknownDeviceError):
        intake.resume("0" * 64)
