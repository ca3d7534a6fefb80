"""A bundle directory: what may be in it, and that its signature covers all of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.bundle.signature import sign_directory
from sealift_core.errors import IntegrityError, SealiftError, SignatureError
from sealift_core.signing.keys import PrivateKey
from support.models import make_bundle
from support.verified import check_directory, verify_directory

KEY = PrivateKey.generate()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle", model="sharded", key=KEY)
    return tmp_path / "bundle"


def test_a_bundle_verifies(bundle: Path) -> None:
    statement = verify_directory(bundle, KEY.public_key)
    assert list(statement.resources) == sorted(name for name in files.list_files(bundle) if name != files.SIGNATURE)
    assert check_directory(bundle, KEY.public_key).name == "sharded"


@pytest.mark.parametrize("name", ["bundle.json", "model.onnx", "golden.safetensors", "baseline.json", "MODEL_CARD.md", "weights/00001.bin"])
def test_one_flipped_bit_in_any_file_is_found_and_the_file_named(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).unlink()
    (bundle / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=f"{name}: the content was changed: expected sha256:"):
        verify_directory(bundle, KEY.public_key)


def test_any_flipped_byte_of_the_signature_is_refused_or_means_the_same(bundle: Path) -> None:
    path = bundle / files.SIGNATURE
    data = path.read_bytes()
    signed = verify_directory(bundle, KEY.public_key)
    for at in range(0, len(data), 97):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        try:
            assert verify_directory(bundle, KEY.public_key) == signed
        except SealiftError as error:
            assert files.SIGNATURE in str(error), error


def rename_weights(bundle: Path) -> None:
    (bundle / "weights" / "00001.bin").rename(bundle / "weights" / "00002.bin")


def swap_weights(bundle: Path) -> None:
    first, second, other = (bundle / "weights" / name for name in ("00000.bin", "00001.bin", "x.bin"))
    first.rename(other)
    second.rename(first)
    other.rename(second)


def link_model(bundle: Path) -> None:
    shutil.move(bundle / "model.onnx", bundle.parent / "model.onnx")
    (bundle / "model.onnx").symlink_to(bundle.parent / "model.onnx")


def link_folder(bundle: Path) -> None:
    shutil.move(bundle / "weights", bundle.parent / "weights")
    (bundle / "weights").symlink_to(bundle.parent / "weights")


SPOILERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a stranger": (lambda bundle: (bundle / "setup.py").write_text("x"), r"setup\.py: not a file of a bundle"),
    "a weights file more": (lambda bundle: (bundle / "weights" / "00009.bin").write_text("x"), "weights/00009.bin: a file was added after signing"),
    "a weights file less": (lambda bundle: (bundle / "weights" / "00001.bin").unlink(), "weights/00001.bin: a signed file is missing"),
    "a renamed file": (rename_weights, "a signed file is missing"),
    "two files swapped": (swap_weights, "the content was changed"),
    "a symlink": (link_model, r"model\.onnx: neither a file nor a directory"),
    "a symlinked folder": (link_folder, "weights: neither a file nor a directory"),
    "a pipe": (lambda bundle: os.mkfifo(bundle / "sbom.cdx.json"), "neither a file nor a directory"),
    "no manifest": (lambda bundle: (bundle / "bundle.json").unlink(), r"bundle\.json: a file of the bundle is missing"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILERS.values(), ids=SPOILERS.keys())
def test_a_spoiled_directory_is_refused_and_the_reason_named(bundle: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(bundle)
    with pytest.raises(IntegrityError, match=message):
        verify_directory(bundle, KEY.public_key)


def test_an_unsigned_bundle_is_told_apart(bundle: Path) -> None:
    (bundle / files.SIGNATURE).unlink()
    with pytest.raises(SignatureError, match=r"the bundle is not signed\. Pack it with --key"):
        verify_directory(bundle, KEY.public_key)


def test_another_key_is_refused(bundle: Path) -> None:
    with pytest.raises(SignatureError, match="another key signed it"):
        verify_directory(bundle, PrivateKey.generate().public_key)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="nowhere: no such bundle directory"):
        verify_directory(tmp_path / "nowhere", KEY.public_key)


def test_signing_again_gives_the_same_bytes(bundle: Path) -> None:
    first = (bundle / files.SIGNATURE).read_bytes()
    sign_directory(bundle, verify_directory(bundle, KEY.public_key).name, KEY)
    assert (bundle / files.SIGNATURE).read_bytes() == first
