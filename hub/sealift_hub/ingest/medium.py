"""Imports what came back from an air-gapped site: ``MEDIUM/sealift-reports/<device id>/``.

Each folder holds the device's public key (``device.pub``) and its sealed reports (``0000000001.json`` …). A medium comes
from outside: only regular files of the expected names are read, each bounded, and no link is followed. Every report goes
through the same gate as one that came over HTTP, so importing twice, or an older medium after a newer one, changes nothing.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.errors import DocumentError, IntegrityError, KeyFileError, LimitError, ReportError, StoreError
from sealift_core.messages.medium import DEVICE_KEY, RECEIPT, REPORT_FILE, REPORTS
from sealift_core.messages.receipt import seal_receipt
from sealift_core.messages.report import DEVICE_ID
from sealift_core.signing.keys import Signer
from sealift_hub.errors import EnrolmentError, MediumError, RefusedReportError
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.limits import DEFAULT_LIMITS, Limits

_REFUSALS: Final = (MediumError, EnrolmentError, RefusedReportError, DocumentError, IntegrityError, KeyFileError, LimitError, ReportError)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """A file of the medium that was not taken, and why."""

    file: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceImport:
    """What a medium brought of one device. ``receipt_problem`` says why the receipt couldn't be left on it."""

    device: str
    enrolled: bool
    new: int
    known: int
    refused: tuple[RefusedFile, ...]
    acknowledged: int | None
    receipt_problem: str | None


def import_medium(intake: Intake, medium: Path, signer: Signer, limits: Limits = DEFAULT_LIMITS) -> tuple[DeviceImport, ...]:
    """Take all reports of a medium, and leave receipts on it, signed by the hub's key; `MediumError` if it isn't one."""
    advice = "Pass the directory that sealift-agent export wrote to."
    try:
        with beneath.open_folder(medium, REPORTS) as folder:
            names = [name for name in beneath.names_in(folder) if re.fullmatch(DEVICE_ID, name) and _is_folder(folder, name)]
    except (FileNotFoundError, NotADirectoryError, IntegrityError) as error:
        raise MediumError("the medium holds no reports", where=str(medium), expected=f"a folder {REPORTS}", advice=advice) from error
    except OSError as error:
        raise MediumError(f"can't be listed ({error.strerror})", where=str(medium / REPORTS)) from error
    return tuple(_import_device(intake, _DeviceFolder(medium, name), signer, limits) for name in names)


@dataclasses.dataclass(frozen=True, slots=True)
class _DeviceFolder:
    """One device's folder on a medium; every use goes there anew, by no link."""

    medium: Path
    device: str

    def names(self) -> list[str]:
        """What is in it."""
        try:
            with beneath.open_folder(self.medium, REPORTS, self.device) as folder:
                return beneath.names_in(folder)
        except OSError as error:
            raise MediumError(f"can't be listed ({error.strerror})", where=self.device) from error

    def read(self, name: str, max_bytes: int) -> bytes:
        """A regular file's content; `MediumError` for one that can't be read, `IntegrityError` for a link or a pipe, `LimitError`."""
        try:
            with beneath.open_file(self.medium, REPORTS, self.device, name) as file:
                return beneath.read_open(file, max_bytes, where=name)
        except OSError as error:
            raise MediumError(f"can't be read ({error.strerror})", where=name) from error

    def leave(self, name: str, data: bytes) -> None:
        """Write a file unless it is there already: a second import changes nothing."""
        try:
            if self.read(name, len(data)) == data:
                return
        except (MediumError, IntegrityError, LimitError):
            pass
        target = self.medium / REPORTS / self.device / name
        with durable.translate_disk_errors(target), beneath.open_folder(self.medium, REPORTS, self.device) as folder:
            durable.write_bytes(target, data, folder=folder)


def _import_device(intake: Intake, folder: _DeviceFolder, signer: Signer, limits: Limits) -> DeviceImport:
    device = folder.device
    try:
        enrolled = intake.enrol(device, folder.read(DEVICE_KEY, limits.key_bytes)).new
    except _REFUSALS as error:
        refusal = RefusedFile(file=DEVICE_KEY, reason=str(error))
        return DeviceImport(device=device, enrolled=False, new=0, known=0, refused=(refusal,), acknowledged=None, receipt_problem=None)
    new, repeated, refused = _take_reports(intake, folder, limits)
    receipt = intake.acknowledged(device)
    problem: str | None = None
    try:
        folder.leave(RECEIPT, seal_receipt(receipt, signer))
    except (StoreError, IntegrityError) as error:
        problem = str(error)
    return DeviceImport(
        device=device,
        enrolled=enrolled,
        new=new,
        known=repeated,
        refused=tuple(refused),
        acknowledged=receipt.acknowledged,
        receipt_problem=problem,
    )


def _take_reports(intake: Intake, folder: _DeviceFolder, limits: Limits) -> tuple[int, int, list[RefusedFile]]:
    new, repeated = 0, 0
    refused: list[RefusedFile] = []
    try:
        names = folder.names()
    except (MediumError, IntegrityError) as error:  # the other devices' reports may still be read
        return 0, 0, [RefusedFile(file=".", reason=str(error))]
    for name in filter(REPORT_FILE.fullmatch, names):
        try:
            taken = intake.receive(folder.device, folder.read(name, limits.report_bytes), source=Source.MEDIUM)
        except _REFUSALS as error:
            refused.append(RefusedFile(file=name, reason=str(error)))
            continue
        new, repeated = new + taken.new, repeated + (not taken.new)
    return new, repeated, refused


def _is_folder(folder: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
