from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sealift_core.errors import KeyFileError
from sealift_core.signing.keys import PrivateKey
from sealift_hub.errors import DatabaseError, HubKeyError
from sealift_hub.storage.data_directory import KEY_NAME, hub_key, opened


def fingerprint(directory: Path, *, replace: bool = False) -> str:
    with opened(directory, create=True) as database:
        return hub_key(directory, database, replace=replace).public_key.fingerprint


def test_a_hub_makes_its_key_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == first
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o777 == 0o600


def test_a_copy_of_the_database_alone_has_no_key(tmp_path: Path) -> None:
    key = fingerprint(tmp_path / "hub")
    (tmp_path / "copy").mkdir()
    data = (tmp_path / "hub" / "hub.sqlite").read_bytes()
    assert PrivateKey.load(tmp_path / "hub" / KEY_NAME).pem() not in data
    assert b"PRIVATE KEY" not in data
    (tmp_path / "copy" / "hub.sqlite").write_bytes(data)
    with pytest.raises(HubKeyError, match=f"the hub's key is missing: expected the key {key}.*--new-key"):
        fingerprint(tmp_path / "copy")


def test_another_key_than_the_hub_s_is_refused(tmp_path: Path) -> None:
    fingerprint(tmp_path)
    PrivateKey.generate().save(tmp_path / KEY_NAME)
    with pytest.raises(HubKeyError, match="another key than the hub's: expected"):
        fingerprint(tmp_path)


def test_a_lost_key_is_replaced_when_the_operator_says_so(tmp_path: Path) -> None:
    first = fingerprint(tmp_path)
    (tmp_path / KEY_NAME).unlink()
    second = fingerprint(tmp_path, replace=True)
    assert second != first
    assert fingerprint(tmp_path) == second


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    fingerprint(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o640)
    with pytest.raises(KeyFileError, match=r"other users can read the hub's key\. Run chmod 600"):
        fingerprint(tmp_path)


def test_hubs_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(fingerprint(tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_directory_without_a_hub_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(DatabaseError, match=rf"{directory}: there is no hub in this data directory.*sealift-hub init"), opened(directory):
            pass
    assert list(tmp_path.iterdir()) == []
