"""JSON values and raw bytes to arrays. Pure; every refusal names the input, what was expected, and what came."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from sealift_core.bundle.golden import Array, decode_texts
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.shapes import refuse
from sealift_core.bundle.tensors import DATATYPES, TensorSpec
from sealift_core.errors import DocumentError, RequestError

_NUMBERS: Final = "fiu"
_PACKED: Final = {"float32": "f", "float64": "d"}
_MAX_PACKED: Final = 10_000
_DTYPES: Final[dict[str, np.dtype[Any]]] = {name: np.dtype(object if name == "string" else name) for name in DATATYPES}
_JSON_TYPES: Final = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
#: How clients write what JSON has no number for; ``null`` stands for NaN, too.
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def from_json(spec: TensorSpec, shape: tuple[int, ...], data: Any, *, booleans: bool = True) -> Array:
    """An array of ``shape`` from a flat or nested list of JSON values; ``booleans`` is whether any of them may be true or false."""
    if not isinstance(data, list):
        refuse(spec, "data is not a list", "values in a list", _described(data))
    if spec.dtype == "string":
        return _shaped(spec, _texts(spec, data), shape)
    if booleans and spec.dtype != "bool" and bool in _types(data):  # numpy takes them for 1 and 0
        refuse(spec, "wrong type of values", f"{'numbers' if _DTYPES[spec.dtype].kind == 'f' else 'integers'} for {spec.datatype}", "booleans")
    quick = _flat_floats(spec.dtype, data)
    if quick is not None:
        return _shaped(spec, quick, shape)
    if str in _types(data):  # of which numpy would make an array whose every item is as wide as the longest text
        value = _words(spec, data)
    else:
        value = _numbers(spec, data)
    if spec.dtype == "uint64" and value.dtype.kind == "f":
        value = _unsigned(data, value)
    return _shaped(spec, _cast(spec, value), shape)


def _types(data: list[Any]) -> set[type]:
    """The types of what is in a nested list."""
    level: Iterable[Any] = data
    all_types: set[type] = set()
    while True:
        types = set(map(type, level))
        all_types |= types
        if list not in types:
            return all_types
        level = list(itertools.chain.from_iterable(item for item in level if type(item) is list))


def _numbers(spec: TensorSpec, data: list[Any]) -> Array:
    try:
        value = np.array(data)
    except ValueError:
        return _irregular(spec, data)
    return _words(spec, data) if value.dtype.kind == "O" else value


def _unsigned(data: list[Any], value: Array) -> Array:
    """Integers of which some need all 64 bits: numpy makes floats of them beside smaller ones. ``value`` if they are something else."""
    whole = np.array(data, object)
    if not all(type(item) is int and item >= 0 for item in whole.flat):
        return value
    return whole.astype(np.uint64)


def _flat_floats(dtype: str, data: list[Any]) -> Array | None:
    """A short flat list of numbers as floats, five times as fast as numpy makes it; None where numpy has to judge."""
    code = _PACKED.get(dtype)
    if code is None or not 0 < len(data) <= _MAX_PACKED or type(data[0]) is bool:
        return None
    try:
        return np.frombuffer(struct.pack(f"<{len(data)}{code}", *data), _DTYPES[dtype])
    except (struct.error, OverflowError):
        return None


def from_bytes(spec: TensorSpec, shape: tuple[int, ...], body: bytes | bytearray, offset: int, size: int) -> Array:
    """An array of ``shape`` from ``size`` bytes of ``body`` at ``offset``: little-endian, row-major."""
    count = math.prod(shape)
    if spec.dtype == "string":
        try:
            texts = decode_texts(bytes(body[offset : offset + size]), where=f"input {spec.name!r}", most=count)
        except DocumentError as error:
            raise RequestError(error.message, where=error.where, expected=error.expected, found=error.found) from error
        return _shaped(spec, texts, shape)
    dtype = _DTYPES[spec.dtype]
    if size != count * dtype.itemsize:
        refuse(spec, "wrong size of binary data", f"{count * dtype.itemsize} bytes for {spec.datatype} {list(shape)}", f"{size} bytes")
    if spec.dtype == "bool":
        return np.frombuffer(body, np.uint8, count, offset).astype(bool).reshape(shape)
    value = np.frombuffer(body, dtype, count, offset).reshape(shape)
    return value if value.flags.aligned else value.copy()


def _shaped(spec: TensorSpec, value: Array, shape: tuple[int, ...]) -> Array:
    if value.shape == shape:
        return value
    if value.size != math.prod(shape):
        refuse(spec, "data and shape don't match", f"{math.prod(shape)} values for shape {list(shape)}", f"{value.size} values")
    if value.ndim != 1:
        refuse(spec, "data isn't nested as shape says", f"a flat list or {list(shape)}", str(list(value.shape)))
    return value.reshape(shape)


def _cast(spec: TensorSpec, value: Array) -> Array:
    """``value`` with the tensor's dtype, if that keeps what it means."""
    dtype = _DTYPES[spec.dtype]
    if value.dtype == dtype:
        return value
    category = dtype.kind
    if value.size == 0:
        return value.astype(dtype)
    if category == "f" and value.dtype.kind in _NUMBERS:
        return _narrow(spec, value, dtype)
    if category in "iu" and value.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = int(value.min()), int(value.max())
        if low < limits.min or high > limits.max:
            refuse(spec, "a value is out of range", f"{limits.min} to {limits.max} for {spec.datatype}", str(low if low < limits.min else high))
        return value.astype(dtype)
    if category == "b" and value.dtype.kind in "iu" and bool(((value == 0) | (value == 1)).all()):
        return value.astype(bool)
    expected = {"f": "numbers", "i": "integers", "u": "integers", "b": "true or false"}[category]
    actual = {"f": "numbers with a fraction or too large", "b": "booleans"}.get(value.dtype.kind, "integers")
    return refuse(spec, "wrong type of values", f"{expected} for {spec.datatype}", actual)


def _narrow(spec: TensorSpec, value: Array, dtype: np.dtype[Any]) -> Array:
    if value.dtype.kind != "f" and dtype.itemsize > 2:  # no integer of JSON is too large for these
        return value.astype(dtype)
    try:
        with np.errstate(over="raise"):
            return value.astype(dtype)
    except FloatingPointError:
        limit = float(np.finfo(dtype).max)
        return refuse(spec, "a value is out of range", f"at most {limit:g} for {spec.datatype}", "a larger number (write Infinity if you mean it)")


def _flatten(spec: TensorSpec, data: list[Any]) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of a nested list and its values in row-major order."""
    shape: list[int] = [len(data)]
    level = data
    while level and isinstance(level[0], list):
        size = len(level[0])
        if len(shape) > LIMITS.rank or any(not isinstance(item, list) or len(item) != size for item in level):
            refuse(spec, "data is irregular", f"lists of equal lengths, at most {LIMITS.rank} deep", "something else")
        shape.append(size)
        level = [leaf for item in level for leaf in item]
    if any(isinstance(leaf, list) for leaf in level):
        refuse(spec, "data is irregular", "lists of equal lengths", "a mix of values and lists")
    return tuple(shape), level


def _irregular(spec: TensorSpec, data: list[Any]) -> Array:
    """What numpy makes no array of: say why."""
    _flatten(spec, data)
    return refuse(spec, "wrong type of values", f"values for {spec.datatype}", "something else")


def _words(spec: TensorSpec, data: list[Any]) -> Array:
    """Numbers among which are texts or nulls: ``null`` and the words for NaN and the infinities, for floats only."""
    shape, leaves = _flatten(spec, data)
    numbers = [math.nan if leaf is None else _WORDS.get(leaf, leaf) if isinstance(leaf, str) else leaf for leaf in leaves]
    strange = next((leaf for leaf in numbers if not isinstance(leaf, int | float)), None)
    if _DTYPES[spec.dtype].kind != "f" or strange is not None:
        culprit = strange if strange is not None else next((leaf for leaf in leaves if not isinstance(leaf, int | float)), leaves[0])
        refuse(spec, "wrong type of values", f"{'numbers' if spec.dtype != 'bool' else 'true or false'} for {spec.datatype}", _described(culprit))
    try:
        return np.array(numbers, dtype=np.float64).reshape(shape)
    except OverflowError:
        return refuse(spec, "a value is out of range", f"a number for {spec.datatype}", "a larger number")


def _texts(spec: TensorSpec, data: list[Any]) -> Array:
    shape, leaves = _flatten(spec, data)
    for leaf in leaves:
        if not isinstance(leaf, str):
            refuse(spec, "wrong type of values", "strings for BYTES", _described(leaf))
    value = np.empty(len(leaves), dtype=object)
    value[:] = leaves
    return value.reshape(shape)


def json_type(value: Any) -> str:
    """What a JSON value is, in words for a client."""
    return "null" if value is None else _JSON_TYPES.get(type(value), type(value).__name__)


def _described(value: Any) -> str:
    """What a JSON value is and, unless it is a list or an object, its beginning."""
    shown = value[:60] if isinstance(value, str) else value
    return f"{json_type(value)} ({shown!r:.60})" if isinstance(value, str | bool | int | float) else json_type(value)
