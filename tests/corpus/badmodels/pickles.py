"""Pickles, joblib, skops and torch files: cut off, with code in them, or with far more in them than they are large."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import torch

from corpus.badmodels.case import Case
from support import trained

TRUST: Final = "--trust-pickle"
FACTORY: Final = ("--factory", trained.FACTORY)
MIB: Final = 2**20


class Trap:
    """Unpickling it makes a file: proof that code ran."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def file(data: bytes | Callable[[], bytes], name: str = "m.joblib", words: tuple[object, ...] = (TRUST,)) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        (folder / name).write_bytes(data if isinstance(data, bytes) else data())
        return [folder / name, *words]

    return make


def cut(source: Callable[[], Path], share: float, name: str, *words: object) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        data = source().read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])
        return [folder / name, *words]

    return make


def trap(*words: object, torch_file: bool = False) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        target = folder / "m.bin"
        if torch_file:
            torch.save({"w": Trap(folder / "sprung")}, target)
        else:
            target.write_bytes(pickle.dumps(Trap(folder / "sprung")))
        return [target, *words]

    return make


def laughs() -> bytes:
    """Lists of lists, each ten times the one before: small in memory, 10^12 items for whoever walks them or prints them."""
    row: list[Any] = ["ha"] * 10
    for _ in range(12):
        row = [row] * 10
    return pickle.dumps(row)


def deep_lists() -> bytes:
    """100,000 lists within each other."""
    return b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b"."


def claims(size: int) -> bytes:
    """A string that says it has ``size`` bytes, and has none."""
    return b"\x80\x04\x8e" + size.to_bytes(8, "little") + b"x."


def grows(megabytes: int) -> bytes:
    """A few bytes of program that ask for that much memory."""
    return b"\x80\x04cbuiltins\nbytearray\n" + b"J" + int(megabytes * MIB).to_bytes(4, "little", signed=True) + b"\x85R."


def grows_often() -> bytes:
    """1 GiB asked for, sixteen times, and kept."""
    once = b"cbuiltins\nbytearray\nJ" + (2**30).to_bytes(4, "little") + b"\x85R"
    return b"\x80\x04](" + once * 16 + b"e."


def numpy_claims() -> bytes:
    """A joblib array that says it has 2^40 numbers."""
    out = io.BytesIO()
    joblib.dump(np.zeros(77), out)
    data = out.getvalue()
    at = data.index(b"K" + bytes([77]) + b"\x85")
    data = data[:at] + b"\x8a\x06" + (2**40).to_bytes(6, "little") + data[at + 2 :]
    return data[:3] + (data[3] + 6).to_bytes(1, "little") + data[4:]  # the frame is 6 bytes longer now


def packed_zeros(packed: str) -> bytes:
    """Zeros, packed tightly."""
    makers: dict[str, Callable[[], Any]] = {
        "zlib": zlib.compressobj,
        "gzip": lambda: zlib.compressobj(wbits=31),
        "bz2": bz2.BZ2Compressor,
        "xz": lzma.LZMACompressor,
    }
    pack = makers[packed]()
    parts = [*(pack.compress(bytes(MIB)) for _ in range(80)), pack.flush()]
    return b"".join(parts)


def bomb(name: str, member: str, *words: object, megabytes: int = 80) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open(member, "w") as stream:
            for _ in range(megabytes):
                stream.write(bytes(MIB))
        return [folder / name, *words]

    return make


def many_files(folder: Path) -> list[object]:
    """A directory of 100,002 files, none of them there."""
    entry = b"PK\x01\x02" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"a"
    directory = entry * 100_002
    first = b"PK\x03\x04" + bytes(26)
    end = b"PK\x05\x06" + bytes(8) + len(directory).to_bytes(4, "little") + len(first).to_bytes(4, "little") + bytes(2)
    (folder / "m.pt").write_bytes(first + directory + end)
    return [folder / "m.pt", *FACTORY]


def skops_schema(content: bytes) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        with zipfile.ZipFile(folder / "m.skops", "w") as archive:
            archive.writestr("schema.json", content)
        return [folder / "m.skops"]

    return make


def state(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        weights = trained.small_net().state_dict()
        torch.save(change(weights), folder / "m.pt")
        return [folder / "m.pt", *FACTORY]

    return make


def storage_claims(folder: Path) -> list[object]:
    """A tensor that says it has 2^40 numbers, over a storage of a few."""
    torch.save({"w": torch.zeros(77)}, folder / "whole.pt")
    with zipfile.ZipFile(folder / "whole.pt") as old, zipfile.ZipFile(folder / "m.pt", "w") as new:
        for row in old.infolist():
            data = old.read(row)
            new.writestr(row, data.replace(b"KM", b"\x8a\x06" + (2**40).to_bytes(6, "little")) if row.filename.endswith("data.pkl") else data)
    return [folder / "m.pt", *FACTORY]


def safetensors(header: bytes, length: int | None = None, body: bytes = bytes(64)) -> Callable[[Path], list[object]]:
    data = (len(header) if length is None else length).to_bytes(8, "little") + header + body
    return file(data, "m.safetensors", FACTORY)


SAFE: Final = ("m.safetensors", "expected a complete state dict")
CASES: Final[dict[str, Case]] = {
    "a pickle with code, not trusted": Case(make=trap(), said=("runs the code", "--trust-pickle")),
    "a state dict with code": Case(make=trap(*FACTORY, torch_file=True), said=("m.bin", "save its state_dict()")),
    "a joblib file cut off": Case(make=cut(lambda: trained.cancer().model, 0.7, "m.joblib", TRUST), said=("m.joblib", "complete joblib or pickle")),
    "a pickle of something else": Case(make=file(pickle.dumps({"a": 1})), said=("not a model", "found builtins.dict")),
    "a pickle of a missing module": Case(make=file(b"\x80\x04cnosuchmodule\nModel\n."), said=("nosuchmodule", "that is not installed")),
    "a billion laughs": Case(make=file(laughs), said=("not a model", "found builtins.list")),
    "100,000 lists within each other": Case(make=file(deep_lists), said=("not a model", "found builtins.list")),
    "a pickle that claims 2^60 bytes": Case(make=file(claims(2**60)), said=("m.joblib", "takes more memory")),
    "a pickle that claims 2^32 bytes": Case(make=file(claims(2**32)), said=("m.joblib", "takes more memory")),
    "a pickle that asks for 16 GiB": Case(make=file(grows_often), said=("m.joblib", "memory")),
    "a joblib array that claims 2^40 numbers": Case(make=file(numpy_claims), said=("m.joblib", "memory")),
    "a joblib bomb of zlib": Case(make=file(lambda: packed_zeros("zlib")), said=("m.joblib", "far more than its own size")),
    "a joblib bomb of gzip": Case(make=file(lambda: packed_zeros("gzip")), said=("m.joblib", "far more than its own size")),
    "a joblib bomb of bzip2": Case(make=file(lambda: packed_zeros("bz2")), said=("m.joblib", "far more than its own size")),
    "a joblib bomb of xz": Case(make=file(lambda: packed_zeros("xz")), said=("m.joblib", "far more than its own size")),
    "a gzip that is cut off": Case(make=file(gzip.compress(pickle.dumps([1]))[:20]), said=("m.joblib", "complete joblib or pickle")),
    "a skops bomb": Case(make=bomb("m.skops", "schema.json"), said=("m.skops: schema.json", "zip bomb")),
    "a skops schema of a million levels": Case(make=skops_schema(b"[" * MIB), said=("m.skops", "complete .skops file")),
    "a skops schema that is no JSON": Case(make=skops_schema(b"hello"), said=("m.skops", "complete .skops file")),
    "a skops file of a type that runs code": Case(
        make=skops_schema(b'{"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode", "__id__": 1, "protocol": 2}'),
        said=("types that are not known to be safe", "subprocess.Popen"),
    ),
    "a torch bomb": Case(make=bomb("m.pt", "a/data.pkl", *FACTORY), said=("m.pt: a/data.pkl", "zip bomb")),
    "an exported program that is a bomb": Case(make=bomb("m.pt2", "archive_format"), said=("m.pt2: archive_format", "zip bomb")),
    "an exported program cut off": Case(make=cut(lambda: trained.program().model, 0.6, "m.pt2"), said=("m.pt2", "cut off"), heavy=True),
    "an archive of 100,002 files": Case(make=many_files, said=("m.pt", "too many files")),
    "a state dict cut off": Case(make=cut(lambda: trained.state_dict(".pt").model, 0.6, "m.pt", *FACTORY), said=("m.pt", "cut off"), heavy=True),
    "a state dict whose tensor claims 2^40 numbers": Case(make=storage_claims, said=("m.pt", "can't be read as weights")),
    "a state dict of something else": Case(make=state(lambda _: {"w": [1, 2]}), said=("m.pt: not a state dict",)),
    "safetensors with a header of 2^63 bytes": Case(make=safetensors(b"{}", 2**63), said=("m.safetensors",)),
    "safetensors with a header beyond the file": Case(make=safetensors(b"{}", 2**24), said=SAFE),
    "safetensors whose header is no JSON": Case(make=safetensors(b"{nothing}"), said=SAFE),
    "safetensors whose tensors overlap": Case(
        make=safetensors(
            b'{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"b":{"dtype":"F32","shape":[8],"data_offsets":[16,48]}}', body=bytes(48)
        ),
        said=SAFE,
    ),
    "safetensors of 2^62 numbers": Case(make=safetensors(b'{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,64]}}'), said=SAFE),
    "safetensors with an offset beyond the file": Case(make=safetensors(b'{"a":{"dtype":"F32","shape":[1024],"data_offsets":[0,4096]}}'), said=SAFE),
}
