"""Releases that a repository does not take in."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_core.errors import IntegrityError, SignatureError
from sealift_core.signing.keys import PrivateKey
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.intake import check_release
from support.models import make_bundle, make_profile, make_release
from support.publishing import release_in


def test_one_whose_index_names_no_key(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    strip_public_key(release)
    with pytest.raises(SignatureError, match="the release is not signed.*--key"):
        check_release(release, None)


def test_one_signed_with_another_key_than_expected(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="signed with another key"):
        check_release(release_in(tmp_path), PrivateKey.generate().public_key)


def test_one_whose_bundles_were_signed_with_another_key_than_it_names(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    make_release(tmp_path / "layout", tmp_path / "bundle", key=PrivateKey.generate())
    with pytest.raises(SignatureError, match="doesn't match"):
        check_release(tmp_path / "layout", None)


def test_one_with_an_unsigned_bundle(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "model.sig").unlink()
    make_release(tmp_path / "layout", tmp_path / "bundle")
    with pytest.raises(SignatureError, match="the bundle is not signed"):
        check_release(tmp_path / "layout", None)


def test_one_whose_file_was_changed_after_signing(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "MODEL_CARD.md").write_text("better than it is")
    make_release(tmp_path / "layout", tmp_path / "bundle")
    with pytest.raises(IntegrityError, match=r"MODEL_CARD.md .*: the content was changed"):
        check_release(tmp_path / "layout", None)


def test_one_with_a_flipped_byte_in_a_blob(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    blob = max((release / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.unlink()
    blob.write_bytes(data)
    with pytest.raises(IntegrityError, match="the content was changed"):
        check_release(release, None)


def test_one_with_a_missing_blob(tmp_path: Path) -> None:
    release = release_in(tmp_path)
    max((release / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size).unlink()
    with pytest.raises(IntegrityError, match="a blob is missing"):
        check_release(release, None)


def test_one_whose_bundle_is_of_another_version(tmp_path: Path) -> None:
    make_bundle(tmp_path / "one", version="1.0.0")
    make_bundle(tmp_path / "two", version="1.0.1", profile=make_profile("other"))
    make_release(tmp_path / "layout", tmp_path / "one", tmp_path / "two")
    with pytest.raises(IntegrityError, match=r"another bundle than expected: expected linear 1.0.0 other, found linear 1.0.1 other"):
        check_release(tmp_path / "layout", None)


def test_a_directory_that_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="not a release"):
        check_release(tmp_path, None)


def strip_public_key(release: Path) -> None:
    from sealift_core.bundle.layout import OciLayout
    from sealift_core.bundle.release import Release, add_release, only_release

    release_index, _ = only_release(OciLayout(release))
    add_release(OciLayout(release), Release(name=release_index.name, version=release_index.version, bundles=release_index.bundles, public_key=None))
