from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_core.errors import DocumentError, IntegrityError, LimitError, ReportError, SignatureError, TransportError
from sealift_core.messages.medium import device_folder
from sealift_core.messages.receipt import Receipt, seal_receipt
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.reports.medium import export_reports, import_receipt
from sealift_runtime.reports.spool import ReportSpool
from support.clocks import ManualClock
from support.sticks import as_nobody, stick
from support.windows import HOST, make_window

HUB = PrivateKey.generate()
PINNED = HubKey(Path("no such file"), HUB.public_key.fingerprint)


@pytest.fixture
def spool(tmp_path: Path) -> ReportSpool:
    spool = ReportSpool(tmp_path / "home" / "reports.sqlite", PrivateKey.generate(), ManualClock())
    for number in range(3):
        spool.add(HOST, [], [make_window(number)], [])
    return spool


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def write_receipt(medium: Path, spool: ReportSpool, number: int) -> None:
    receipt = Receipt(device=spool.device, acknowledged=number)
    (device_folder(medium, spool.device) / "receipt.json").write_bytes(seal_receipt(receipt, HUB))


def test_a_medium_gets_the_key_and_every_report_under_plain_names(spool: ReportSpool, medium: Path) -> None:
    assert export_reports(spool, medium) == 3
    folder = medium / "sealift-reports" / spool.device
    assert sorted(path.name for path in folder.iterdir()) == ["0000000001.json", "0000000002.json", "0000000003.json", "device.pub"]
    assert PublicKey.load(folder / "device.pub").fingerprint == spool.device
    assert (folder / "0000000002.json").read_bytes() == spool.pending()[1][1]


def test_exporting_again_adds_what_is_new_and_mends_what_was_cut_off(spool: ReportSpool, medium: Path) -> None:
    export_reports(spool, medium)
    folder = device_folder(medium, spool.device)
    untouched = (folder / "0000000001.json").stat().st_mtime_ns
    (folder / "0000000002.json").write_bytes(b"{")
    spool.add(HOST, [], [], [])
    assert export_reports(spool, medium) == 4
    assert (folder / "0000000001.json").stat().st_mtime_ns == untouched
    assert (folder / "0000000002.json").read_bytes() == spool.pending()[1][1]


def test_what_a_later_receipt_confirms_is_let_go_and_the_next_export_clears_it_away(spool: ReportSpool, medium: Path) -> None:
    export_reports(spool, medium)
    write_receipt(medium, spool, 2)
    assert import_receipt(spool, medium, PINNED) == Receipt(device=spool.device, acknowledged=2)
    assert [number for number, _ in spool.pending()] == [3]
    assert export_reports(spool, medium) == 1
    names = sorted(path.name for path in device_folder(medium, spool.device).iterdir())
    assert names == ["0000000001.json", "0000000002.json", "0000000003.json", "device.pub", "receipt.json"]
    write_receipt(medium, spool, 3)
    import_receipt(spool, medium, PINNED)
    assert export_reports(spool, medium) == 0
    names = sorted(path.name for path in device_folder(medium, spool.device).iterdir())
    assert names == ["0000000003.json", "device.pub", "receipt.json"]


@pytest.mark.parametrize(
    ("key", "data", "words"),
    [
        pytest.param(PINNED, Receipt.to_bytes, r"receipt\.json: the receipt isn't signed.*No report was dropped", id="unsigned"),
        pytest.param(PINNED, lambda receipt: seal_receipt(receipt, PrivateKey.generate()), "another key than the hub's", id="foreign"),
        pytest.param(
            HubKey(Path("no such file")), lambda receipt: seal_receipt(receipt, HUB), "doesn't know the hub's key.*init --hub-key", id="no key pinned"
        ),
    ],
)
def test_a_receipt_that_the_hub_did_not_sign_drops_nothing(
    spool: ReportSpool, medium: Path, key: HubKey, data: Callable[[Receipt], bytes], words: str
) -> None:
    export_reports(spool, medium)
    (device_folder(medium, spool.device) / "receipt.json").write_bytes(data(Receipt(device=spool.device, acknowledged=3)))
    with pytest.raises(SignatureError, match=words):
        import_receipt(spool, medium, key)
    assert len(spool.pending()) == 3
    assert spool.chain.acknowledged == 0
    assert key.fingerprint in (None, HUB.public_key.fingerprint)


def test_a_medium_that_the_hub_has_not_seen_has_no_receipt(spool: ReportSpool, medium: Path) -> None:
    assert import_receipt(spool, medium, PINNED) is None


def test_a_receipt_beyond_what_was_made_is_refused(spool: ReportSpool, medium: Path) -> None:
    export_reports(spool, medium)
    write_receipt(medium, spool, 9)
    with pytest.raises(ReportError, match="never made"):
        import_receipt(spool, medium, PINNED)
    assert len(spool.pending()) == 3


def test_a_damaged_receipt_names_its_file(spool: ReportSpool, medium: Path) -> None:
    export_reports(spool, medium)
    (device_folder(medium, spool.device) / "receipt.json").write_bytes(b"\x00" * 100)
    with pytest.raises(DocumentError, match=r"receipt\.json: not valid JSON"):
        import_receipt(spool, medium, PINNED)


@pytest.mark.parametrize("folder", ["sealift-reports", "device"])
def test_nothing_is_written_or_removed_by_a_linked_folder(spool: ReportSpool, medium: Path, tmp_path: Path, folder: str) -> None:
    victim = tmp_path / "victim"
    inside = victim / spool.device if folder == "sealift-reports" else victim
    inside.mkdir(parents=True)
    (inside / "0000000001.json").write_bytes(b"mine")
    for acknowledged in (1, 2):
        spool.acknowledge(Receipt(device=spool.device, acknowledged=acknowledged))
    place = medium / "sealift-reports" if folder == "sealift-reports" else device_folder(medium, spool.device)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(victim)
    with pytest.raises(IntegrityError, match="not a folder of its own: found a symbolic link"):
        export_reports(spool, medium)
    assert [path.read_bytes() for path in inside.iterdir()] == [b"mine"]


@pytest.mark.parametrize("replacement", ["link", "pipe", "folder", "large"])
def test_a_receipt_that_is_no_bounded_file_is_refused_at_once(spool: ReportSpool, medium: Path, replacement: str) -> None:
    export_reports(spool, medium)
    place = device_folder(medium, spool.device) / "receipt.json"
    if replacement == "link":
        place.symlink_to("/dev/zero")
    elif replacement == "pipe":
        os.mkfifo(place)
    elif replacement == "folder":
        place.mkdir()
    else:
        place.touch()
        os.truncate(place, 10**12)
    with pytest.raises((IntegrityError, LimitError), match=r"receipt.json: (not a regular file|too large)"):
        import_receipt(spool, medium, PINNED)


@pytest.mark.parametrize("replacement", ["link", "pipe"])
def test_a_report_on_the_medium_that_is_no_file_is_written_anew(spool: ReportSpool, medium: Path, tmp_path: Path, replacement: str) -> None:
    export_reports(spool, medium)
    place = device_folder(medium, spool.device) / "0000000002.json"
    place.unlink()
    (tmp_path / "victim").write_bytes(b"victim")
    if replacement == "link":
        place.symlink_to(tmp_path / "victim")
    else:
        os.mkfifo(place)
    assert export_reports(spool, medium) == 3
    assert place.read_bytes() == spool.pending()[1][1]
    assert not place.is_symlink()
    assert (tmp_path / "victim").read_bytes() == b"victim"


def test_a_medium_that_is_not_mounted_is_an_error(spool: ReportSpool, tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"no such directory\. Check that the medium is mounted\."):
        export_reports(spool, tmp_path / "nothing here")


@pytest.mark.parametrize("file_system", ["vfat", "exfat"])
def test_reports_are_exported_to_a_stick_of_which_the_agent_s_user_owns_nothing(tmp_path: Path, spool: ReportSpool, file_system: str) -> None:
    (tmp_path / "home").chmod(0o777)
    (tmp_path / "home" / "reports.sqlite").chmod(0o666)
    with stick(tmp_path, file_system) as usb:

        def export() -> None:
            assert export_reports(spool, usb) == 3
            spool.add(HOST, [], [], [])
            assert export_reports(spool, usb) == 4

        for file in (tmp_path / "home").iterdir():
            file.chmod(0o666)
        as_nobody(export, tmp_path)
        assert [number for number, _ in spool.pending()] == [1, 2, 3, 4]
        written = sorted(path.name for path in device_folder(usb, spool.device).iterdir())
        assert written == [f"000000000{number}.json" for number in (1, 2, 3, 4)] + ["device.pub"]
