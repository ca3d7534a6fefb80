"""Images as a model takes them: decoded by Pillow, resized to its input, in its layout and type."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.archives.own_copy import open_plain
from sealift_packager.data.images import ImageFolder
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError
from sealift_packager.model.source import Array

#: What decoders are asked to know; the fewer, the less there is to attack.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP")
#: An image of more pixels is not decoded: a file of some kilobytes can say that it has billions.
MAX_PIXELS: Final = 2**26
MAX_BYTES: Final = 16 * 2**30
WHITE: Final = 255
MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """What is done to each channel of values from 0 to 1: less ``mean``, divided by ``std``; empty for nothing, one number for all channels."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def apply(self, values: Array, channels: int) -> Array:
        """On ``values [height, width, channels]``; `DataError` where the numbers are for another number of channels."""
        for option, numbers in (("--image-mean", self.mean), ("--image-std", self.std)):
            if len(numbers) not in (0, 1, channels):
                raise DataError(
                    "the number of values doesn't match the image's channels",
                    where=option,
                    expected=f"1 or {channels} numbers",
                    found=str(len(numbers)),
                )
        return (values - np.asarray(self.mean or 0.0, np.float32)) / np.asarray(self.std or 1.0, np.float32)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How an input holds an image: ``height`` and ``width`` 0 are free; ``first``: do channels come before them? None if there are none."""

    channels: int
    height: int
    width: int
    first: bool | None


def layout_of(spec: TensorSpec, where: str) -> Layout:
    """From an input's shape: NCHW, NHWC, or [batch, height, width]; `DataError` if it is no image's."""
    shape = tuple(size if isinstance(size, int) else 0 for size in spec.shape)
    if len(shape) == 4 and shape[1] in MODES:
        return Layout(channels=shape[1], height=shape[2], width=shape[3], first=True)
    if len(shape) == 4 and shape[3] in MODES:
        return Layout(channels=shape[3], height=shape[1], width=shape[2], first=False)
    if len(shape) == 3:
        return Layout(channels=1, height=shape[1], width=shape[2], first=None)
    raise DataError(
        "the model's input is not an image",
        where=f"{where}: {spec.name}",
        expected="[batch, channels, height, width] or [batch, height, width, channels] with 1, 3 or 4 channels",
        found=str(list(spec.shape)),
        advice="Provide the data as .npz or from a function.",
    )


def decode_images(folder: ImageFolder, specs: Sequence[TensorSpec], normalization: Normalization) -> dict[str, Array]:
    """The pixels of all images, by the name of the model's only input; `DataError`.

    Floats are from 0 to 1 before they are normalized, integers from 0 to 255. An image of another size is resized (bilinear, its sides each by
    themselves); where the input's size is free all images must be of one size.
    """
    if len(specs) != 1:
        raise DataError(
            "a folder of images needs a model with one input",
            where=str(folder.path),
            found=", ".join(spec.name for spec in specs),
            advice="Provide an .npz with an array for each input, or a function that returns them.",
        )
    spec, layout = specs[0], layout_of(specs[0], str(folder.path))
    _check_input(spec, layout, str(folder.path))
    first = _decode(folder.files[0], layout)
    layout = dataclasses.replace(layout, height=first.shape[0], width=first.shape[1])
    total = first.size * spec.numpy_dtype.itemsize * len(folder.files)
    if total > MAX_BYTES:
        advice = "A holdout of a few thousand images is enough."
        raise DataError("too many images", where=str(folder.path), expected=f"at most {MAX_BYTES >> 30} GiB", found=f"{total:,} bytes", advice=advice)
    resizes = all(isinstance(size, int) for size in spec.shape[1:])
    images = [_as_input(_decode(path, layout, resize=resizes), spec, layout, normalization) for path in folder.files]
    return {spec.name: np.stack(images)}


def _check_input(spec: TensorSpec, layout: Layout, where: str) -> None:
    """What a model says of its input is as foreign as an image: of that size each one is made."""
    where = f"{where}, for the model's input {spec.name}"
    if layout.height * layout.width > MAX_PIXELS or max(layout.height, layout.width) > MAX_PIXELS:
        found = f"{layout.height:,} × {layout.width:,}"
        raise DataError("an input of too many pixels", where=where, expected=f"at most {MAX_PIXELS:,} for each image", found=found)
    holds = spec.numpy_dtype.kind == "f" or (spec.numpy_dtype.kind in "iu" and np.iinfo(spec.numpy_dtype).max >= WHITE)
    if not holds:
        advice = "Give the data as .npz, with the numbers that the model takes."
        raise DataError("an input that can't hold pixels", where=where, expected=f"a type that holds 0 to {WHITE}", found=spec.dtype, advice=advice)


def describe_images(spec: TensorSpec, normalization: Normalization) -> str:
    """What `decode_images` made of a file, for whoever has to make the same on a device."""
    layout = layout_of(spec, "images")
    size = f" of {layout.height} × {layout.width} (height × width; other sizes are resized bilinearly)" if layout.height and layout.width else ""
    mode = {1: "grey", 3: "RGB", 4: "RGBA"}[layout.channels]
    if spec.numpy_dtype.kind != "f":
        return f"{mode} image{size}, 0 to 255"
    steps = [(", less ", normalization.mean), (", divided by ", normalization.std)]
    return f"{mode} image{size}, from 0 to 1" + "".join(words + " ".join(f"{number:g}" for number in numbers) for words, numbers in steps if numbers)


def _decode(path: Path, layout: Layout, *, resize: bool = True) -> Array:
    """uint8 [height, width, channels]."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DataError("Pillow is not installed", where=str(path), advice="pip install pillow") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: ours is checked next
            with open_plain(path, DataError) as file, Image.open(_bounded(file, path), formats=FORMATS) as opened:
                _check(opened, path)
                image: Any = ImageOps.exif_transpose(opened).convert(MODES[layout.channels])
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise anything
        message = f"can't be decoded (caused by: {type(error).__name__}: {error!s:.200})"
        raise DataError(message, where=str(path), expected="a complete image: " + ", ".join(FORMATS)) from error
    size = (layout.width or image.width, layout.height or image.height)
    if image.size != size and not resize:
        raise DataError(
            "the images differ in size, and the model doesn't state a size",
            where=str(path),
            expected=f"{size[0]} × {size[1]} like the first image",
            found=f"{image.width} × {image.height}",
        )
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(size[1], size[0], layout.channels)


def _bounded(file: IO[bytes], path: Path) -> IO[bytes]:
    size = os.fstat(file.fileno()).st_size
    if size > LIMITS.image_bytes:
        raise DataError("an image file is too large", where=str(path), expected=f"at most {LIMITS.image_bytes >> 20} MiB", found=f"{size:,} bytes")
    return file


def _check(image: Any, path: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        found = f"{width:,} × {height:,}"
        raise DataError("the image has too many pixels (a decompression bomb?)", where=str(path), expected=f"at most {MAX_PIXELS:,}", found=found)
    if image.mode.startswith(("I", "F")):  # Pillow would clip it
        raise DataError(
            "the image has more than 8 bits per channel", where=str(path), expected="8 bits", found=image.mode, advice="Provide the data as .npz."
        )


def _as_input(pixels: Array, spec: TensorSpec, layout: Layout, normalization: Normalization) -> Array:
    values = pixels
    if spec.numpy_dtype.kind == "f":
        values = normalization.apply(pixels.astype(np.float32) / np.float32(255), layout.channels)
    elif normalization != Normalization():
        raise DataError("an integer input can't be normalized", where="--image-mean, --image-std", expected="a float input", found=spec.dtype)
    if layout.first is None:
        values = values[:, :, 0]
    elif layout.first:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values, spec.numpy_dtype)
