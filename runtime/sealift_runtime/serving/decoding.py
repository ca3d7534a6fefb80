"""Bytes to an inference request, checked against the model's signature. Pure.

Bodies are JSON, or JSON followed by raw tensors (the binary extension). What is refused is a `RequestError`.
"""

from __future__ import annotations

import json
import math
import re
import threading
from typing import Any, Final

import orjson

from sealift_core.bundle.golden import Array
from sealift_core.bundle.shapes import Symbols, check_shape, refuse, show, show_shape
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import RequestError
from sealift_core.schema import strict_json
from sealift_core.schema.strict_json import JsonBudget
from sealift_runtime.inference.messages import InferRequest
from sealift_runtime.inference.signature import Signature
from sealift_runtime.serving.encoding import Hold, free
from sealift_runtime.serving.limits import LIMITS, REST_BUDGET
from sealift_runtime.serving.number_runs import NumberRun, cut_out, read_numbers
from sealift_runtime.serving.values import from_bytes, from_json, json_type

MAX_ID_CHARACTERS: Final = 1000
_LITERALS: Final = (b"NaN", b"Infinity")
#: A number that a float may have no room for: with an exponent of three digits, or without one and very long.
_MAY_OVERFLOW: Final = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{300}")
_UNSUPPORTED: Final = ("shared_memory_region", "classification")
_NONE: Final[frozenset[str]] = frozenset()
_PLAIN: Final = frozenset(("inputs",))
_INTEGER: Final = frozenset((int,))
Body = bytes | bytearray
#: JSON of this size is read in slices, by one worker at a time: the parsers keep the event loop from running meanwhile.
LARGE_BYTES: Final = 256 * 1024
#: What a byte of JSON, and one of raw tensors that have to be converted, becomes in memory, at most about.
_TEXT_COST: Final = 4
_BINARY_COSTS: Final = {"string": 16, "bool": 1}
_LARGE_BODIES: Final = threading.Lock()


class RequestDecoder:
    """Reads requests, for any model."""

    def __init__(self, *, json_depth: int = LIMITS.json_depth, budget: JsonBudget = LIMITS.json_budget) -> None:
        self._json_depth = json_depth
        self._budget = budget

    def decode(self, signature: Signature, body: Body, json_bytes: int | None = None, hold: Hold = free) -> tuple[InferRequest, frozenset[str]]:
        """A request from a body, and the outputs that the client wants as raw bytes.

        ``json_bytes`` is the length of the body's JSON part where raw tensors follow. ``hold`` is told how many bytes of memory decoding is about
        to take, and may raise. Raises `RequestError`, or `LimitError` above the budget.
        """
        if json_bytes is None:
            json_bytes = len(body)
        elif not 0 <= json_bytes <= len(body):
            expected = f"0 to {len(body)}, the length of the body"
            raise RequestError("out of range", where="header Inference-Header-Content-Length", expected=expected, found=str(json_bytes))
        if json_bytes < LARGE_BYTES:
            return self._decode(signature, _Body(body, json_bytes, hold))
        with _LARGE_BODIES:
            return self._decode(signature, _Body(body, json_bytes, hold, self._budget, large=True))

    def _decode(self, signature: Signature, body: _Body) -> tuple[InferRequest, frozenset[str]]:
        document = parse_json(body.text, self._json_depth, REST_BUDGET if body.runs is not None else self._budget)
        inputs = _inputs(signature, document, body)
        if document.keys() == _PLAIN:  # as most are, and there is nothing else to be read
            return InferRequest(signature.name, signature.version, inputs), _NONE
        parameters = _table(document.get("parameters"), "parameters")
        names, binary = _requested_outputs(signature, document, parameters)
        return InferRequest(signature.name, signature.version, inputs, names, _id(document), parameters), binary


class _Body:
    """A request's body in its parts: JSON, long lists of numbers in it, raw tensors behind it."""

    __slots__ = ("booleans", "budget", "data", "hold", "offset", "runs", "text")

    def __init__(self, data: Body, json_bytes: int, hold: Hold, budget: JsonBudget = LIMITS.json_budget, *, large: bool = False) -> None:
        self.data = data
        self.offset = json_bytes
        self.hold = hold
        self.budget = budget
        self.text: Body = data if json_bytes == len(data) else data[:json_bytes]
        self.runs: dict[str, NumberRun] | None = None
        if large:
            self.text, self.runs = cut_out(self.text)
            hold(len(self.text) * _TEXT_COST)
        self.booleans = _has_word(self.text, b"true", b"r") or _has_word(self.text, b"false", b"l")

    def from_json(self, spec: TensorSpec, shape: tuple[int, ...], data: Any) -> Array:
        """A tensor whose values are in the JSON."""
        run = self.runs.get(data) if self.runs and isinstance(data, str) else None
        if run is None:
            return from_json(spec, shape, data, booleans=self.booleans)
        return read_numbers(spec, shape, run, self.budget, _loads, self.hold)

    def from_bytes(self, spec: TensorSpec, shape: tuple[int, ...], size: int) -> Array:
        """A tensor whose values are the next ``size`` bytes behind the JSON."""
        offset = self.offset
        if offset + size > len(self.data):
            refuse(spec, "binary data is cut off", f"{size} bytes", f"{len(self.data) - offset} bytes left in the body")
        if size >= LARGE_BYTES and (cost := _BINARY_COSTS.get(spec.dtype)):
            self.hold(size * cost)
        self.offset += size
        return from_bytes(spec, shape, self.data, offset, size)


def _has_word(text: Body, word: bytes, letter: bytes) -> bool:
    """Whether a word is in a text: looked for up to the last of a rare letter of it alone, which takes a tenth of the time where numbers follow."""
    last = text.rfind(letter)
    return last >= 0 and text.rfind(word, 0, last + len(word)) >= 0


def _inputs(signature: Signature, document: dict[str, Any], body: _Body) -> dict[str, Array]:
    tensors = document.get("inputs")
    if not isinstance(tensors, list):
        raise RequestError("not a list of tensors", where="inputs", expected="a list", found=_name_of(tensors))
    inputs: dict[str, Array] = {}
    symbols: Symbols = {}
    for tensor in tensors:
        spec = _spec(signature, tensor, inputs)
        shape = _shape(spec, tensor, symbols)
        parameters = tensor.get("parameters")
        size = _binary_size(spec, parameters) if parameters else None
        if size is not None:
            inputs[spec.name] = body.from_bytes(spec, shape, size)
        elif "data" in tensor:
            inputs[spec.name] = body.from_json(spec, shape, tensor["data"])
        else:
            refuse(spec, "no data", "a data field, or a binary_data_size parameter", "neither")
    if body.offset != len(body.data):
        expected = "as many bytes as the binary_data_size parameters add up to"
        raise RequestError("bytes are left over", where="body", expected=expected, found=f"{len(body.data) - body.offset} more")
    signature.check_complete(inputs)
    return inputs


def _spec(signature: Signature, tensor: Any, inputs: dict[str, Array]) -> TensorSpec:
    if not isinstance(tensor, dict):
        raise RequestError("not a tensor", where="inputs", expected="an object with name, shape, datatype and data", found=_name_of(tensor))
    spec = signature.input(tensor.get("name"))
    if spec.name in inputs:
        refuse(spec, "given twice", "each input once", "two of that name")
    datatype = tensor.get("datatype")
    if datatype != spec.datatype:
        refuse(spec, "wrong datatype", spec.datatype, show(datatype))
    return spec


def _requested_outputs(signature: Signature, document: dict[str, Any], parameters: dict[str, Any]) -> tuple[tuple[str, ...] | None, frozenset[str]]:
    """The requested outputs (None for all), and those of them that are requested as raw bytes."""
    default = parameters.get("binary_data_output") is True
    tensors = document.get("outputs")
    if not tensors and tensors in (None, []):
        return None, frozenset(signature.outputs) if default else _NONE
    if not isinstance(tensors, list):
        raise RequestError("not a list of tensors", where="outputs", expected="a list", found=_name_of(tensors))
    requested: dict[str, bool] = {}
    for tensor in tensors:
        name = signature.check_output(tensor.get("name") if isinstance(tensor, dict) else None, requested)
        options = _table(tensor.get("parameters"), f"output {name!r}: parameters")
        requested[name] = options.get("binary_data", default) is True
    return tuple(requested), frozenset(name for name, binary in requested.items() if binary)


def parse_json(data: Body, max_depth: int, budget: JsonBudget = LIMITS.json_budget) -> dict[str, Any]:
    """A JSON object within the budget; NaN and Infinity are read, though they aren't JSON, as many clients write them."""
    if len(data) < strict_json.LARGE_BYTES:
        document = _loads(data)
    else:
        budget.check(data, where="body", advice="Send data as a flat list (shape says how it is nested), or as binary data.")
        with strict_json.collecting_later():
            document = _loads(data)
    if not isinstance(document, dict):
        raise RequestError("not an inference request", where="body", expected="a JSON object", found=_name_of(document))
    if data.count(b"[") + data.count(b"{") > max_depth:  # else it can't be that deep
        check_depth(document, max_depth)
    return document


def _loads(data: Body) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return _parse_literals(data, error)


def _parse_literals(data: Body, error: orjson.JSONDecodeError) -> Any:
    if not any(word in data for word in _LITERALS):
        raise RequestError(f"not valid JSON, caused by: {error}", where="body") from error
    try:
        document = json.loads(data, parse_float=_finite) if _MAY_OVERFLOW.search(data) else json.loads(data)
        strict_json.check_texts(document, data)
    except (ValueError, RecursionError) as worse:
        raise RequestError(f"not valid JSON, caused by: {worse}", where="body") from worse
    return document


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large a number (write Infinity if you mean it)")
    return number


def check_depth(document: dict[str, Any], max_depth: int) -> None:
    """Raise `RequestError` if lists and tables are nested deeper than ``max_depth``; a tensor's rank bounds ``data``."""
    level: list[Any] = [document]
    for _ in range(max_depth):
        level = [child for item in level for child in _containers(item)]
        if not level:
            return
    raise RequestError("nested too deep", where="body", expected=f"at most {max_depth} levels")


def _containers(item: dict[str, Any] | list[Any]) -> list[Any]:
    children = [value for key, value in item.items() if key != "data"] if isinstance(item, dict) else item
    return [child for child in children if isinstance(child, list | dict)]


def _shape(spec: TensorSpec, tensor: dict[str, Any], symbols: Symbols) -> tuple[int, ...]:
    """The shape of an input, once it fits the model's."""
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not _INTEGER.issuperset(map(type, shape)):
        refuse(spec, "shape is not a list of integers", show_shape(spec.shape), show(shape))
    check_shape(spec, shape, symbols)
    return tuple(shape)


def _binary_size(spec: TensorSpec, parameters: Any) -> int | None:
    for name in _UNSUPPORTED:
        if isinstance(parameters, dict) and name in parameters:
            refuse(spec, "an extension that this server doesn't support", "data in the request", name)
    size = _table(parameters, f"input {spec.name!r}: parameters").get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        refuse(spec, "binary_data_size is malformed", "a number of bytes", show(size))
    return size


def _table(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError("not an object", where=where, expected="an object", found=_name_of(value))
    for name in _UNSUPPORTED:
        if name in value:
            raise RequestError("an extension that this server doesn't support", where=where, found=name)
    return value


def _id(document: dict[str, Any]) -> str | None:
    value = document.get("id")
    if value is not None and (not isinstance(value, str) or len(value) > MAX_ID_CHARACTERS):
        raise RequestError("malformed", where="id", expected=f"a string of at most {MAX_ID_CHARACTERS} characters", found=show(value))
    return value


def _name_of(value: Any) -> str:
    return "nothing" if value is None else json_type(value)
