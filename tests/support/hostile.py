"""Inputs that cost a careless parser most: each shape makes one of about ``n`` bytes."""

from __future__ import annotations

import copy
import functools
import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

Make = Callable[[int], bytes]


def times(unit: bytes, before: bytes = b"", after: bytes = b"") -> Make:
    """``unit`` again and again."""
    return lambda n: before + unit * (n // len(unit)) + after


def numbered(unit: str, before: str = "", after: str = "", joint: str = ",") -> Make:
    """``unit`` with another number for each ``%d``, joined."""
    return lambda n: (before + joint.join(unit % i for i in range(n // (len(unit) + 4))) + after).encode()


JSON: Final[dict[str, Make]] = {
    "one name again and again": times(b'"k":0,', b"{", b'"k":0}'),
    "two names by turns": times(b'"k":0,"j":0,', b"{", b'"k":0}'),
    "one name twice at the end of many": numbered('"k%d":0', "{", ',"z":0,"z":0}'),
    "many names": numbered('"k%d":0', "{", "}"),
    "many names like one that is missing": numbered('"schem%d":0', "{", "}"),
    "many names like the signatures'": numbered('"signature%d":0', "{", "}"),
    "deep lists": lambda n: b"[" * (n // 2) + b"]" * (n // 2),
    "deep tables": lambda n: b'{"a":' * (n // 6) + b"0" + b"}" * (n // 6),
    "deep lists without end": times(b"["),
    "just not too deep": times(b"[" * 90 + b"]" * 90 + b",", b"[", b"0]"),
    "empty lists": times(b"[],", b'{"a":[', b"0]}"),
    "empty tables": times(b"{},", b'{"a":[', b"0]}"),
    "small tables": times(b'{"a":0},', b'{"a":[', b"0]}"),
    "numbers": times(b"0,", b'{"a":[', b"0]}"),
    "long integer": times(b"7", b'{"a":', b"}"),
    "many long integers": times(b"7" * 4000 + b",", b'{"a":[', b"0]}"),
    "long fraction": times(b"7", b'{"a":0.', b"}"),
    "large exponents": times(b"1e999,", b'{"a":[', b"0]}"),
    "long text": times(b"x", b'{"a":"', b'"}'),
    "long text without end": times(b"x", b'{"a":"'),
    "many texts without end": times(b'"', b'{"a":['),
    "escapes": times(b"\\u00e9\\\\", b'{"a":"', b'"}'),
    "surrogates": times(b"\\ud83d\\ude00", b'{"a":"', b'"}'),
    "half surrogates": times(b"\\ud83d", b'{"a":"', b'"}'),
    "text in other scripts": times("ß漢😀".encode(), b'{"a":"', b'"}'),
    "space": times(b" ", b"{", b"}"),
    "quotes and space": times(b'"  ', b"{", b"}"),
    "not UTF-8": times(b"\xff"),
    "nothing but zeros": times(b"\0"),
    "long name": times(b"x", b'{"', b'":0}'),
    "long name twice": lambda n: b'{"%b":0,"%b":0}' % (b"x" * (n // 2), b"x" * (n // 2)),
}

TOML: Final[dict[str, Make]] = {
    "a key of many parts": times(b"a.", b"", b"a=1"),
    "a key of many parts with space": times(b"a . ", b"", b"a=1"),
    "a key of many quoted parts": times(b'"a".', b"", b"a=1"),
    "a heading of many parts": times(b"a.", b"[", b"a]"),
    "a list heading of many parts": times(b"a.", b"[[", b"a]]"),
    "many keys of many parts": lambda n: b"".join(b"k%d." % i + b"a." * 30 + b"a=1\n" for i in range(n // 80)),
    "dots in a text": times(b"a.", b'x="', b'"'),
    "keys": numbered("k%d=1", joint="\n"),
    "tables": numbered("[t%d]", joint="\n"),
    "tables of tables": numbered("[a.t%d]", joint="\n"),
    "one list of tables": times(b"[[a]]\n"),
    "inline table": numbered("k%d=1", "x={", "}"),
    "inline tables": times(b"{a=1},", b"x=[", b"]"),
    "deep lists": lambda n: b"x=" + b"[" * (n // 2) + b"]" * (n // 2),
    "deep tables": lambda n: b"x=" + b"{a=" * (n // 4) + b"1" + b"}" * (n // 4),
    "long text": times(b"a", b'x="', b'"'),
    "long text of lines": times(b"a\n", b'x="""', b'"""'),
    "quotes": times(b'"', b"x="),
    "escapes": times(b"\\u00e9", b'x="', b'"'),
    "long number": times(b"1", b"x="),
    "long number in hex": times(b"f", b"x=0x"),
    "long fraction": times(b"1", b"x=1."),
    "underscores": times(b"1_", b"x=", b"1"),
    "moment": times(b"1", b"x=1979-05-27T07:32:00."),
    "remarks": times(b"#a\n"),
    "lines": times(b"\r\n"),
    "long word": times(b"a"),
    "words": times(b"a "),
}

GZIP: Final[dict[str, Make]] = {
    "empty members": times(gzip.compress(b"", mtime=0)),
    "members of a byte": times(gzip.compress(b"a", mtime=0)),
    "members of a kilobyte": times(gzip.compress(bytes(range(256)) * 4, mtime=0)),
    "a member with a long name": times(b"a", b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"),
    "members with long names": times(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"a" * 500 + b"\0\x03\0" + bytes(8)),
    "empty stored blocks": lambda n: _raw(b"\0\0\0\xff\xff" * (n // 5)),
    "empty fixed blocks": lambda n: b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\x02\x08\x20\x80\0" * (n // 5),
    "zeros": lambda n: gzip.compress(bytes(n * 4), 1),
    "noise": lambda n: gzip.compress(random.Random(0).randbytes(n), 1),
    "cut off": lambda n: gzip.compress(bytes(range(256)) * (n // 256), 0)[:-9],
    "members, then noise": times(gzip.compress(b"a", mtime=0), b"", b"noise"),
}


def _raw(blocks: bytes) -> bytes:
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + blocks + b"\x03\0" + zlib.crc32(b"").to_bytes(4, "little") + bytes(4)


#: What may stand where a document has something else.
VALUES: Final[dict[str, Callable[[int], Any]]] = {
    "a long text": lambda n: "a" * n,
    "a long text of versions": lambda n: "application/vnd.dev.sigstore.bundle" + "v0.3" * (n // 4) + "\n",
    "a long base64": lambda n: "QUFB" * (n // 4) + "!",
    "integers": lambda n: [0] * (n // 3),
    "different texts": lambda n: [f"k{i}" for i in range(n // 9)],
    "tables": lambda n: [{}] * (n // 4),
    "a wide table": lambda n: {f"k{i}": 0 for i in range(n // 10)},
    "a table of tables": lambda n: {f"k{i}": {} for i in range(n // 11)},
}


def changed(document: Any) -> Iterator[tuple[str, Make]]:
    """A valid document with one field at a time, at any depth, replaced by each of `VALUES`, and each list made longer by its own items."""
    for path in _paths(document):
        for name, value in VALUES.items():
            yield f"{name} at {path}", functools.partial(_with_value, document, path, value)
        old = _at(document, path)
        if isinstance(old, list) and old:
            yield f"more of its items at {path}", functools.partial(_with_value, document, path, functools.partial(_longer, old))


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*before, key)
        yield from _paths(inner, (*before, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _longer(items: list[Any], n: int) -> list[Any]:
    return items * (n // (len(json.dumps(items)) + 1) + 1)


def _with_value(document: Any, path: tuple[Any, ...], value: Callable[[int], Any], n: int) -> bytes:
    result = copy.deepcopy(document)
    _at(result, path[:-1])[path[-1]] = value(n)
    return json.dumps(result).encode()
