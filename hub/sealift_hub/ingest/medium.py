"""Imports what came back from an air-gapped site: ``MEDIUM/sealift-reports/<device id>/``.

Each folder holds the device's public key (``device.pub``) and its sealed reports (``0000000001.json`` …). A medium comes
from outside: only plain files of the expected names are read, each bounded, and nothing is followed. Every report goes
through the same gate as one that came over HTTP, so importing twice, or an older medium after a newer one, changes nothing.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sealift_hub.errors import EnrolmentError, MediumError, RefusedReportError
from sealift_hub.ingest.intake import Intake, Source
from sealift_hub.limits import DEFAULT_LIMITS, Limits
from sealift_runtime import durable
from sealift_runtime.errors import DocumentError, IntegrityError, KeyFileError, LimitError, ReportError, StoreError
from sealift_runtime.exchange.report import DEVICE_ID

FOLDER: Final = "sealift-reports"
KEY_FILE: Final = "device.pub"
RECEIPT_FILE: Final = "receipt.json"
REPORT_FILE: Final = re.compile(r"\d{10}\.json")

_REFUSALS: Final = (MediumError, EnrolmentError, RefusedReportError, DocumentError, IntegrityError, KeyFileError, LimitError, ReportError)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
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
    refused: tuple[Refusal, ...]
    acknowledged: int | None
    receipt_problem: str | None


def import_medium(intake: Intake, medium: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[DeviceImport, ...]:
    """Take all reports of a medium, and leave receipts on it; `MediumError` if it isn't one."""
    folder = medium / FOLDER
    if not folder.is_dir():
        advice = "Give the directory that sealift-agent export wrote to."
        raise MediumError("no reports are here", where=str(medium), expected=f"a folder {FOLDER}", advice=advice)
    devices = [path for path in _entries(folder) if re.fullmatch(DEVICE_ID, path.name) and _is(stat.S_ISDIR, path)]
    return tuple(_import_device(intake, path, limits) for path in devices)


def _import_device(intake: Intake, folder: Path, limits: Limits) -> DeviceImport:
    device = folder.name
    try:
        enrolled = intake.enrol(device, _read(folder / KEY_FILE, limits.key_bytes)).new
    except _REFUSALS as error:
        refusal = Refusal(file=KEY_FILE, reason=str(error))
        return DeviceImport(device=device, enrolled=False, new=0, known=0, refused=(refusal,), acknowledged=None, receipt_problem=None)
    new, known, refused = _take_reports(intake, folder, limits)
    receipt = intake.acknowledged(device)
    problem: str | None = None
    try:
        _leave(folder / RECEIPT_FILE, receipt.to_bytes())
    except StoreError as error:
        problem = str(error)
    return DeviceImport(
        device=device,
        enrolled=enrolled,
        new=new,
        known=known,
        refused=tuple(refused),
        acknowledged=receipt.acknowledged,
        receipt_problem=problem,
    )


def _take_reports(intake: Intake, folder: Path, limits: Limits) -> tuple[int, int, list[Refusal]]:
    new, known = 0, 0
    refused: list[Refusal] = []
    for path in _entries(folder):
        if not REPORT_FILE.fullmatch(path.name):
            continue
        try:
            taken = intake.receive(folder.name, _read(path, limits.report_bytes), source=Source.MEDIUM)
        except _REFUSALS as error:
            refused.append(Refusal(file=path.name, reason=str(error)))
            continue
        new, known = new + taken.new, known + (not taken.new)
    return new, known, refused


def _leave(path: Path, data: bytes) -> None:
    """Write a file unless it is there already: a second import changes nothing."""
    if not (_is(stat.S_ISREG, path) and path.stat().st_size == len(data) and path.read_bytes() == data):
        durable.write_bytes(path, data)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise MediumError(f"can't be listed ({error.strerror})", where=str(folder)) from error


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Whether a path is of a kind itself, without following a link."""
    return os.path.lexists(path) and kind(path.lstat().st_mode)


def _read(path: Path, max_bytes: int) -> bytes:
    """A plain file's content; `MediumError` for a link, a pipe, or one that can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise MediumError("not a plain file", where=path.name)
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise MediumError(f"can't be read ({error.strerror})", where=path.name) from error
    if len(data) > max_bytes:
        raise LimitError("too large", where=path.name, expected=f"at most {max_bytes} bytes")
    return data
