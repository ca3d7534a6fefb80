"""`sealift repo check`: what it finds of damage, and that it finds none where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_packager.repository import publisher
from sealift_packager.repository.publisher import Repository
from support.cli import Ran, call
from support.odd_files import replace_file
from support.publishing import EXPIRY, NOW, add, promote, release_in
from support.repositories import flip
from support.workshop import assert_refused


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)
    for version in ("1.0.0", "1.1.0"):
        add(repository, release_in(tmp_path, version))
    promote(repository, "1.0.0")
    return repository


def check(repository: Repository) -> Ran:
    return call("sealift", "repo", "check", repository.directory)


def test_a_whole_repository_passes_and_says_how_much_was_read(repository: Repository) -> None:
    done = check(repository).ok()
    count = len(list(repository.layout.blobs.iterdir()))
    assert done.out.startswith(f"All metadata and {count} blobs (")


def test_every_blob_that_is_changed_cut_off_or_gone_is_found_by_name(repository: Repository) -> None:
    for path in sorted(repository.layout.blobs.iterdir()):
        data = path.read_bytes()
        flip(path, len(data) // 2)
        done = check(repository)
        assert_refused(done, 4, "blobs are damaged or missing", "`sealift repo add`")
        assert path.name in done.out
        path.write_bytes(data[:-1])
        assert path.name in check(repository).out
        path.unlink()
        assert path.name in check(repository).out
        path.write_bytes(data)
    check(repository).ok()


@pytest.mark.parametrize("replacement", ["link", "pipe", "folder"])
def test_what_is_no_file_of_its_own_is_damage_too_and_holds_nothing_up(repository: Repository, tmp_path: Path, replacement: str) -> None:
    blob = max(repository.layout.blobs.iterdir(), key=lambda path: path.stat().st_size)
    replace_file(blob, replacement, tmp_path / "away")
    done = check(repository)
    assert (done.code, blob.name in done.out) == (4, True)


def test_a_release_that_is_added_again_mends_what_was_found(repository: Repository, tmp_path: Path) -> None:
    blob = max(repository.layout.blobs.iterdir(), key=lambda path: path.stat().st_size)
    flip(blob, 10)
    damaged = check(repository)
    assert damaged.code == 4
    for version in ("1.0.0", "1.1.0"):
        add(repository, tmp_path / f"release-linear-{version}-0" / "layout")
    check(repository).ok()


def test_an_earlier_root_that_is_gone_is_found(repository: Repository) -> None:
    (repository.directory / "metadata" / "1.root.json").unlink()
    assert_refused(check(repository), 3, "1.root.json", "the metadata can't be read")
