from __future__ import annotations

import base64
import datetime
import json
import tempfile
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, update

from sealift_core.errors import KeyFileError, LimitError, ReportError, SealiftError, SignatureError
from sealift_core.messages.report import Event
from sealift_core.schema.documents import canonical_json
from sealift_hub.errors import EnrolmentError, ForkError, GapError, RefusedReportError, UnknownDeviceError
from sealift_hub.fleet import queries
from sealift_hub.fleet.views import DeviceView
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.limits import Limits
from sealift_hub.storage.database import Database
from sealift_hub.storage.models import DeviceModel
from support.clocks import ManualClock
from support.simulated import HOUR, NOON, SimulatedDevice, drift, installed, window

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def view(database: Database, device: SimulatedDevice) -> DeviceView:
    with database.reading() as session:
        return queries.get_device(session, device.id)


def held(database: Database, device: SimulatedDevice) -> list[bytes]:
    with database.reading() as session:
        reports = queries.list_reports(session, device.id, limit=1000)
        return [queries.sealed_report(session, device.id, report.number) for report in reports]


def receive(intake: Intake, device: SimulatedDevice, data: bytes) -> bool:
    return intake.receive(device.id, data, source=Source.HTTP).new


class TestEnrolment:
    def test_a_device_is_new_once(self, intake: Intake) -> None:
        device = SimulatedDevice()
        assert intake.enrol(device.id, device.pem).new
        assert not intake.enrol(device.id, device.pem).new

    def test_the_key_of_another_device_is_refused(self, intake: Intake) -> None:
        with pytest.raises(EnrolmentError, match="the key doesn't belong to this device id"):
            intake.enrol(SimulatedDevice().id, SimulatedDevice().pem)

    def test_what_is_no_key_is_refused(self, intake: Intake) -> None:
        with pytest.raises(KeyFileError):
            intake.enrol("0" * 64, b"hello")

    def test_a_full_fleet_takes_no_more_but_knows_its_own(self, database: Database) -> None:
        intake = Intake(database, ManualClock(), Limits(devices=1))
        first = SimulatedDevice()
        intake.enrol(first.id, first.pem)
        with pytest.raises(EnrolmentError, match="accepts at most 1 devices"):
            intake.enrol((other := SimulatedDevice()).id, other.pem)
        assert not intake.enrol(first.id, first.pem).new

    def test_a_hub_whose_limit_was_lowered_below_its_fleet_takes_no_more(self, database: Database) -> None:
        for device in (SimulatedDevice(), SimulatedDevice()):
            Intake(database, ManualClock(), Limits(devices=2)).enrol(device.id, device.pem)
        with pytest.raises(EnrolmentError, match="accepts at most 1 devices"):
            Intake(database, ManualClock(), Limits(devices=1)).enrol((other := SimulatedDevice()).id, other.pem)


class TestReports:
    def test_a_chain_is_taken_and_kept_byte_for_byte(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        assert all(receive(intake, device, device.report()) for _ in range(3))
        assert held(database, device) == device.sealed
        assert intake.acknowledged(device.id).acknowledged == 3

    def test_a_report_sent_again_changes_nothing(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        data = device.report(models=[installed()], windows=[window()], events=[Event(number=1, time=NOON, kind="installed")])
        receive(intake, device, data)
        before = view(database, device)
        assert not receive(intake, device, data)
        assert view(database, device) == before

    def test_a_gap_tells_what_is_here(self, intake: Intake, device: SimulatedDevice) -> None:
        receive(intake, device, device.report())
        device.report()
        with pytest.raises(GapError) as caught:
            receive(intake, device, device.report())
        assert caught.value.acknowledged == 1

    def test_a_fork_is_refused_and_shown_and_the_first_story_stands(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        for _ in range(2):
            receive(intake, device, device.report())
        copy = device.set_back(1)
        with pytest.raises(ForkError, match="already has a different report 2"):
            receive(intake, device, copy.report(models=[installed()]))
        after = view(database, device)
        assert after.conflict == "the hub already has a different report 2"
        assert after.models == ()
        assert held(database, device) == device.sealed

    def test_a_report_of_a_device_that_nobody_enrolled_is_refused(self, intake: Intake) -> None:
        stranger = SimulatedDevice()
        with pytest.raises(UnknownDeviceError, match="Enrol it"):
            receive(intake, stranger, stranger.report())

    def test_a_report_signed_by_another_key_is_refused(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        with pytest.raises(SignatureError):
            receive(intake, device, SimulatedDevice().report())
        assert view(database, device).conflict is None, "anyone can make such a report, so it must not look like the device's fault"

    @pytest.mark.parametrize("rewrite", ["spaces", "other s", "second signature", "key id"])
    def test_a_rewritten_envelope_is_refused_so_that_the_chain_can_go_on(self, intake: Intake, device: SimulatedDevice, rewrite: str) -> None:
        data = device.report()
        with pytest.raises(ReportError, match="changed on its way"):
            receive(intake, device, _rewritten(data, rewrite))
        receive(intake, device, data)
        assert receive(intake, device, device.report())

    @pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"payload": 3}', b"[" * 10_000], ids=range(6))
    def test_what_is_no_envelope_is_refused(self, intake: Intake, device: SimulatedDevice, data: bytes) -> None:
        with pytest.raises(SealiftError):
            receive(intake, device, data)

    def test_a_report_that_is_too_large_is_refused(self, intake: Intake, device: SimulatedDevice) -> None:
        with pytest.raises(LimitError):
            receive(intake, device, b" " * (2**25 + 1))

    def test_posts_at_the_same_moment_are_taken_once(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        data = device.report(windows=[window()], models=[installed()])
        outcomes: list[bool] = []
        threads = [threading.Thread(target=lambda: outcomes.append(receive(intake, device, data))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == [False] * 7 + [True]
        assert view(database, device).models[0].requests == 100


def _rewritten(data: bytes, how: str) -> bytes:
    envelope = json.loads(data)
    signature = envelope["signatures"][0]
    if how == "spaces":
        return data.replace(b"\n", b"\n ")
    if how == "other s":
        r, s = decode_dss_signature(base64.b64decode(signature["sig"]))
        signature["sig"] = base64.b64encode(encode_dss_signature(r, P256_ORDER - s)).decode()
    elif how == "second signature":
        envelope["signatures"] *= 2
    else:
        signature["keyid"] = "mine"
    return canonical_json(envelope)


class TestWhatIsShown:
    def test_figures_are_of_the_last_day_that_the_device_told(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        old = window(end=NOON - 24 * HOUR, latencies_ms={5000.0: 7})
        new = [window(end=NOON - n * HOUR, latencies_ms={1.0: 97, 50.0: 3}, failures={"timeout": 2}) for n in range(3)]
        receive(intake, device, device.report(windows=[old, *new], models=[installed()]))
        [model] = view(database, device).models
        assert (model.requests, model.failures, model.until) == (300, 6, NOON)
        assert model.p50_ms == pytest.approx(1.0)
        assert model.p99_ms == pytest.approx(56.234133)

    def test_drift_is_that_of_the_newest_window_with_a_verdict(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        windows = [
            window(end=NOON - 2 * HOUR, features=[drift("pressure", 0.3), drift("speed", 0.4)]),
            window(end=NOON - HOUR, features=[drift("pressure", 0.3), drift("speed", 0.05)]),
            window(end=NOON),
        ]
        receive(intake, device, device.report(windows=windows, models=[installed()]))
        assert view(database, device).models[0].drifted == ("pressure",)
        with database.reading() as session:
            newest = queries.newest_drift(session, device.id, "vibration")
        assert newest is not None
        assert [feature["name"] for feature in newest.features] == ["pressure", "speed"]

    def test_models_are_those_of_the_newest_report(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        receive(intake, device, device.report(models=[installed("a"), installed("b")]))
        receive(intake, device, device.report(models=[installed("b", "2.0.0")]))
        assert [(model.name, model.version) for model in view(database, device).models] == [("b", "2.0.0")]

    def test_an_event_told_twice_is_shown_once_and_a_contradicting_one_beside_it(
        self, database: Database, intake: Intake, device: SimulatedDevice
    ) -> None:
        first = Event(number=1, time=NOON, kind="installed", model="vibration")
        other = Event(number=1, time=NOON, kind="rejected", model="vibration")
        for events in ([first], [first, Event(number=2, time=NOON, kind="activated")], [other]):
            receive(intake, device, device.report(events=events))
        with database.reading() as session:
            kinds = [event.kind for event in queries.newest_events(session, device.id, limit=10)]
        assert kinds == ["rejected", "activated", "installed"]

    def test_a_report_costs_no_more_the_more_was_told_before(self, database: Database, device: SimulatedDevice) -> None:
        intake = Intake(database, ManualClock(), Limits(compared_events=3))
        models = [installed("a"), installed("b")]
        for number in range(5):
            last = number == 4
            windows = [window(name, end=NOON + number * HOUR, features=[drift("speed", 0.4)] if last else ()) for name in "ab"]
            events = [Event(number=1, time=NOON, kind=f"told {number}"), Event(number=2**62, time=NOON, kind="far")]
            receive(intake, device, device.report(models=models, windows=windows, events=events))
        after = view(database, device)
        assert [(model.requests, model.drifted) for model in after.models] == [(500, ("speed",))] * 2
        with database.reading() as session:
            kinds = [event.kind for event in queries.newest_events(session, device.id, limit=10)]
        assert sorted(kinds) == ["far", "told 0", "told 1", "told 2", "told 3", "told 4"]

    def test_many_drifted_features_are_counted_and_some_of_them_named(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        features = [drift(f"f{number:03}", 0.5) for number in range(30)]
        receive(intake, device, device.report(windows=[window(features=features)], models=[installed()]))
        after = view(database, device)
        assert after.alarms == after.models[0].drift_alarms == 30
        assert after.models[0].drifted == tuple(f"f{number:03}" for number in range(20))

    def test_a_page_ends_before_its_devices_have_too_many_models(self, database: Database, intake: Intake) -> None:
        for _ in range(3):
            device = SimulatedDevice()
            intake.enrol(device.id, device.pem)
            receive(intake, device, device.report(models=[installed(f"m{place}") for place in range(3)]))
        with database.reading() as session:
            assert [len(queries.list_devices(session, limit=10, models=most)) for most in (1, 5, 6, 8, 9)] == [1, 1, 2, 2, 3]

    @pytest.mark.parametrize("host", [{str(number): "" for number in range(101)}, {"n" * 101: ""}])
    def test_a_device_says_so_much_of_its_machine_and_no_more(self, intake: Intake, host: dict[str, str]) -> None:
        device = SimulatedDevice(host=host)
        intake.enrol(device.id, device.pem)
        with pytest.raises(LimitError, match=r"host: (too many fields|a name is too long): expected at most 100"):
            receive(intake, device, device.report())

    def test_counts_whose_sum_is_beyond_64_bits_stop_there(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        windows = [window(name, end=NOON - n * HOUR, latencies_ms={1.0: 2**62}) for n in range(3) for name in ("a", "b")]
        receive(intake, device, device.report(windows=windows, models=[installed("a"), installed("b")]))
        assert [model.requests for model in view(database, device).models] == [2**63 - 1] * 2
        with database.reading() as session:
            assert queries.totals(session, NOON).requests == 2 * (2**63 - 1)

    def test_a_device_that_lost_its_clock_is_taken(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        receive(intake, device, device.report(models=[installed()], windows=[window(end=epoch)], created=epoch))
        after = view(database, device)
        assert (after.models[0].until, after.last_seen) == (epoch, ManualClock().now())

    def test_a_medium_shows_when_the_report_was_made_not_when_it_arrived(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        made = NOON - 20 * 24 * HOUR
        intake.receive(device.id, device.report(created=made), source=Source.MEDIUM)
        assert view(database, device).last_seen == made


NOW = ManualClock().now()


class TestClocks:
    def test_one_report_from_the_future_hides_none_that_follows(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        future = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
        ahead = window(end=future, latencies_ms={5.0: 7}, features=[drift("speed", 0.9)])
        receive(intake, device, device.report(models=[installed()], windows=[ahead], created=future))
        shown = view(database, device)
        assert (shown.models[0].until, shown.models[0].drifted, shown.clock_trouble) == (
            NOW,
            ("speed",),
            "The device's clock is about 71 years ahead.",
        )
        mended = [window(end=NOW - HOUR, features=[drift("load", 0.9)]), window(end=NOW)]
        receive(intake, device, device.report(models=[installed()], windows=mended, created=NOW))
        shown = view(database, device)
        assert (shown.models[0].requests, shown.models[0].drifted, shown.clock_trouble) == (207, ("load",), "")
        with database.reading() as session:
            windows = queries.newest_windows(session, device.id, "vibration", limit=10)
            newest = queries.newest_drift(session, device.id, "vibration")
        assert [seen.end for seen in windows] == [NOW, NOW - HOUR, NOW]
        assert newest is not None
        assert newest.features[0]["name"] == "load"

    def test_a_clock_that_was_set_back_begins_a_new_day(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOW, features=[drift("speed", 0.9)])], created=NOW))
        receive(intake, device, device.report(models=[installed()], windows=[window(end=epoch)], created=epoch))
        shown = view(database, device)
        assert (shown.models[0].requests, shown.models[0].until, shown.models[0].drifted) == (100, epoch, ())
        assert shown.clock_trouble == "The device's clock is about 57 years behind."
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOW)], created=NOW))
        assert (view(database, device).models[0].until, view(database, device).clock_trouble) == (NOW, "")

    def test_a_report_without_windows_leaves_the_figures_as_they_are(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        receive(intake, device, device.report(models=[installed()], windows=[window(features=[drift("speed", 0.9)])]))
        before = view(database, device).models[0]
        receive(intake, device, device.report(models=[installed(version="2.0.0", state="probation")]))
        after = view(database, device).models[0]
        assert (after.version, after.state) == ("2.0.0", "probation")
        assert (after.until, after.requests, after.p99_ms, after.drifted) == (before.until, before.requests, before.p99_ms, ("speed",))

    def test_alarms_of_a_day_ago_are_no_longer_shown(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOON, features=[drift("speed", 0.9)])]))
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOON + 23 * HOUR)]))
        assert view(database, device).models[0].drifted == ("speed",)
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOON + 24 * HOUR)]))
        assert view(database, device).models[0].drifted == ()

    def test_the_day_that_an_earlier_hub_kept_without_hours_goes_on(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOON - n * HOUR) for n in range(30)]))
        with database.writing() as session:
            session.execute(update(DeviceModel).values(hours=None))
        receive(intake, device, device.report(models=[installed()], windows=[window(end=NOON + HOUR)]))
        assert view(database, device).models[0].requests == 2400

    def test_no_window_of_before_is_read_for_a_report(self, database: Database, intake: Intake, device: SimulatedDevice) -> None:
        receive(intake, device, device.report(models=[installed()], windows=[window()]))
        statements: list[str] = []
        event.listen(database._engine, "before_cursor_execute", lambda *words: statements.append(words[2]))
        receive(intake, device, device.report(models=[installed()], windows=[window()]))
        assert [text for text in statements if "FROM windows" in text] == []
        assert any("INSERT INTO windows" in text for text in statements)


CHAIN = SimulatedDevice()
GENUINE = [CHAIN.report() for _ in range(5)]
FORKED = CHAIN.set_back(2)
BAD = [FORKED.report(events=[Event(number=9, time=NOON, kind="other")]), FORKED.report(), SimulatedDevice().report(), b"{}"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*GENUINE, *GENUINE, *BAD]), max_size=14))
def test_any_order_repetition_and_loss_leaves_the_longest_verified_prefix(arrivals: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        database = Database.in_directory(Path(directory))
        intake = Intake(database, ManualClock())
        intake.enrol(CHAIN.id, CHAIN.pem)
        story: list[bytes] = []
        both = {GENUINE[0]: 0, GENUINE[1]: 1, GENUINE[2]: 2, GENUINE[3]: 3, GENUINE[4]: 4, BAD[0]: 2, BAD[1]: 3}
        before = {GENUINE[n]: GENUINE[n - 1] for n in range(1, 5)} | {BAD[0]: GENUINE[1], BAD[1]: BAD[0]}
        for data in arrivals:
            try:
                receive(intake, CHAIN, data)
            except (RefusedReportError, SealiftError):
                assert not (data in both and data in story), "what is here already is never refused"
            if both.get(data) == len(story) and before.get(data) == (story[-1] if story else None):
                story.append(data)
            assert intake.acknowledged(CHAIN.id).acknowledged == len(story)
        assert held(database, CHAIN) == story
        database.close()
