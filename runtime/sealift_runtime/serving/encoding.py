"""A reply to bytes. Pure.

Floats that JSON has no number for are written ``NaN``, ``Infinity`` and ``-Infinity``, as Triton does and as Python's and
rapidjson's parsers read; no other way gets them through those unchanged. Clients with a strict parser ask for binary, or for
``null`` in place of all three (the request parameter `NONFINITE`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import orjson

from sealift_core.bundle.golden import Array, encode_texts
from sealift_core.bundle.tensors import DATATYPES
from sealift_core.terminal.printable import printable
from sealift_runtime.inference.messages import InferReply

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY
#: The request parameter that says how floats that aren't finite are written in JSON: ``literal`` (the default) or ``null``.
NONFINITE: Final = "nonfinite"
#: So many values are written at once.
SLICE_VALUES: Final = 16 * 1024
#: By numpy's number of a type, as to hash a dtype takes longer than to encode a small tensor. Where two C types are of
#: one size (long and long long), numpy has two numbers for one dtype, and onnxruntime gives the other one.
_DATATYPE_OF: Final = {dtype.num: DATATYPES[dtype.name] for dtype in map(np.dtype, "?bhilqBHILQefd")} | {np.dtype(object).num: DATATYPES["string"]}


#: Is told how many bytes of memory are about to be taken, and may raise.
Hold = Callable[[int], None]


def free(_: int) -> None:
    """Nobody counts."""


def encode_reply(reply: InferReply, binary: frozenset[str], *, null: bool = False, hold: Hold = free) -> tuple[bytes | bytearray, int | None]:
    """The body, and the length of its JSON part if raw tensors follow; ``binary`` names the outputs that do.

    ``null`` is whether floats that JSON has no number for become ``null``. ``hold`` is told how many bytes a large body is about to take, and may
    raise.
    """
    fields: dict[str, Any] = {"model_name": reply.model_name, "model_version": reply.model_version}
    if reply.id is not None:
        fields["id"] = reply.id
    outputs: list[dict[str, Any]] = []
    tail: list[Array | bytes] = []
    large = texts = False
    for name, value in reply.outputs.items():
        output: dict[str, Any] = {"name": name, "datatype": _DATATYPE_OF[value.dtype.num], "shape": value.shape}
        if name in binary:
            raw = encode_texts(value) if value.dtype.hasobject else value
            output["parameters"] = {"binary_data_size": raw.nbytes if isinstance(raw, np.ndarray) else len(raw)}
            tail.append(raw)
        else:
            output["data"] = value.reshape(-1)
            texts = texts or value.dtype.hasobject
        large = large or value.size > SLICE_VALUES
        outputs.append(output)
    body = _in_slices(fields, outputs, hold, null=null) if large else _at_once(fields, outputs, texts=texts, null=null)
    if not binary:
        return body, None
    json_bytes = len(body)
    if large:
        for raw in tail:
            data = memoryview(raw) if isinstance(raw, bytes) else np.ascontiguousarray(raw).reshape(-1).view(np.uint8).data
            hold(len(data))
            body += data
        return body, json_bytes
    return b"".join((body, *(raw if isinstance(raw, bytes) else raw.tobytes() for raw in tail))), json_bytes


def _at_once(fields: dict[str, Any], outputs: list[dict[str, Any]], *, texts: bool, null: bool) -> bytes:
    """The JSON of a small reply."""
    for output in outputs if texts else ():
        if (data := output.get("data")) is not None and data.dtype.hasobject:
            output["data"] = list(map(_text, data))
    fields["outputs"] = outputs
    text = orjson.dumps(fields, option=_OPTIONS)
    if not null and b"null" in text:  # what orjson makes of NaN and the infinities (or a text that says so)
        return _with_literals(fields)
    return text


def encode_error(message: str) -> bytes:
    """The body of every answer that isn't a success."""
    return orjson.dumps({"error": printable(message)})


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _in_slices(fields: dict[str, Any], outputs: list[dict[str, Any]], hold: Hold, *, null: bool) -> bytearray:
    """The JSON of a large reply; nothing else runs while orjson does, so it gets a slice of values at once."""
    body = bytearray(orjson.dumps(fields)[:-1] + b',"outputs":[')
    for number, output in enumerate(outputs):
        data = output.pop("data", None)
        body += b"," if number else b""
        body += orjson.dumps(output)
        if data is not None:
            body[-1:] = b',"data":['
            for at in range(0, data.size, SLICE_VALUES):
                text = _values(data[at : at + SLICE_VALUES], null=null)
                hold(len(text))
                body += b"," if at else b""
                body += text
            body += b"]}"
    body += b"]}"
    return body


def _values(data: Array, *, null: bool) -> bytes:
    """Values in JSON, without the brackets around them."""
    if data.dtype.hasobject:
        return orjson.dumps(list(map(_text, data)))[1:-1]
    text = orjson.dumps(data, option=_OPTIONS)
    return (json.dumps(data.tolist(), separators=(",", ":")).encode() if b"null" in text and not null else text)[1:-1]


def _with_literals(fields: dict[str, Any]) -> bytes:
    outputs = [{key: item.tolist() if isinstance(item, np.ndarray) else item for key, item in output.items()} for output in fields["outputs"]]
    return json.dumps(fields | {"outputs": outputs}, separators=(",", ":"), ensure_ascii=False).encode()
