"""A repository with one release, and a device that follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.devices import Device
from support.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repository")
    repository.add_release("1.0.0")
    return repository


@pytest.fixture
def device(tmp_path: Path, repository: Repository) -> Device:
    return Device(tmp_path / "home", repository)
