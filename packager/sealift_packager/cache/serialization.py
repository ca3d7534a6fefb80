"""Values of our own as bytes and back, by their types: MessagePack for the cache and for our own processes, JSON for the lock. Pure.

msgspec writes and reads dataclasses, containers and plain values; the two types that it doesn't know are added here: arrays, and ONNX graphs.
Nothing is unpickled: bytes can only become what the type says. What others write is no matter of this module, but of `sealift_core.schema`, whose
errors name the field and the nearest spelling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
import numpy as np

from sealift_core.schema.documents import Json

T = TypeVar("T")
#: MessagePack's code of a graph; an array is a tuple, which its field's type tells from others.
_GRAPH: Final = 1
_ArrayFields = tuple[str, tuple[int, ...], bytes | list[bytes]]
#: What msgspec, numpy and our own types raise for bytes that aren't what they should be.
_ERRORS: Final = (msgspec.MsgspecError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


class SerializationError(ValueError):
    """Bytes are not those of a value of the type; the message says where in it."""


class NotSelfContainedError(TypeError):
    """A value means nothing without files beside it."""


def encode(value: object) -> bytes:
    """A value as MessagePack, for `decode`.

    Raises:
        NotSelfContainedError: If a graph in it has weights in files.
        TypeError: If it contains a value that can't be written.
    """
    return msgspec.msgpack.encode(value, enc_hook=functools.partial(_extension, graph_bytes=_self_contained))


def decode(target: type[T], data: bytes | memoryview) -> T:
    """The value of type ``target`` that `encode` wrote.

    Raises:
        SerializationError: If the bytes are those of no such value.
    """
    try:
        return msgspec.msgpack.decode(data, type=target, dec_hook=_restored, ext_hook=_graph)
    except _ERRORS as error:
        raise SerializationError(f"{type(error).__name__}: {error}") from error


def fingerprint(value: object, graph_bytes: Callable[[Any], bytes]) -> bytes:
    """Bytes that are equal for equal values, whatever the order of their mappings and sets; ``graph_bytes`` tells what a graph counts by."""
    return msgspec.msgpack.encode(value, enc_hook=functools.partial(_extension, graph_bytes=graph_bytes), order="deterministic")


def to_json(value: object) -> Json:
    """A value as plain JSON, for `from_json`; arrays become lists of numbers, and sets sorted lists."""
    return cast("Json", msgspec.to_builtins(value, enc_hook=_plain, str_keys=True, order="deterministic"))


def from_json(target: type[T], data: Json) -> T:
    """The value of type ``target`` that `to_json` wrote.

    Raises:
        SerializationError: If the JSON is that of no such value.
    """
    try:
        return msgspec.convert(data, target, str_keys=True, dec_hook=_from_numbers)
    except _ERRORS as error:
        raise SerializationError(f"{type(error).__name__}: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} can't be written down")


def _extension(value: Any, graph_bytes: Callable[[Any], bytes]) -> Any:
    if isinstance(value, np.ndarray):
        return _array_fields(value)
    if hasattr(value, "SerializeToString"):
        return msgspec.msgpack.Ext(_GRAPH, graph_bytes(value))
    return _plain(value)


def _array_fields(array: Any) -> _ArrayFields:
    """Dtype, shape and content; text, which numpy has as Python objects, goes as text."""
    is_text = array.dtype.kind == "O"
    texts = [str(text).encode(errors="surrogatepass") for text in array.ravel()] if is_text else []
    return array.dtype.str, array.shape, texts if is_text else np.ascontiguousarray(array).tobytes()


def _self_contained(graph: Any) -> bytes:
    from sealift_packager.graph.tensors import refers

    if refers(graph):
        raise NotSelfContainedError("a graph that refers to files can't be written down")
    return bytes(graph.SerializeToString(deterministic=True))


def _from_numbers(_: Any, value: Any) -> Any:
    return np.array(value, np.float64)


def _restored(_: Any, fields: Any) -> Any:
    """The array whose `_array_fields` these are; a graph is one by now, and msgspec checks that it is of its field's type."""
    if not isinstance(fields, list | tuple):
        return fields
    dtype, shape, values = msgspec.convert(fields, _ArrayFields)
    if isinstance(values, bytes):
        return np.frombuffer(values, np.dtype(dtype)).reshape(shape).copy()  # an array of Python objects is refused
    texts = np.empty(len(values), dtype=object)
    texts[:] = [text.decode(errors="surrogatepass") for text in values]
    return texts.reshape(shape)


def _graph(code: int, data: memoryview) -> Any:
    import onnx

    from sealift_packager.graph.tensors import refers

    if code != _GRAPH:
        raise SerializationError(f"an extension of the unknown code {code}")
    try:
        graph = onnx.load_from_string(bytes(data))
    except Exception as error:  # protobuf's errors have no common base
        raise SerializationError(f"not an ONNX graph (caused by: {error})") from error
    if refers(graph):  # never written by `encode`: whoever wrote it wants files of this machine read
        raise SerializationError("a graph that refers to files")
    return graph
