"""A hub's database, what takes reports into it, and a device that is enrolled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_hub.ingest.intake import Intake
from sealift_hub.storage.database import Database
from support.clocks import ManualClock
from support.simulated import SimulatedDevice


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.in_directory(tmp_path)
    yield database
    database.close()


@pytest.fixture
def intake(database: Database) -> Intake:
    return Intake(database, ManualClock())


@pytest.fixture
def device(intake: Intake) -> SimulatedDevice:
    device = SimulatedDevice()
    intake.enrol(device.id, device.pem)
    return device
