"""The same fault of a bundle has the same words and the same exit code, whichever command finds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.bundle.layout import OciLayout
from sealift_core.bundle.release import Release, add_bundle, add_release
from sealift_core.bundle.signature import sign_directory
from sealift_core.signing.keys import PrivateKey
from sealift_packager.repository import publisher
from support.cli import Ran, call
from support.models import make_bundle, make_profile, make_release, shared_key
from support.publishing import EXPIRY, NOW


def unsigned(bundle: Path) -> None:
    (bundle / files.SIGNATURE).unlink()


def changed(bundle: Path) -> None:
    (bundle / files.CARD).write_text("better than it is")


def added(bundle: Path) -> None:
    (bundle / files.SBOM).write_text("{}")


def removed(bundle: Path) -> None:
    (bundle / files.PROVENANCE).unlink()


def signed_by_another(bundle: Path) -> None:
    make_bundle(bundle, key=PrivateKey.generate())


def unreadable_signature(bundle: Path) -> None:
    (bundle / files.SIGNATURE).write_text("{}")


FAULTS: dict[str, tuple[Callable[[Path], None], int, str]] = {
    "unsigned": (unsigned, 4, "the bundle is not signed"),
    "changed": (changed, 4, "the content was changed"),
    "added": (added, 4, "a file was added after signing"),
    "removed": (removed, 4, "a signed file is missing"),
    "signed by another": (signed_by_another, 4, "the signature doesn't match"),
    "unreadable signature": (unreadable_signature, 3, "mediaType"),
}


def error_of(done: Ran) -> tuple[int, str, str]:
    fields = json.loads(done.err.splitlines()[-1])
    assert fields["exit_code"] == done.code
    return done.code, fields["kind"], fields["error"]


@pytest.mark.parametrize(("spoil", "code", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_has_one_code_in_all_commands(tmp_path: Path, spoil: Callable[[Path], None], code: int, words: str) -> None:
    bundle = tmp_path / "bundle"
    make_bundle(bundle)
    (bundle / files.PROVENANCE).write_text("{}")
    sign_directory(bundle, "linear", shared_key())
    spoil(bundle)
    make_release(tmp_path / "layout", bundle)
    public = tmp_path / "key.pub"
    public.write_bytes(shared_key().public_key.pem())
    publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)
    outcomes = [
        error_of(call("sealift", "verify", bundle, "--public-key", public, "--json")),
        error_of(call("sealift", "verify", tmp_path / "layout", "--public-key", public, "--json")),
        error_of(call("sealift", "repo", "add", tmp_path / "repo", tmp_path / "layout", "--keys", tmp_path / "repo-keys", "--json")),
    ]
    assert {outcome[0] for outcome in outcomes} == {code}
    assert len({outcome[1] for outcome in outcomes}) == 1, outcomes
    assert all(words in outcome[2] for outcome in outcomes), outcomes


def test_a_release_that_names_no_key_is_refused_as_an_unsigned_bundle_is(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    layout = OciLayout.create(tmp_path / "layout")
    add_release(layout, Release(name="linear", version="1.0.0", bundles=(add_bundle(layout, tmp_path / "bundle"),), public_key=None))
    publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)
    done = call("sealift", "repo", "add", tmp_path / "repo", tmp_path / "layout", "--keys", tmp_path / "repo-keys", "--json")
    assert error_of(done)[:2] == (4, "SignatureError")


@pytest.mark.parametrize("name", [files.GOLDEN, files.BASELINE])
def test_a_release_whose_documents_no_device_could_read_is_not_published(tmp_path: Path, name: str) -> None:
    make_bundle(tmp_path / "bundle", profile=make_profile("any-cpu"))
    (tmp_path / "bundle" / name).write_bytes(b"nothing of the kind")
    sign_directory(tmp_path / "bundle", "linear", shared_key())
    make_release(tmp_path / "layout", tmp_path / "bundle")
    publisher.init(tmp_path / "repo", tmp_path / "repo-keys", expiry=EXPIRY, now=NOW)
    added = call("sealift", "repo", "add", tmp_path / "repo", tmp_path / "layout", "--keys", tmp_path / "repo-keys", "--json")
    assert error_of(added)[0] == 3
    assert name in error_of(added)[2]
