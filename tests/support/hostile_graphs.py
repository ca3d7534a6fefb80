"""Graphs that try more than to compute, made byte by byte from the committed graph ``linear``: no onnx needed, nor could it write some of them.

Each is `linear` with one thing added, so that inputs and outputs stay what the manifest says.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Final

from support.models import CORPUS

FLOAT, EXTERNAL = 1, 1
#: A shard that the test's bundle lists beside the graph, and its size in bytes.
SHARD: Final = "weights/00000.bin"
SHARD_BYTES: Final = 64
_VARINT, _LENGTH, _GROUP = 0, 2, 3
_TENSOR, _GRAPH, _FLOATS, _SPARSE = 4, 5, 6, 11


def varint(value: int) -> bytes:
    """Seven bits in each byte."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def part(number: int, content: bytes | str) -> bytes:
    """A field of bytes, of text, or a message."""
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | _LENGTH) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    """A field of one integer."""
    return varint(field << 3 | _VARINT) + varint(value)


def linear_graph() -> tuple[bytes, bytes]:
    """The bytes of `linear` before its graph, and the graph's own; the graph is the only field that takes long to find."""
    data = (CORPUS / "linear" / "model.onnx").read_bytes()
    at = 0
    rest = bytearray()
    graph = b""
    while at < len(data):
        start = at
        tag, at = _read(data, at)
        value, at = _read(data, at)
        if tag & 7 == _LENGTH:
            content, at = data[at : at + value], at + value
            if tag >> 3 == 7:
                graph = content
                continue
        rest += data[start:at]
    return bytes(rest), graph


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def model(in_graph: bytes = b"", beside: bytes = b"") -> bytes:
    """`linear` with fields added to its graph, and beside it."""
    rest, graph = linear_graph()
    return rest + part(7, graph + in_graph) + beside


def entries(*pairs: tuple[str, bytes | str]) -> bytes:
    """external_data of a tensor."""
    return b"".join(part(13, part(1, key) + part(2, value)) for key, value in pairs)


def tensor(*fields: bytes, name: str = "stolen", values: int = 4) -> bytes:
    """A TensorProto of floats without values."""
    return number(1, values) + number(2, FLOAT) + part(8, name) + b"".join(fields)


def external(location: bytes | str, *more: tuple[str, bytes | str], where: int = EXTERNAL, **named: str) -> bytes:
    """A TensorProto whose values lie in a file."""
    return tensor(entries(("location", location), *more, *named.items()), number(14, where))


def attribute(name: str, attribute_type: int, *fields: bytes) -> bytes:
    """A node's field ``attribute``."""
    return part(5, part(1, name) + b"".join(fields) + number(20, attribute_type))


def node(operator: str, *attributes: bytes, domain: str = "", output: str = "stolen_output", inputs: tuple[str, ...] = ()) -> bytes:
    """A NodeProto."""
    fields = b"".join(part(1, name) for name in inputs) + part(2, output) + part(4, operator) + b"".join(attributes)
    return fields + (part(7, domain) if domain else b"")


def function(domain: str, name: str, *fields: bytes) -> bytes:
    """A ModelProto's field ``functions``."""
    return part(25, part(1, name) + part(5, "y") + b"".join(fields) + part(9, part(1, "") + number(2, 18)) + part(10, domain))


def graph(*fields: bytes) -> bytes:
    """A GraphProto."""
    return b"".join(fields) + part(2, "inner")


def opset(domain: str) -> bytes:
    """A ModelProto's field ``opset_import``."""
    return part(8, part(1, domain) + number(2, 1))


def _weight(content: bytes) -> bytes:
    return model(part(5, content))


def _node(content: bytes, beside: bytes = b"") -> bytes:
    return model(part(1, content), beside)


@dataclasses.dataclass(frozen=True, slots=True)
class Hostile:
    """A graph, and words of the message that refuses it."""

    data: bytes
    words: str


_OUTSIDE: Final = "external data in a file that isn't part of the bundle"
_NO_PLACE: Final = "external data where a graph may have none"
_ENTRY: Final = "an entry of external data that isn't allowed"
_OPERATOR: Final = "an operator that a bundle may not use"


def _locations(canary: str) -> dict[str, Hostile]:
    places: dict[str, bytes | str] = {
        "absolute": canary,
        "parent": "../" * 12 + "etc/passwd",
        "through-a-shard": f"{SHARD}/../../../../etc/passwd",
        "proc": "/proc/self/environ",
        "file-descriptor": "/proc/self/fd/3",
        "memory-address": "*/_ORT_MEM_ADDR_/*",
        "long": "a/" * 2000,
        "empty": "",
        "unlisted-shard": "weights/00001.bin",
        "the-graph-itself": "model.onnx",
        "another-file-of-the-bundle": "bundle.json",
        "dot": f"./{SHARD}",
        "two-slashes": "weights//00000.bin",
        "nul": f"{SHARD}\0/etc/passwd",
        "url": "https://example.org/weights/00000.bin",
        "home": "~/.ssh/id_ed25519",
        "backslash": "weights\\00000.bin",
        "no-text": b"weights/\xff0000.bin",
        "other-digits": "weights/٠٠٠٠٠.bin",
    }
    return {f"location-{name}": Hostile(_weight(external(place, length="16")), _OUTSIDE) for name, place in places.items()}


def _ranges(canary: str) -> dict[str, Hostile]:
    number_words, end_words = "the offset or length of external data is not a number of bytes", "external data beyond the end of its file"
    cases = {
        "offset-behind-the-end": (external(SHARD, offset="64", length="16"), end_words),
        "length-behind-the-end": (external(SHARD, offset="0", length="65"), end_words),
        "no-length": (external(SHARD, offset="8"), number_words),
        "offset-that-overflows": (external(SHARD, offset=str(2**64 - 8), length="16"), number_words),
        "offset-negative": (external(SHARD, offset="-8", length="16"), number_words),
        "offset-hexadecimal": (external(SHARD, offset="0x8", length="16"), number_words),
        "offset-empty": (external(SHARD, offset="", length="16"), number_words),
        "location-twice": (external(SHARD, ("location", canary)), _ENTRY),
        "location-first-twice": (external(canary, ("location", SHARD)), _ENTRY),
        "prepacked": (external(SHARD, ("prepacked", "key|0;16;0")), _ENTRY),
        "prepacked-numbered": (external(SHARD, ("prepacked_0", "key|0;16;0")), _ENTRY),
        "unknown-entry": (external(SHARD, ("basepath", "/")), _ENTRY),
        "no-location": (tensor(entries(("length", "16")), number(14, EXTERNAL)), _OUTSIDE),
        "no-entries": (tensor(number(14, EXTERNAL)), "contradict each other"),
        "entries-without-the-mark": (tensor(entries(("location", canary))), "contradict each other"),
        "mark-that-overflows": (external(canary, where=2**32 + EXTERNAL), "contradict each other"),
    }
    return {f"external-{name}": Hostile(_weight(content), words) for name, (content, words) in cases.items()}


def _constant(content: bytes, attribute_type: int = _TENSOR, field: int = 5, name: str = "value") -> bytes:
    return node("Constant", attribute(name, attribute_type, part(field, content)))


def _places(canary: str) -> dict[str, Hostile]:
    branch = graph(part(5, external(canary)), part(1, node("Identity", inputs=("stolen",), output="z")), part(12, part(1, "z")))
    sparse = part(1, external(canary)) + part(2, tensor(name="indices")) + number(3, 4)
    graphs = {
        "constant": _node(_constant(external(canary))),
        "tensors": _node(_constant(external(canary), 9, 10, "values")),
        "sparse-constant": _node(_constant(sparse, _SPARSE, 22, "sparse_value")),
        "sparse-constants": _node(_constant(sparse, 12, 23, "sparse_values")),
        "sparse-initializer": model(part(15, sparse)),
        "sparse-indices": model(part(15, part(1, tensor()) + part(2, external(canary)) + number(3, 4))),
        "branch": _node(node("If", attribute("then_branch", _GRAPH, part(6, branch)), inputs=("condition",))),
        "branches": _node(node("If", attribute("branches", 10, part(11, branch)), inputs=("condition",))),
        "branch-in-a-branch": _node(
            node("If", attribute("then_branch", _GRAPH, part(6, graph(part(1, node("If", attribute("else_branch", _GRAPH, part(6, branch))))))))
        ),
        "function": model(beside=function("local", "F", part(7, _constant(external(canary))))),
        "function-default": model(beside=function("local", "F", part(11, part(1, "a") + part(5, external(canary)) + number(20, _TENSOR)))),
        "training": model(beside=part(20, part(1, graph(part(5, external(canary)))))),
        "training-algorithm": model(beside=part(20, part(2, graph(part(5, external(canary)))))),
        "listed-shard-in-a-constant": _node(_constant(external(SHARD, length="16"))),
    }
    return {f"external-in-{name}": Hostile(data, _NO_PLACE) for name, data in graphs.items()}


def _context(canary: str, domain: str = "com.microsoft") -> bytes:
    blob = attribute("ep_cache_context", 3, part(4, canary))
    return node("EPContext", blob, attribute("embed_mode", 2, number(3, 0)), domain=domain, inputs=("x",))


def _operators(canary: str) -> dict[str, Hostile]:
    named_context = function("local", "EPContext", part(7, node("Identity", inputs=("x",), output="y")))
    foreign = {
        "aten": ("org.pytorch.aten", "ATen"),
        "python": ("com.microsoft", "PythonOp"),
        "snpe": ("com.microsoft", "Snpe"),
        "unknown-contrib": ("com.microsoft", "ReadFile"),
        "extensions": ("com.microsoft.extensions", "OpenAIAudioToText"),
        "contrib": ("ai.onnx.contrib", "PyOp"),
        "training": ("ai.onnx.preview.training", "Gradient"),
        "tensorrt-plugin": ("trt.plugins", "DisentangledAttention_TRT"),
        "custom": ("example.custom", "System"),
        "training-onnxruntime": ("com.microsoft.training", "RecordEvent"),
        "openvino": ("org.openvinotoolkit", "GroupNorm"),
        "domain-in-capitals": ("COM.MICROSOFT", "EPContext"),
        "domain-with-a-blank": ("com.microsoft ", "Gelu"),
        "domain-with-nul": ("ai.onnx\0", "Add"),
    }
    graphs = {name: _node(node(operator, domain=domain, inputs=("x",)), opset(domain)) for name, (domain, operator) in foreign.items()}
    inner = graph(part(1, _context(canary)))
    graphs |= {
        "context": _node(_context(canary), opset("com.microsoft")),
        "context-in-onnx": _node(_context(canary, "")),
        "context-as-a-function": model(part(1, _context(canary, "local")), opset("local")),
        "context-in-a-branch": _node(node("If", attribute("then_branch", _GRAPH, part(6, inner)), inputs=("condition",))),
        "context-in-a-function": model(beside=function("local", "F", part(7, _context(canary)))),
    }
    reserved = "a function in a domain that the model may not define functions in"
    body = part(7, node("Identity", inputs=("x",), output="y"))
    more = {
        "function-of-com-microsoft": Hostile(model(beside=function("com.microsoft", "ReadFile", body)), reserved),
        "function-of-tensorrt": Hostile(model(beside=function("trt.plugins", "F", body)), reserved),
        "function-named-context": Hostile(model(part(1, _context(canary, "local")), opset("local") + named_context), reserved),
    }
    return {f"operator-{name}": Hostile(data, _OPERATOR) for name, data in graphs.items()} | more


def _tricks(canary: str) -> dict[str, Hostile]:
    rest, content = linear_graph()
    whole = model()
    stolen_graph = part(5, external(canary))
    deep = graph()
    for _ in range(40):
        deep = graph(part(1, node("If", attribute("then_branch", _GRAPH, part(6, deep)))))
    twice = part(5, part(1, "value") + part(5, tensor()) + part(5, external(canary)))
    length = varint(len(content))
    padded = length[:-1] + bytes([length[-1] | 0x80, 0])
    config = json.dumps({"session_options": {"optimized_model_filepath": canary}})
    return {
        "ort-config": Hostile(model(beside=part(14, part(1, "ort_config") + part(2, config))), "session settings inside the graph"),
        "two-graphs": Hostile(whole + part(7, stolen_graph), "field 7 of ModelProto appears twice"),
        "second-operator": Hostile(_node(node("Add") + part(4, "EPContext")), "field 4 of NodeProto appears twice"),
        "second-domain": Hostile(_node(node("EPContext", domain="local") + part(7, "com.microsoft")), "field 7 of NodeProto appears twice"),
        "second-tensor": Hostile(_node(node("Constant", twice)), "field 5 of AttributeProto appears twice"),
        "second-mark": Hostile(_weight(external(canary, where=0) + number(14, EXTERNAL)), "field 14 of TensorProto appears twice"),
        "second-value": Hostile(
            _weight(tensor(part(13, part(1, "location") + part(2, SHARD) + part(2, canary)), number(14, EXTERNAL))),
            "field 2 of StringStringEntryProto appears twice",
        ),
        "group": Hostile(whole + varint(7 << 3 | _GROUP) + stolen_graph + varint(7 << 3 | 4), "wire type 3"),
        "unknown-field": Hostile(whole + part(99, stolen_graph), "number 99"),
        "unknown-field-of-a-tensor": Hostile(_weight(tensor(part(50, canary))), "number 50"),
        "graph-as-a-number": Hostile(whole + number(7, 1), "number 7, wire type 0"),
        "padded-tag": Hostile(whole + bytes([2 << 3 | _LENGTH | 0x80, 0, 0]), "more bytes than it needs"),
        "padded-length": Hostile(rest + varint(7 << 3 | _LENGTH) + padded + content, "more bytes than it needs"),
        "endless-number": Hostile(whole + b"\x28" + b"\xff" * 20, "extends beyond"),
        "endless-tag": Hostile(whole + b"\xff" * 20, "extends beyond"),
        "length-behind-the-end": Hostile(whole[:-1], "extends beyond"),
        "length-of-exabytes": Hostile(rest + varint(7 << 3 | _LENGTH) + varint(2**62), "extends beyond"),
        "deep": Hostile(_node(node("If", attribute("then_branch", _GRAPH, part(6, deep)))), "nested too deep"),
        "long-operator": Hostile(_node(node("A" * 10_000)), "a name is too long"),
        "no-graph": Hostile(rest, "no graph"),
        "onnxruntime-format": Hostile(b"\x10\x00\x00\x00ORTM" + whole, "not an ONNX file"),
        "garbage": Hostile(b"not a graph", "that this version doesn't know"),
    }


def hostile_graphs(canary: str = "/etc/passwd") -> dict[str, Hostile]:
    """All of them by name; ``canary`` is the file that they try to read."""
    return _locations(canary) | _ranges(canary) | _places(canary) | _operators(canary) | _tricks(canary)
