from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import ReportError, StoreError
from sealift_core.messages.receipt import Receipt
from sealift_core.messages.report import Report, open_report
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.reports.spool import ReportSpool, SpoolLimits
from support.clocks import ManualClock
from support.windows import HOST, MODEL, make_event, make_feature, make_window

KEY = PrivateKey.generate()


def open_spool(path: Path, **limits: int) -> ReportSpool:
    return ReportSpool(path / "reports.sqlite", KEY, ManualClock(), SpoolLimits(**limits))


def reports_of(spool: ReportSpool) -> list[Report]:
    return [open_report(envelope, KEY.public_key, where=str(number)) for number, envelope in spool.pending()]


def receipt(number: int) -> Receipt:
    return Receipt(device=KEY.public_key.fingerprint, acknowledged=number)


def test_reports_are_numbered_chained_signed_and_hold_what_was_added(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    assert spool.add(HOST, [MODEL], [make_window()], [make_event(1)]) == 1
    assert spool.add(HOST, [MODEL], [], []) == 2
    first, second = reports_of(spool)
    assert (first.number, first.previous, first.host, first.models) == (1, None, HOST, (MODEL,))
    assert (first.windows, first.events) == ((make_window(),), (make_event(1),))
    assert (second.number, second.previous) == (2, Digest.of(spool.pending()[0][1]))


def test_the_chain_goes_on_after_everything_was_acknowledged_and_the_agent_restarted(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.add(HOST, [], [], [])
    last = Digest.of(spool.pending()[0][1])
    spool.acknowledge(receipt(1))
    again = open_spool(tmp_path)
    assert again.pending() == []
    assert again.add(HOST, [], [], []) == 2
    assert reports_of(again)[0].previous == last


def test_an_event_is_reported_once_however_often_the_ledger_is_given(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.add(HOST, [], [], [make_event(2), make_event(1)])
    spool.add(HOST, [], [], [make_event(1), make_event(2), make_event(3)])
    assert [[event.number for event in report.events] for report in reports_of(spool)] == [[1, 2], [3]]
    assert spool.last_event == 3


def test_a_full_spool_merges_windows_and_leaves_events_in_the_ledger(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, reports=1)
    spool.add(HOST, [], [make_window(0)], [make_event(1)])
    for number in range(1, 6):
        assert spool.add(HOST, [], [make_window(number), make_window(number, version="2.0.0")], [make_event(2)]) is None
    assert spool.last_event == 1
    spool.acknowledge(receipt(1))
    assert spool.add(HOST, [], [make_window(6)], [make_event(2)]) == 2
    windows = reports_of(spool)[0].windows
    assert [(window.version, window.requests) for window in windows] == [("1.2.0", 50), ("2.0.0", 50), ("1.2.0", 10)]
    assert [event.number for event in reports_of(spool)[0].events] == [2]


def test_heartbeats_do_not_queue_while_a_report_waits(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    assert [spool.add(HOST, [], [], [], wait=True) for _ in range(1_000)] == [1, *[None] * 999]
    spool.acknowledge(receipt(1))
    assert spool.add(HOST, [], [], [], wait=True) == 2


@pytest.mark.long
def test_what_waits_for_a_receipt_keeps_its_alarms_and_its_resolution(tmp_path: Path) -> None:
    clock = ManualClock(make_window(0).start)
    spool = ReportSpool(tmp_path / "reports.sqlite", KEY, clock)
    alarm = (make_feature("x[0]", alarm=True),)
    for hour in range(7 * 24):
        clock.advance(3600)
        spool.add(HOST, [], [make_window(hour, features=alarm) if hour == 5 else make_window(hour)], [make_event(hour + 1)], wait=True)
    assert len(spool.pending()) == 1
    assert spool.last_event == 1
    spool.add(HOST, [], [], [make_event(number) for number in range(1, 7 * 24 + 1)])
    windows = [window for report in reports_of(spool) for window in report.windows]
    assert [window.start for window in windows] == [make_window(hour).start for hour in range(7 * 24)]
    assert [window.start for window in windows if window.drifted] == [make_window(5).start]
    assert [event.number for report in reports_of(spool) for event in report.events] == list(range(1, 7 * 24 + 1))


def test_bytes_that_wait_are_bounded_too(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, size_bytes=3000)
    sealed = [spool.add(HOST, [], [make_window(number)], []) for number in range(5)]
    assert sealed[0] == 1
    assert sealed[-1] is None


def test_what_is_too_much_for_one_report_fills_several(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, report_bytes=1, events_per_report=2)
    assert spool.add(HOST, [], [make_window(0), make_window(1)], [make_event(n) for n in range(1, 6)]) == 3
    reports = reports_of(spool)
    assert [len(report.windows) for report in reports] == [1, 1, 0]
    assert [len(report.events) for report in reports] == [2, 2, 1]


def test_a_receipt_beyond_what_was_made_is_refused(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.add(HOST, [], [], [])
    with pytest.raises(ReportError, match="never made: expected at most 1, found 2"):
        spool.acknowledge(receipt(2))
    assert len(spool.pending()) == 1


def test_another_devices_receipt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="the receipt is for another device"):
        open_spool(tmp_path).acknowledge(Receipt(device="0" * 64, acknowledged=0))


def kept(spool: ReportSpool) -> list[int]:
    numbers, at = [], 0
    while (report := spool.next_report(at)) is not None:
        at = report[0]
        numbers.append(at)
    return numbers


def test_an_acknowledged_report_stays_until_a_later_receipt_confirms_it(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for _ in range(4):
        spool.add(HOST, [], [], [])
    for number, left in ((2, [1, 2, 3, 4]), (2, [1, 2, 3, 4]), (1, [1, 2, 3, 4]), (3, [3, 4]), (4, [4])):
        spool.acknowledge(receipt(number))
        assert kept(spool) == left
    assert open_spool(tmp_path).pending() == []


@pytest.mark.parametrize("limits", [{"kept_reports": 2}, {"kept_bytes": 1600}])
def test_what_is_kept_for_a_confirmation_is_bounded_the_newest_stays(tmp_path: Path, limits: dict[str, int]) -> None:
    spool = open_spool(tmp_path, **limits)
    for _ in range(5):
        spool.add(HOST, [], [], [])
    assert all(1600 / 3 < len(envelope) < 1600 / 2 for _, envelope in spool.pending())
    spool.acknowledge(receipt(4))
    assert kept(spool) == [3, 4, 5]


def test_what_is_kept_does_not_count_as_waiting(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, reports=2)
    for number in (1, 2):
        assert spool.add(HOST, [], [], []) == number
    spool.acknowledge(receipt(2))
    assert [spool.add(HOST, [], [], []) for _ in range(3)] == [3, 4, None]


def test_an_old_receipt_changes_nothing(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for _ in range(3):
        spool.add(HOST, [], [], [])
    spool.acknowledge(receipt(2))
    spool.acknowledge(receipt(1))
    assert [number for number, _ in spool.pending()] == [3]
    assert spool.chain.acknowledged == 2


def test_a_file_that_is_no_spool_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "reports.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match=r"reports\.sqlite: the spool can't be used"):
        open_spool(tmp_path)


def test_a_newer_versions_spool_is_refused(tmp_path: Path) -> None:
    open_spool(tmp_path)
    with sqlite3.connect(tmp_path / "reports.sqlite") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(StoreError, match="the spool was written by another version of the agent: expected 1, found 2"):
        open_spool(tmp_path)


def test_threads_share_one_chain_without_gaps_or_doubles(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    threads = [threading.Thread(target=lambda: [spool.add(HOST, [], [], []) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pending = spool.pending()
    assert [number for number, _ in pending] == list(range(1, 21))
    assert [report.previous for report in reports_of(spool)][1:] == [Digest.of(envelope) for _, envelope in pending[:-1]]


CHILD = """
import sys
from pathlib import Path
from support.windows import HOST, make_event, make_window
from sealift_core.clock import SystemClock
from sealift_runtime.reports.spool import ReportSpool
from sealift_core.signing.keys import PrivateKey
spool = ReportSpool(Path(sys.argv[1]) / "reports.sqlite", PrivateKey.load(Path(sys.argv[1]) / "key.pem"), SystemClock())
for number in range(1, 100_000):
    spool.add(HOST, [], [make_window(number)], [make_event(number)])
"""


def test_a_process_killed_while_it_writes_leaves_a_whole_chain(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key.pem")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for round_number in range(2):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], env=environment)
        deadline = time.monotonic() + 30
        spool = open_spool(tmp_path)
        while spool.chain.number < 20 * (round_number + 1) and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
    reports = reports_of(spool)
    assert [report.number for report in reports] == list(range(1, len(reports) + 1))
    assert [report.previous for report in reports][1:] == [Digest.of(envelope) for _, envelope in spool.pending()[:-1]]
    event_numbers = [event.number for report in reports for event in report.events]
    assert event_numbers == list(range(1, spool.last_event + 1))
