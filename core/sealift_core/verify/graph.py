"""A bundle's graph can only compute: checked on the file's bytes, before onnxruntime sees it, wherever a bundle is packed, published or loaded.

What an ONNX file could do beside computing, and what is done about it:

1. Read a file as a weight (external data). Only initializers of the outermost graph may lie outside, in a file ``weights/NNNNN.bin`` that the
   bundle lists, wholly inside it. Constants, sparse weights, attributes, subgraphs, functions and training graphs may not. A location is compared
   with the bundle's list, so absolute places, ``..``, ``/proc`` and onnxruntime's tag for addresses in memory are no special cases.
2. Let a library restore memory that it dumped: onnxruntime's ``prepacked`` entries beside a location. Only location, offset, length and checksum
   are taken.
3. Use an operator that reads files or runs code (`sealift_core.verify.operators`).
4. Set up the session from its own metadata (``ort_config``).
5. Be no ONNX file: onnxruntime's other format is refused, and whatever readers could disagree about (`sealift_core.verify.protobuf`).
"""

from __future__ import annotations

import mmap
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sealift_core.bundle import files
from sealift_core.errors import DocumentError, IntegrityError, LimitError
from sealift_core.verify import operators
from sealift_core.verify.onnx_messages import MODEL
from sealift_core.verify.protobuf import Data, Kept, Walk

#: No protobuf message is larger.
MAX_BYTES: Final = 2**31 - 1
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
_EXTERNAL: Final = 1
#: No links, and no waiting for the other end of a pipe.
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MEANT: Final = (b"location", b"offset", b"length", b"checksum")
_ADVICE: Final = "A bundle's graph may only compute. Don't run it, and ask its signer."


class _Rules:
    """What a graph may have, called with what a `Walk` keeps of each message. ``weights`` are sizes in bytes of the bundle's weight files."""

    def __init__(self, weights: Mapping[str, int], where: str) -> None:
        self._weights = weights
        self._where = where
        self._used: set[tuple[bytes, bytes]] = set()
        self._functions: set[tuple[bytes, bytes]] = set()

    @property
    def operators(self) -> frozenset[str]:
        return frozenset(_text(name) for _, name in self._used)

    def node(self, kept: Kept) -> None:
        self._used.add((kept.get(7, b""), kept.get(4, b"")))

    def function(self, kept: Kept) -> None:
        domain, name = kept.get(10, b""), kept.get(1, b"")
        if not operators.may_define(_text(domain), _text(name)):
            raise self._refuse("a function in a domain that the model may not define functions in", _operator(domain, name), "a domain of its own")
        self._functions.add((domain, name))

    def property(self, kept: Kept) -> None:
        if kept.get(1) == b"ort_config":
            raise self._refuse("session settings inside the graph", "'ort_config' in its metadata", "settings in the manifest only")

    def model(self, kept: Kept) -> None:
        if 7 not in kept:
            raise DocumentError("no graph", where=self._where, expected="an ONNX model")
        for domain, name in sorted(self._used):
            defined = (domain, name) in self._functions and _text(name) not in operators.REFUSED
            if not defined and not operators.is_allowed(_text(domain), _text(name)):
                expected = "operators of ONNX, of ai.onnx.ml, those of com.microsoft that compute, and functions that the model defines"
                raise self._refuse("an operator that a bundle may not use", _operator(domain, name), expected)

    def tensor(self, kept: Kept) -> None:
        """A tensor that must hold its own values."""
        if kept.get(14, 0) != 0 or 13 in kept:
            expected = "external data only for initializers of the outermost graph"
            raise self._refuse("external data where a graph may have none", _tensor_name(kept), expected)

    def weight(self, kept: Kept) -> None:
        """An initializer of the outermost graph: 1. here or outside, not both ways. 2. Each entry once, known. 3. A listed file, within its end."""
        if kept.get(14, 0) == 0 and 13 not in kept:
            return
        if kept.get(14, 0) != _EXTERNAL or 13 not in kept:  # 1
            raise self._refuse(
                "the tensor's data_location and external_data contradict each other", _tensor_name(kept), "data_location and external_data to agree"
            )
        entries: dict[bytes, bytes] = {}
        for pair in kept[13]:
            key = pair.get(1, b"")
            if key not in _MEANT or key in entries or 2 not in pair:  # 2
                expected = "location, offset, length and checksum, each at most once"
                raise self._refuse("an entry of external data that isn't allowed", f"{_shown(key)} of {_tensor_name(kept)}", expected)
            entries[key] = pair[2]
        self._place(entries, kept)

    def _place(self, entries: Mapping[bytes, bytes], kept: Kept) -> None:
        name = _text(entries.get(b"location", b""))
        size = self._weights.get(name) if files.is_weights(name) else None
        if size is None:  # 3
            place = f"{_shown(entries.get(b'location', b''))} for {_tensor_name(kept)}"
            raise self._refuse("external data in a file that isn't part of the bundle", place, "a file weights/NNNNN.bin that the bundle lists")
        offset, length = entries.get(b"offset", b"0"), entries.get(b"length", b"")  # without a length, readers would make one up
        if not _NUMBER.fullmatch(offset) or not _NUMBER.fullmatch(length):
            raise self._refuse(
                "the offset or length of external data is not a number of bytes",
                f"{_shown(offset)}, {_shown(length)}",
                "an offset and a length in bytes",
            )
        if int(offset) + int(length) > size:
            place = f"bytes {int(offset)} to {int(offset) + int(length)} of {name} for {_tensor_name(kept)}"
            raise self._refuse("external data beyond the end of its file", place, f"at most {size} bytes")

    def _refuse(self, message: str, actual: str, expected: str) -> IntegrityError:
        return IntegrityError(message, where=self._where, expected=expected, found=actual, advice=_ADVICE)


def check_graph(data: Data, weights: Mapping[str, int], *, where: str) -> frozenset[str]:
    """Check that an ONNX file can only compute.

    Args:
        data: The file's bytes, or a map of them.
        weights: The sizes in bytes of the bundle's weight files, by name (``weights/00000.bin``).
        where: What errors call the file.

    Returns:
        The names of the operators in it, those in subgraphs and functions included.

    Raises:
        DocumentError: If it is no plain ONNX file.
        LimitError: If it has 2 GiB or more, is nested too deep, or has too many fields or too long a name.
        IntegrityError: If it does something other than compute, or reads anything but its weights.
    """
    if len(data) > MAX_BYTES:
        raise LimitError("too large", where=where, expected=f"at most {MAX_BYTES} bytes", found=f"{len(data)} bytes")
    if data[4:8] == b"ORTM":
        raise DocumentError("not an ONNX file", where=where, expected="protobuf", found="onnxruntime's own format", advice="Pack the ONNX file.")
    rules = _Rules(weights, where)
    done = {name: getattr(rules, name) for name in ("node", "function", "property", "model", "tensor", "weight")}
    Walk(data, done, where=where).message(MODEL, 0, len(data))
    return rules.operators


def check_bundle_graph(directory: Path) -> frozenset[str]:
    """Check the graph of a bundle directory against the weights that lie there.

    Args:
        directory: The folder with ``model.onnx``.

    Returns:
        The names of the operators in it.

    Raises:
        DocumentError: If the graph is no plain ONNX file.
        LimitError: If it is larger than its bounds.
        IntegrityError: If it can't be read, or does something other than compute.
        OSError: If the folder of weights can't be listed.
    """
    return check_graph_file(directory / files.GRAPH, files.weight_sizes(directory))


def check_graph_file(path: Path, weights: Mapping[str, int], *, where: str = "") -> frozenset[str]:
    """Check a graph in a file, which is mapped and not read into memory.

    Args:
        path: The ONNX file; a link isn't followed.
        weights: The sizes in bytes of the bundle's weight files, by name.
        where: What errors call the file; its path by default.

    Returns:
        The names of the operators in it.

    Raises:
        DocumentError: If it is empty, no regular file, or no plain ONNX file.
        LimitError: If it is larger than its bounds.
        IntegrityError: If it can't be read, or does something other than compute.
    """
    where = where or str(path)
    try:
        descriptor = os.open(path, _OPEN)
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode) or state.st_size == 0:
                raise DocumentError("no graph", where=where, expected="an ONNX model", found="an empty file, or one that isn't ONNX")
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
                return check_graph(data, weights, where=where)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise IntegrityError(f"the graph can't be read ({error.strerror})", where=where) from error


def _text(value: bytes) -> str:
    """A name as text; bytes that are none stand for no name at all."""
    return value.decode("utf-8", "backslashreplace")


def _operator(domain: bytes, name: bytes) -> str:
    return f"{_shown(name)} of {_shown(domain)}" if domain else _shown(name)


def _tensor_name(kept: Kept) -> str:
    return _shown(kept[8]) if kept.get(8) else "a constant"


def _shown(value: bytes) -> str:
    return repr(_text(value[:100]))
