from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealift_core.messages.receipt import Receipt, open_receipt
from sealift_core.signing.keys import PrivateKey
from sealift_hub.errors import MediumError
from sealift_hub.ingest.intake import Intake, Taken
from sealift_hub.ingest.medium import DeviceImport, import_medium
from sealift_hub.limits import Limits
from sealift_hub.storage.database import Database
from support.clocks import ManualClock
from support.odd_files import replace_file
from support.simulated import SimulatedDevice

HUB_KEY = PrivateKey.generate()


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(Database.in_directory(tmp_path / "data"), ManualClock())


@pytest.fixture
def device() -> SimulatedDevice:
    device = SimulatedDevice()
    for _ in range(4):
        device.report()
    return device


@pytest.fixture
def folder(tmp_path: Path, device: SimulatedDevice) -> Path:
    return device.export(tmp_path / "medium")


def outcome(intake: Intake, folder: Path, limits: Limits | None = None) -> DeviceImport:
    [imported] = import_medium(intake, folder.parents[1], HUB_KEY, limits or Limits())
    return imported


def test_reports_are_taken_and_a_receipt_is_left(intake: Intake, folder: Path, device: SimulatedDevice) -> None:
    imported = outcome(intake, folder)
    assert (imported.enrolled, imported.new, imported.known, imported.refused, imported.acknowledged) == (True, 4, 0, (), 4)
    signed = open_receipt((folder / "receipt.json").read_bytes(), HUB_KEY.public_key.fingerprint, where="receipt")
    assert signed.receipt == Receipt(device=device.id, acknowledged=4)


def test_a_second_import_changes_nothing_on_either_side(intake: Intake, folder: Path) -> None:
    outcome(intake, folder)
    before = (folder / "receipt.json").stat().st_mtime_ns
    imported = outcome(intake, folder)
    assert (imported.enrolled, imported.new, imported.known) == (False, 0, 4)
    assert (folder / "receipt.json").stat().st_mtime_ns == before


def test_an_older_medium_after_a_newer_one_changes_nothing(intake: Intake, folder: Path) -> None:
    outcome(intake, folder)
    (folder / "0000000004.json").unlink()
    assert (outcome(intake, folder).new, outcome(intake, folder).acknowledged) == (0, 4)


def test_what_is_behind_a_lost_report_is_refused_and_taken_once_it_is_back(intake: Intake, folder: Path) -> None:
    lost = (folder / "0000000002.json").read_bytes()
    (folder / "0000000002.json").unlink()
    imported = outcome(intake, folder)
    assert (imported.new, imported.acknowledged, [refusal.file for refusal in imported.refused]) == (1, 1, ["0000000003.json", "0000000004.json"])
    assert "report 2 is missing" in imported.refused[0].reason
    (folder / "0000000002.json").write_bytes(lost)
    assert (outcome(intake, folder).acknowledged, outcome(intake, folder).known) == (4, 4)


def test_a_changed_report_is_refused_with_its_reason(intake: Intake, folder: Path) -> None:
    path = folder / "0000000004.json"
    path.write_bytes(path.read_bytes().replace(b'"payload": "', b'"payload": "AAAA'))
    imported = outcome(intake, folder)
    assert imported.acknowledged == 3
    assert "signature doesn't match" in imported.refused[0].reason


def test_a_folder_with_another_key_is_refused(intake: Intake, folder: Path) -> None:
    (folder / "device.pub").write_bytes(SimulatedDevice().pem)
    imported = outcome(intake, folder)
    assert (imported.new, imported.acknowledged, imported.refused[0].file) == (0, None, "device.pub")


@pytest.mark.parametrize("spoiled", ["link", "pipe", "folder", "large"])
def test_only_plain_files_of_bounded_size_are_read(intake: Intake, folder: Path, tmp_path: Path, spoiled: str) -> None:
    path = folder / "0000000004.json"
    if spoiled == "large":
        path.write_bytes(b" " * 100_001)
    else:
        replace_file(path, spoiled, tmp_path / "elsewhere")
    imported = outcome(intake, folder, Limits(report_bytes=100_000))
    assert (imported.new, len(imported.refused)) == (3, 1)


def test_other_files_and_linked_folders_are_passed_by(intake: Intake, folder: Path) -> None:
    (folder / "notes.txt").write_text("bring milk")
    (folder.parent / "System Volume Information").mkdir()
    (folder.parent / ("0" * 64)).symlink_to(folder)
    assert outcome(intake, folder).refused == ()


def test_a_linked_folder_of_reports_is_no_medium(intake: Intake, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/sealift-reports").symlink_to(folder.parent)
    with pytest.raises(MediumError, match="the medium holds no reports"):
        import_medium(intake, tmp_path / "other", HUB_KEY)
    assert not (folder / "receipt.json").exists()


def test_a_receipt_is_not_written_through_a_link(intake: Intake, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"victim")
    (folder / "receipt.json").symlink_to(tmp_path / "victim")
    assert outcome(intake, folder).receipt_problem is None
    assert (tmp_path / "victim").read_bytes() == b"victim"
    assert not (folder / "receipt.json").is_symlink()


class LosingIntake(Intake):
    """An intake during which the folder of one device becomes unreadable, as on a failing medium."""

    lost: Path

    def enrol(self, device_id: str, pem: bytes) -> Taken:
        if device_id == self.lost.name:
            self.lost.rename(self.lost.with_name("lost"))
        return super().enrol(device_id, pem)


def test_a_folder_that_can_not_be_listed_keeps_no_other_device_s_reports_out(folder: Path, tmp_path: Path) -> None:
    other = SimulatedDevice()
    other.report()
    other.export(tmp_path / "medium")
    intake = LosingIntake(Database.in_directory(tmp_path / "data"), ManualClock())
    intake.lost = folder
    imported = {device.device: device for device in import_medium(intake, tmp_path / "medium", HUB_KEY)}
    assert (imported[other.id].new, imported[other.id].refused) == (1, ())
    assert "can't be listed" in imported[folder.name].refused[0].reason


def test_an_endless_report_is_refused_unread(intake: Intake, folder: Path) -> None:
    os.truncate(folder / "0000000004.json", 10**13)
    imported = outcome(intake, folder)
    assert (imported.new, [refusal.file for refusal in imported.refused]) == (3, ["0000000004.json"])
    assert "too large" in imported.refused[0].reason


def test_a_medium_without_reports_is_named(intake: Intake, tmp_path: Path) -> None:
    with pytest.raises(MediumError, match="sealift-agent export"):
        import_medium(intake, tmp_path, HUB_KEY)


def test_a_receipt_that_can_not_be_written_is_told_and_the_reports_are_taken(intake: Intake, folder: Path) -> None:
    (folder / "receipt.json").mkdir()
    imported = outcome(intake, folder)
    assert imported.new == 4
    assert imported.receipt_problem is not None
