"""`sealift diff` of what somebody else made: it reads the two folders and nothing else, and ends."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import onnx
import pytest

from sealift_core.bundle import files
from sealift_core.errors import IntegrityError
from sealift_packager.build.pipeline import pack
from sealift_packager.diff import artifact
from sealift_packager.diff.bundles import compare_bundles
from support import trained
from support.cli import Ran, call
from support.packing import request
from support.workshop import assert_refused

SECRET = b"what nobody else may read"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("diff")
    pack(request(trained.onnx_net(), place / "out", data=None))
    artifact.unpack(place / "out", "elsewhere", place / "bundle")
    return place / "bundle"


@pytest.fixture
def other(bundle: Path, tmp_path: Path) -> Path:
    """A copy to change, with a secret beside it."""
    (tmp_path / "secret").write_bytes(SECRET)
    return Path(shutil.copytree(bundle, tmp_path / "other"))


def diff(*words: object) -> Ran:
    return call("sealift", "diff", *words)


def refused(done: Ran) -> None:
    """Assert that a command refused, by the check of bundles or by the comparison, in one message, and showed nothing of the secret."""
    assert done.code in (3, 4), done.out + done.err
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "nobody else" not in done.err


def refer(other: Path, **entries: object) -> None:
    """Say that the first weight of the graph is in a file."""
    model = onnx.load(other / files.GRAPH)
    tensor: Any = model.graph.initializer[0]
    tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=onnx.TensorProto.UINT8, dims=[4], data_location=onnx.TensorProto.EXTERNAL))
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    (other / files.GRAPH).write_bytes(model.SerializeToString())


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "weights/../../secret", "", "weights", "nowhere.bin", "./bundle.json"])
def test_weights_outside_of_the_bundle_are_not_read(bundle: Path, other: Path, location: str) -> None:
    refer(other, location=location, offset=0, length=4)
    refused(diff(bundle, other))
    with pytest.raises(IntegrityError, match="the weights are in a file outside the bundle"):
        list(compare_bundles(bundle, other))


@pytest.mark.parametrize(("offset", "length"), [(2**40, 4), (0, 2**40), ("-1", 4), ("x", 4), ("9" * 5000, 4)])
def test_weights_beyond_the_end_of_their_file_are_not_read(bundle: Path, other: Path, offset: object, length: object) -> None:
    refer(other, location=files.CARD, offset=offset, length=length)
    refused(diff(bundle, other))
    with pytest.raises(IntegrityError, match="the weights are beyond the end of their file"):
        list(compare_bundles(bundle, other))


@pytest.mark.parametrize("name", [files.CARD, files.MANIFEST, files.GRAPH, files.SBOM])
def test_a_link_out_of_the_folder_is_not_followed(bundle: Path, other: Path, name: str) -> None:
    (other / name).unlink()
    (other / name).symlink_to(other.parent / "secret")
    refused(diff(bundle, other))


def test_a_graph_that_is_none_is_an_error_of_the_bundle(bundle: Path, other: Path) -> None:
    (other / files.GRAPH).write_bytes(b"\xff" * 100)
    refused(diff(bundle, other))
    with pytest.raises(IntegrityError, match="not an ONNX graph"):
        list(compare_bundles(bundle, other))


def test_weights_that_are_not_what_they_say_are_an_error_of_the_bundle(bundle: Path, other: Path) -> None:
    model = onnx.load(other / files.GRAPH)
    model.graph.initializer[0].raw_data = b"\x00\x00\x00"
    (other / files.GRAPH).write_bytes(model.SerializeToString())
    assert_refused(diff(bundle, other), 4, "the weights can't be read")


def test_a_document_nested_deeper_than_any_of_ours_is_compared_by_its_bytes(bundle: Path, other: Path) -> None:
    (other / files.SBOM).write_text("[" * 100_000 + "]" * 100_000)
    done = diff(bundle, other)
    assert done.code == 8, done.err
    assert f"{files.SBOM}  the bytes" in done.out


def test_documents_nested_as_deep_as_json_allows_are_compared_by_their_bytes(bundle: Path, other: Path, tmp_path: Path) -> None:
    first = Path(shutil.copytree(bundle, tmp_path / "first"))
    for place, word in ((first, "1"), (other, "2")):
        (place / files.SBOM).write_text("[" * 900 + word + "]" * 900)
    done = diff(first, other)
    assert done.code == 8, done.err
    assert files.SBOM in done.out


def test_a_document_beyond_its_bound_is_not_read(bundle: Path, other: Path) -> None:
    with (other / files.BASELINE).open("ab") as file:
        file.truncate(2**30)
    refused(diff(bundle, other))


def test_a_card_of_a_hundred_thousand_lines_does_not_take_hours(bundle: Path, other: Path, tmp_path: Path) -> None:
    first = Path(shutil.copytree(bundle, tmp_path / "first"))
    (first / files.CARD).write_text("a\nb\n" * 50_000)
    (other / files.CARD).write_text("b\na\na\n" * 50_000)
    start = time.monotonic()
    assert diff(first, other).code == 8
    assert time.monotonic() - start < 30


def test_a_card_that_is_no_text_is_compared_all_the_same(bundle: Path, other: Path) -> None:
    (other / files.CARD).write_bytes(b"\xff\xfe")
    assert diff(bundle, other).code == 8
