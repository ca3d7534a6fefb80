"""What fails beside the request path is contained, counted, told once for each place, and becomes an event."""

from __future__ import annotations

import contextlib
import types
from pathlib import Path
from typing import cast

import pytest

from sealift_core.schema.documents import Document
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.agent.faults import MAX_DETAIL_CHARACTERS, MAX_TOLD, Fault, Faults
from sealift_runtime.agent.reporting import record_faults
from sealift_runtime.update.state import StateDatabase
from support.clocks import ManualClock


def fail(error: Exception) -> None:
    raise error


def test_a_fault_ends_its_block_alone_and_is_told_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    with faults.contained("monitoring", "wear"):
        fail(ZeroDivisionError("by zero"))
    fault = faults.told()[0]
    assert (fault.number, fault.part, fault.model) == (1, "monitoring", "wear")
    assert "monitoring failed, serving goes on; caused by: ZeroDivisionError: by zero (test_faults.py:" in fault.detail
    assert "by zero" in caplog.text
    assert Fault.parse(Document(fault.json(), "fault")) == fault


def test_what_fails_again_and_again_is_told_once_and_counted_each_time() -> None:
    faults = Faults()
    for _ in range(5):
        with faults.contained("monitoring"):
            fail(ValueError(str(object())))
    assert len(faults.told()) == 1
    assert faults.counts == {"monitoring": 5}
    faults.acknowledge(1)
    with faults.contained("monitoring"):
        int("from elsewhere")
    assert [fault.number for fault in faults.told()] == [2]


def test_however_many_ways_there_are_to_fail_what_is_told_is_bounded() -> None:
    faults = Faults()
    for number in range(MAX_TOLD + 10):
        faults.note(f"part {number}", ValueError("x" * 10_000))
    assert len(faults.told()) == MAX_TOLD
    assert {len(fault.detail) for fault in faults.told()} == {MAX_DETAIL_CHARACTERS}
    assert sum(faults.counts.values()) == MAX_TOLD + 10


def test_what_is_asked_to_end_ends() -> None:
    with pytest.raises(KeyboardInterrupt), Faults().contained("tick"):
        raise KeyboardInterrupt


class FaultyDataPlane:
    """What `record_faults` asks of a data plane."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._faults.note("monitoring", ValueError("odd"), "wear")

    def faults(self) -> list[Fault]:
        return self._faults.told()

    def acknowledge_faults(self, number: int) -> None:
        self._faults.acknowledge(number)


def test_each_fault_becomes_one_event(tmp_path: Path) -> None:
    with contextlib.closing(StateDatabase(tmp_path / "state.sqlite")) as state:
        device = cast("LocalDevice", types.SimpleNamespace(state=state, clock=ManualClock()))
        plane = cast("DataPlaneClient", FaultyDataPlane())
        for _ in range(2):
            record_faults(device, plane)
        events = state.events()
    assert [(event.kind, event.model) for event in events] == [("background-failed", "wear")]
    assert "ValueError: odd" in events[0].detail
