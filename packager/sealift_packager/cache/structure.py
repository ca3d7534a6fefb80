"""Values as plain JSON and back, by their types: dataclasses, arrays, ONNX graphs, a bundle's documents. For the lock and for the stage cache.

Arrays and graphs go into ``parts`` as bytes where a caller has them, and become lists of numbers where it has not; documents need parts.
Nothing is unpickled: a document can only become what the type says.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.bundle.manifest import BundleManifest
from sealift_core.drift.baseline import Baseline
from sealift_core.errors import SealiftError

_ARRAY: Final = "$array"
_GRAPH: Final = "$onnx"
_DOCUMENT: Final = "$document"
#: What is written as the document that it is, and read as strictly.
_DOCUMENTS: Final = (BundleManifest, Baseline)


class StructureError(ValueError):
    """A document is not of the type that it should be; the message says where."""


class NotSelfContainedError(TypeError):
    """A value means nothing without files beside it."""


def _self_contained(graph: Any) -> bytes:
    from sealift_packager.graph.tensors import refers

    if refers(graph):
        raise NotSelfContainedError("a graph that refers to files can't be written down")
    return bytes(graph.SerializeToString(deterministic=True))


def encode(value: Any, parts: list[bytes] | None = None, graph: Callable[[Any], bytes] = _self_contained) -> Any:
    """A value as JSON; ``graph`` says what a graph is as bytes: `decode` wants the whole of it, a digest doesn't."""
    inner = functools.partial(encode, parts=parts, graph=graph)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.ndarray):
        return _encode_array(value, parts)
    if isinstance(value, float | np.generic):
        return value.item() if isinstance(value, np.generic) else value
    if parts is not None and isinstance(value, _DOCUMENTS):
        parts.append(value.to_bytes())
        return {_DOCUMENT: len(parts) - 1}
    if dataclasses.is_dataclass(value):
        return {field.name: inner(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): inner(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(inner, value))
    if isinstance(value, Sequence):
        return [inner(item) for item in value]
    if parts is not None and hasattr(value, "SerializeToString"):
        parts.append(graph(value))
        return {_GRAPH: len(parts) - 1}
    raise TypeError(f"a {type(value).__name__} can't be written down")


def _encode_array(value: Any, parts: list[bytes] | None) -> Any:
    if value.dtype.kind == "O":
        return {_ARRAY: None, "shape": list(value.shape), "values": [str(item) for item in value.ravel()]}
    if parts is None:
        return value.tolist()
    parts.append(np.ascontiguousarray(value).tobytes())
    return {_ARRAY: len(parts) - 1, "dtype": value.dtype.str, "shape": list(value.shape)}


def decode(kind: Any, data: Any, parts: Sequence[bytes] = (), *, where: str = "value") -> Any:
    """The value of type ``kind`` that `encode` wrote; `StructureError`."""
    try:
        return _decode(kind, data, parts, where)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, StructureError):
            raise
        raise StructureError(f"{where}: {type(error).__name__}: {error}") from error


def _decode(kind: Any, data: Any, parts: Sequence[bytes], where: str) -> Any:
    if isinstance(data, dict) and _GRAPH in data:
        return _graph(parts[data[_GRAPH]])
    if isinstance(data, dict) and _ARRAY in data:
        return _array(data, parts)
    if kind in _DOCUMENTS:
        return _document(kind, parts[data[_DOCUMENT]])
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode(_member(arguments, data, where), data, parts, where)
    if origin is np.ndarray or kind is np.ndarray:
        return np.array(data, np.float64)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, data, parts, where)
    if origin is tuple or kind is tuple:
        return _tuple(arguments, data, parts, where)
    if origin in (list, Sequence, frozenset, set):
        items = (_decode(arguments[0], item, parts, f"{where}[{at}]") for at, item in enumerate(_checked(data, list, where)))
        return frozenset(items) if origin in (frozenset, set) else list(items)
    if origin in (dict, Mapping):
        key = arguments[0]
        return {key(name): _decode(arguments[1], item, parts, f"{where}.{name}") for name, item in _checked(data, dict, where).items()}
    return _plain(kind, data, where)


def _plain(kind: Any, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    if isinstance(kind, type) and kind in (int, str, bool):
        return _checked(data, kind, where)
    return data


def _member(kinds: Sequence[Any], data: Any, where: str) -> Any:
    """The member of a union that a document is of: None, or the dataclass with these fields."""
    others = [kind for kind in kinds if kind is not type(None)]
    if data is None and len(others) < len(kinds):
        return type(None)
    if len(others) == 1:
        return others[0]
    fitting = [kind for kind in others if dataclasses.is_dataclass(kind) and isinstance(data, dict) and _fields(kind) == set(data)]
    plain = [kind for kind in others if isinstance(kind, type) and type(data) is kind]
    if not fitting and not plain:
        raise StructureError(f"{where}: none of {', '.join(getattr(kind, '__name__', str(kind)) for kind in others)}")
    return (fitting or plain)[0]


def _fields(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _dataclass(kind: type, data: Any, parts: Sequence[bytes], where: str) -> Any:
    fields = _checked(data, dict, where)
    if set(fields) != _fields(kind):
        odd = sorted(set(fields) ^ _fields(kind))
        raise StructureError(f"{where}: the fields {', '.join(odd)} of {kind.__name__} are missing or unknown")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _decode(hints[name], item, parts, f"{where}.{name}") for name, item in fields.items()})


def _tuple(arguments: Sequence[Any], data: Any, parts: Sequence[bytes], where: str) -> tuple[Any, ...]:
    rows = _checked(data, list, where)
    kinds = [arguments[0]] * len(rows) if len(arguments) == 2 and arguments[1] is Ellipsis else list(arguments)
    if len(kinds) != len(rows):
        raise StructureError(f"{where}: expected {len(kinds)} items, found {len(rows)}")
    return tuple(_decode(kind, item, parts, f"{where}[{at}]") for at, (kind, item) in enumerate(zip(kinds, rows, strict=True)))


def _checked(data: Any, kind: type, where: str) -> Any:
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise StructureError(f"{where}: expected {kind.__name__}, found {type(data).__name__}")
    return data


def _array(data: dict[str, Any], parts: Sequence[bytes]) -> Any:
    shape = tuple(data["shape"])
    if data[_ARRAY] is None:
        values = np.empty(len(data["values"]), dtype=object)
        values[:] = data["values"]
        return values.reshape(shape)
    return np.frombuffer(parts[data[_ARRAY]], np.dtype(data["dtype"])).reshape(shape).copy()


def _document(kind: Any, data: bytes) -> Any:
    try:
        return kind.parse(data)
    except SealiftError as error:
        raise StructureError(str(error)) from error


def _graph(data: bytes) -> Any:
    import onnx

    from sealift_packager.graph.tensors import refers

    try:
        graph = onnx.load_from_string(data)
    except Exception as error:  # protobuf's errors have no common base
        raise StructureError(f"not an ONNX graph (caused by: {error})") from error
    if refers(graph):  # never written by `encode`: whoever wrote it wants files of this machine read
        raise StructureError("a graph that refers to files")
    return graph
