from __future__ import annotations

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.messages.report import Report, open_report
from sealift_hub.ingest.decision import ChainVerdict, Head, decide, fork_error, gap_error
from support.simulated import SimulatedDevice

DEVICE = SimulatedDevice()
SEALED = [DEVICE.report() for _ in range(4)]
EMPTY = Head(number=0, digest=None)


def opened(data: bytes) -> Report:
    return open_report(data, DEVICE.key.public_key, where="report")


def head_after(number: int) -> Head:
    return Head(number=number, digest=Digest.of(SEALED[number - 1]))


def verdict(head: Head, data: bytes, recorded: bytes | None = None) -> ChainVerdict:
    return decide(head, opened(data), Digest.of(data), Digest.of(recorded) if recorded else None)


def test_the_first_report_begins_the_chain() -> None:
    assert verdict(EMPTY, SEALED[0]) is ChainVerdict.ACCEPT


def test_the_report_that_names_the_head_is_accepted() -> None:
    assert verdict(head_after(2), SEALED[2]) is ChainVerdict.ACCEPT


@pytest.mark.parametrize("number", [1, 2])
def test_a_report_that_is_here_already_is_a_duplicate(number: int) -> None:
    assert verdict(head_after(2), SEALED[number - 1], recorded=SEALED[number - 1]) is ChainVerdict.DUPLICATE


@pytest.mark.parametrize("head", [EMPTY, head_after(1), head_after(2)])
def test_a_report_beyond_the_next_number_is_a_gap(head: Head) -> None:
    assert verdict(head, SEALED[3]) is ChainVerdict.GAP


def test_another_report_under_a_known_number_is_a_fork() -> None:
    other = DEVICE.set_back(1).report()
    assert other == SEALED[1], "a device that does the same again signs the same bytes"
    other = SimulatedDevice(key=DEVICE.key, name="copy").report()
    assert verdict(head_after(2), other, recorded=SEALED[0]) is ChainVerdict.FORK


def test_the_next_number_after_some_other_report_is_a_fork() -> None:
    copy = SimulatedDevice(key=DEVICE.key, name="copy")
    copy.report()
    assert verdict(head_after(1), copy.report()) is ChainVerdict.FORK


def test_a_first_report_that_names_a_report_before_it_is_a_fork() -> None:
    report = opened(SEALED[1])
    assert decide(Head(number=1, digest=Digest.of(b"other")), report, Digest.of(SEALED[1]), None) is ChainVerdict.FORK


def test_a_gap_names_what_is_missing_and_what_to_send() -> None:
    error = gap_error(head_after(1), opened(SEALED[3]), where="here")
    assert str(error) == (
        "here: report 4 can't be accepted yet: reports 2 to 3 are missing. Send report 2 first. If the device no longer has it, run "
        f"sealift-hub resume {DEVICE.id[:12]} at the hub."
    )
    assert error.acknowledged == 1


def test_a_fork_says_what_contradicts_and_what_to_do() -> None:
    assert "the hub already has a different report 2" in str(fork_error(head_after(2), opened(SEALED[1]), where="here"))
    assert "doesn't continue the chain after report 1" in str(fork_error(head_after(1), opened(SEALED[1]), where="here"))
