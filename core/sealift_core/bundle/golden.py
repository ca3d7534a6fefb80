"""golden.safetensors: inputs with the outputs that a device must reproduce.

Tensors are named by position (``case.0.input.1``), so a name in the model may hold any character. Text, which
safetensors has no dtype for, is stored as the Open Inference Protocol's BYTES (uint32 length, little-endian, then
UTF-8) in a uint8 vector, beside ``case.0.input.1.shape``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import DocumentError, LimitError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GoldenCase:
    """One request and its answer.

    Attributes:
        inputs: The arrays of the request, by input name.
        outputs: The arrays that must come out, by output name.
    """

    inputs: dict[str, Array]
    outputs: dict[str, Array]


def encode_golden(cases: Sequence[GoldenCase], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bytes:
    """Write ``golden.safetensors``.

    Args:
        cases: The cases; each has every input and output.
        inputs: The model's inputs, which give order and dtype.
        outputs: The model's outputs, likewise.

    Returns:
        The file's bytes, the same for the same cases.
    """
    tensors: dict[str, Array] = {}
    for number, case in enumerate(cases):
        for side, specs, values in (("input", inputs, case.inputs), ("output", outputs, case.outputs)):
            for position, spec in enumerate(specs):
                _put(tensors, f"case.{number}.{side}.{position}", spec, values[spec.name])
    return save(tensors)


def decode_golden(
    data: bytes, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], count: int, *, where: str = "golden.safetensors"
) -> list[GoldenCase]:
    """Read ``golden.safetensors``.

    Args:
        data: The file's bytes.
        inputs: The model's inputs.
        outputs: The model's outputs.
        count: How many cases the manifest says there are.
        where: What errors call the file.

    Returns:
        The cases, with arrays of the dtypes of ``inputs`` and ``outputs``; text is ``object`` of ``str``.

    Raises:
        DocumentError: If the file isn't safetensors, lacks a tensor, or has one of another dtype.
        LimitError: If it is larger than its bound.
    """
    if len(data) > LIMITS.golden_bytes:
        raise LimitError("too large", where=where, expected=f"at most {LIMITS.golden_bytes} bytes", found=f"{len(data)} bytes")
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DocumentError(f"not a safetensors file (caused by: {error})", where=where) from error
    return [
        GoldenCase(
            inputs={spec.name: _take(tensors, f"case.{n}.input.{i}", spec, where) for i, spec in enumerate(inputs)},
            outputs={spec.name: _take(tensors, f"case.{n}.output.{i}", spec, where) for i, spec in enumerate(outputs)},
        )
        for n in range(count)
    ]


def _put(tensors: dict[str, Array], key: str, spec: TensorSpec, value: Array) -> None:
    if spec.dtype == "string":
        tensors[key] = np.frombuffer(encode_texts(value), dtype=np.uint8)
        tensors[f"{key}.shape"] = np.array(value.shape, dtype=np.int64)
    else:
        tensors[key] = np.asarray(value, dtype=spec.numpy_dtype, order="C")


def _take(tensors: dict[str, Array], key: str, spec: TensorSpec, where: str) -> Array:
    try:
        if spec.dtype == "string":
            return _reshape(decode_texts(tensors[key].tobytes(), where=where), tensors[f"{key}.shape"], f"{where}: {key}")
        value = tensors[key]
    except KeyError as error:
        raise DocumentError("a tensor is missing", where=where, expected=f"{error.args[0]} (for {spec.name!r})") from error
    if value.dtype != spec.numpy_dtype:
        raise DocumentError("wrong dtype", where=f"{where}: {key}", expected=spec.dtype, found=str(value.dtype))
    return value


def _reshape(texts: Array, shape: Array, where: str) -> Array:
    try:
        return texts.reshape(shape)
    except (ValueError, TypeError) as error:
        raise DocumentError("text doesn't fit its shape", where=where, expected=str(shape.tolist()), found=f"{len(texts)} texts") from error


def encode_texts(values: Array) -> bytes:
    """Write text as the Open Inference Protocol's BYTES tensors hold it.

    Args:
        values: An array of ``str`` or UTF-8 ``bytes``, of any shape.

    Returns:
        Each text in row-major order: its length in bytes as uint32, little-endian, then its UTF-8 bytes.
    """
    encoded = [text if isinstance(text, bytes) else str(text).encode() for text in values.ravel()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def decode_texts(data: bytes, *, where: str, most: int | None = None) -> Array:
    """Read what `encode_texts` wrote.

    Args:
        data: The bytes.
        where: What errors call them.
        most: The most texts that there may be; None for any number.

    Returns:
        The texts, ``object [texts]`` of ``str``.

    Raises:
        DocumentError: If the lengths don't add up, a text isn't UTF-8, or there are more than ``most``.
    """
    texts: list[str] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if len(data) - at < 4 or at + 4 + size > len(data):
            raise DocumentError("text is cut off", where=where, expected=f"{size} bytes at offset {at + 4}", found=f"{len(data) - at - 4}")
        try:
            texts.append(data[at + 4 : at + 4 + size].decode())
        except UnicodeDecodeError as error:
            raise DocumentError(f"text is not UTF-8 (caused by: {error})", where=where) from error
        at += 4 + size
        if most is not None and len(texts) > most:
            raise DocumentError("too many texts", where=where, expected=f"at most {most}")
    result = np.empty(len(texts), dtype=object)
    result[:] = texts
    return result
