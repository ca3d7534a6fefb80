"""Folders of images with labels as holdout data."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.assemble.model_card import model_card
from sealift_packager.build.keys import build_inputs
from sealift_packager.build.pipeline import pack
from sealift_packager.data import images as images_module
from sealift_packager.data import pixels
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import bind
from sealift_packager.data.images import ImageFolder
from sealift_packager.data.pixels import Normalization, decode_images, describe_images
from sealift_packager.errors import DataError, LockError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.lock.lockfile import read_lock, write_lock
from sealift_packager.model.source import LoadOptions
from support import trained
from support.packing import request

NCHW = TensorSpec(name="image", dtype="float32", shape=("batch", 3, 4, 6))


def picture(path: Path, color: tuple[int, ...] = (255, 0, 51), size: tuple[int, int] = (6, 4), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if len(color) == 3 else "RGBA", size, color).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labels, three images."""
    picture(tmp_path / "images" / "dog" / "b.png", (0, 255, 0))
    picture(tmp_path / "images" / "cat" / "a.png")
    picture(tmp_path / "images" / "cat" / "c.bmp", size=(12, 8))
    return tmp_path / "images"


def listed(path: Path) -> ImageFolder:
    images = read_data(path)
    assert isinstance(images, ImageFolder)
    return images


def decoded(path: Path, spec: TensorSpec = NCHW, **normalization: tuple[float, ...]) -> Any:
    return decode_images(listed(path), [spec], Normalization(**normalization))[spec.name]


def test_a_folder_of_labels_is_read_in_the_order_of_names_and_labels_are_numbered(folder: Path) -> None:
    images = listed(folder)
    assert [path.name for path in images.files] == ["a.png", "c.bmp", "b.png"]
    assert images.labels.tolist() == [0, 0, 1]
    for label, name in (("7", "cat"), ("30", "dog")):
        (folder / name).rename(folder / label)
    assert listed(folder).labels.tolist() == [30, 7, 7]  # numbers stay what they are


def test_images_come_in_the_model_s_layout_size_and_type(folder: Path) -> None:
    floats = decoded(folder)
    assert (floats.shape, floats.dtype) == ((3, 3, 4, 6), np.float32)
    np.testing.assert_allclose(floats[0, :, 0, 0], [1, 0, 0.2])
    last = decoded(folder, TensorSpec(name="image", dtype="uint8", shape=("batch", 8, 8, 3)))
    assert (last.shape, last.dtype, last[0, 0, 0].tolist()) == ((3, 8, 8, 3), np.uint8, [255, 0, 51])
    assert decoded(folder, TensorSpec(name="image", dtype="float32", shape=("batch", 1, 5, 5))).shape == (3, 1, 5, 5)
    assert decoded(folder, TensorSpec(name="image", dtype="float32", shape=("batch", 5, 7))).shape == (3, 5, 7)


def test_mean_and_deviation_are_taken_by_channel(folder: Path) -> None:
    images = decoded(folder, mean=(0.5, 0.25, 0.2), std=(0.5,))
    np.testing.assert_allclose(images[0, :, 0, 0], [1, -0.5, 0], atol=1e-6)
    with pytest.raises(DataError, match="--image-std: .*expected 1 or 3 numbers, found 2"):
        decoded(folder, std=(1.0, 2.0))
    with pytest.raises(DataError, match="an integer input can't be normalized"):
        decoded(folder, TensorSpec(name="image", dtype="uint8", shape=("batch", 3, 4, 6)), mean=(0.5,))


def test_where_the_model_s_size_is_free_images_keep_theirs_and_must_be_alike(folder: Path) -> None:
    free = TensorSpec(name="image", dtype="float32", shape=("batch", 3, "h", "w"))
    with pytest.raises(DataError, match=r"c\.bmp: the images differ in size.*expected 6 × 4"):
        decoded(folder, free)
    (folder / "cat" / "c.bmp").unlink()
    assert decoded(folder, free).shape == (2, 3, 4, 6)


def test_a_photo_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "x" / "a.jpg", size=(4, 6), exif=exif)
    assert decoded(tmp_path, TensorSpec(name="image", dtype="float32", shape=("batch", 3, "h", "w"))).shape == (1, 3, 4, 6)


def test_labels_csv_names_files_and_labels(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,label\ndog/b.png,1\ncat/a.png,0\n")
    images = listed(folder)
    assert [path.name for path in images.files] == ["a.png", "b.png"]
    assert images.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,lable\n", "expected label, found file, lable. Did you mean 'lable'"),
        ("file,label\n../secret.png,1\n", "a path leads outside the folder"),
        ("file,label\n/etc/passwd,1\n", "a path leads outside the folder"),
        ("file,label\nno.png,1\n", "no such image"),
        ("file,label\n", "no images"),
        ("", "the file is empty"),
    ],
)
def test_what_is_wrong_in_labels_csv_is_named(folder: Path, text: str, words: str) -> None:
    (folder / "labels.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_data(folder)
    assert words in str(caught.value)


def test_folders_without_labels_or_images_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images.*labels\.csv"):
        read_data(tmp_path)
    picture(tmp_path / "loose.png")
    with pytest.raises(DataError, match=r"loose\.png: an image has no label"):
        read_data(tmp_path)


def bomb(path: Path, side: int) -> Path:
    """A PNG of some bytes that says it has ``side`` × ``side`` pixels."""

    def chunk(chunk_type: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + chunk_type + data + struct.pack(">I", zlib.crc32(chunk_type + data))

    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("side", [8193, 10_000, 60_000, 2**31 - 1])
def test_an_image_that_says_it_has_too_many_pixels_is_not_decoded(tmp_path: Path, side: int) -> None:
    bomb(tmp_path / "x" / "a.png", side)
    with pytest.raises(DataError, match="decompression bomb|DecompressionBomb|too large"):
        decoded(tmp_path)


def test_an_image_file_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    bomb(tmp_path / "x" / "a.png", 4)
    with (tmp_path / "x" / "a.png").open("ab") as file:
        file.truncate(256 * 2**20 + 1)
    with pytest.raises(DataError, match="an image file is too large"):
        decoded(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"", b"no image", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(100)],
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png: can't be decoded .*PNG, JPEG, WEBP, BMP"):
        decoded(tmp_path)


def test_images_for_a_model_that_takes_none_too_many_and_too_deep_ones_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="the model's input is not an image"):
        decoded(folder, TensorSpec(name="x", dtype="float32", shape=("batch", 30)))
    with pytest.raises(DataError, match="a model with one input"):
        decode_images(listed(folder), [NCHW, NCHW], Normalization())
    monkeypatch.setattr(pixels, "MAX_BYTES", 3 * 72 * 4 - 1)
    with pytest.raises(DataError, match="found 864 bytes"):
        decoded(folder)
    monkeypatch.setattr(images_module, "MAX_IMAGES", 2)
    with pytest.raises(DataError, match="expected at most 2, found 3"):
        read_data(folder)
    Image.new("I;16", (6, 4)).save(folder / "cat" / "a.png")
    monkeypatch.undo()
    with pytest.raises(DataError, match="more than 8 bits per channel"):
        decoded(folder)


def digit_folder(place: Path, rows: int) -> Path:
    with np.load(trained.digits_holdout()) as archive:
        data = dict(archive)
    for at in range(rows):
        path = place / str(data["target"][at]) / f"{at:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data["image"][at, 0] * 255).astype(np.uint8)).save(path)
    return place


def test_a_folder_of_images_is_a_holdout_with_a_digest_that_the_lock_holds(tmp_path: Path) -> None:
    place = digit_folder(tmp_path / "digits", 60)
    pack_request = request(trained.onnx_net(), tmp_path / "out", data=place, max_drop=1.0)
    packed = pack(pack_request)
    evaluation = packed.manifests["elsewhere"].evaluation
    assert evaluation.holdout_rows == 60
    assert evaluation.accuracy is not None
    assert evaluation.accuracy.reference > 0.9
    inputs = build_inputs(pack_request)
    assert inputs is not None
    assert evaluation.holdout_digest == inputs["data"]
    assert "pillow" in packed.lock.tools
    write_lock(packed.lock, tmp_path / "lock")
    digits = sorted(place.rglob("*.png"))
    digits[0].write_bytes(digits[1].read_bytes())
    with pytest.raises(LockError, match=r"inputs\.data"):
        pack(request(trained.onnx_net(), tmp_path / "again", data=place, max_drop=1.0), lock=read_lock(tmp_path / "lock"))


@pytest.mark.parametrize(
    ("shape", "dtype", "normalization", "message"),
    [
        (("n", 3, 4, 6), "float32", Normalization(), "RGB image of 4 × 6 (height × width; other sizes are resized bilinearly), from 0 to 1"),
        (("n", "h", "w", 1), "uint8", Normalization(), "grey image, 0 to 255"),
        (
            ("n", 4, 6),
            "float32",
            Normalization(mean=(0.5,), std=(0.25,)),
            "grey image of 4 × 6 (height × width; other sizes are resized bilinearly), from 0 to 1, less 0.5, divided by 0.25",
        ),
    ],
)
def test_what_an_image_has_to_be_made_into_is_said(shape: tuple[Any, ...], dtype: str, normalization: Normalization, message: str) -> None:
    assert describe_images(TensorSpec(name="image", dtype=dtype, shape=shape), normalization) == message


def test_a_bundle_says_how_its_images_are_made_and_what_its_classes_are_called(tmp_path: Path) -> None:
    place = digit_folder(tmp_path / "digits", 60)
    for label in list(place.iterdir()):
        label.rename(place / f"digit {label.name}")
    manifest = pack(request(trained.onnx_net(), tmp_path / "out", data=place, image_std=(2.0,), max_drop=1.0)).manifests["elsewhere"]
    assert manifest.inputs[0].description.endswith("from 0 to 1, divided by 2")
    assert manifest.outputs[0].classes == tuple(f"digit {number}" for number in range(10))
    assert "Classes of `output`, in this order: digit 0, digit 1, digit 2" in model_card(manifest)


def test_a_class_without_images_keeps_its_number_and_counts_in_the_digest(folder: Path) -> None:
    before = listed(folder)
    (folder / "bird").mkdir()
    images = listed(folder)
    assert images.classes == ("bird", "cat", "dog")
    assert images.labels.tolist() == [1, 1, 2]
    assert images.digest != before.digest


def test_a_folder_of_images_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "dog").rename(tmp_path / "elsewhere")
    (folder / "dog").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="dog: a folder is a symbolic link"):
        read_data(folder)


def test_fewer_folders_than_the_model_has_classes_are_refused(tmp_path: Path) -> None:
    source = load_model(trained.onnx_net().model, LoadOptions())
    for name in ("cat", "dog"):
        Image.new("L", (8, 8)).save(picture(tmp_path / "images" / name / "a.png"))
    with pytest.raises(DataError, match=r"the data and the model have different numbers of classes.*found 2: cat, dog.*labels\.csv"):
        bind(listed(tmp_path / "images"), source, "target")
