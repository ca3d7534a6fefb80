"""Holdout data that is cut off, holds objects, claims too much, or doesn't fit the model (a classifier of 30 columns)."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from corpus.badmodels.case import Case
from support import trained

MIB: Final = 2**20
Make = Callable[[Path], list[object]]


def pack(folder: Path, name: str, target: str = "diagnosis") -> list[object]:
    return [trained.cancer().model, "--trust-pickle", "--data", folder / name, "--target", target]


def file(name: str, data: bytes) -> Make:
    def make(folder: Path) -> list[object]:
        (folder / name).write_bytes(data)
        return pack(folder, name)

    return make


def lines() -> list[str]:
    return trained.cancer().data.read_text().splitlines()


def table(change: Callable[[list[str]], list[str]]) -> Make:
    return file("h.csv", ("\n".join(change(lines())) + "\n").encode())


def archive(**members: bytes) -> Make:
    """An .npz of these members, written as they are."""

    def make(folder: Path) -> list[object]:
        with zipfile.ZipFile(folder / "h.npz", "w", zipfile.ZIP_DEFLATED) as target:
            for name, data in members.items():
                target.writestr(f"{name}.npy", data)
        return pack(folder, "h.npz", "y")

    return make


def npy(value: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True)
    return out.getvalue()


def claims(*shape: int, dtype: str = "<f4") -> bytes:
    """An array's header, with no numbers behind it."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def bomb(folder: Path) -> list[object]:
    with zipfile.ZipFile(folder / "h.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target, target.open("features.npy", "w") as stream:
        stream.write(claims(80 * MIB // 120, 30))
        for _ in range(80):
            stream.write(bytes(MIB))
    return pack(folder, "h.npz", "y")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


def missing_target(rows: list[str]) -> list[str]:
    first = rows[1].rpartition(",")[0] + ","
    return [rows[0], first, *rows[2:]]


def huge_field(rows: list[str]) -> list[str]:
    return [rows[0], "x" * 20_000_000 + rows[1], *rows[2:]]


def full(value: float) -> bytes:
    return npy(np.full((40, 30), value, np.float32))


LABELS: Final = npy(np.zeros(40, np.int64))
CASES: Final[dict[str, Case]] = {
    "an npz cut off": Case(make=file("h.npz", b"PK\x03\x04" + bytes(100)), said=("h.npz", "a complete archive of plain arrays")),
    "an npz that is no archive": Case(make=file("h.npz", b"hello"), said=("h.npz", "a complete archive of plain arrays")),
    "an npz of objects": Case(
        make=archive(features=npy(np.array([{}], dtype=object)), y=LABELS), said=("h.npz", "a complete archive of plain arrays (no objects)")
    ),
    "an npz with a pickle that runs code": Case(
        make=archive(features=pickle.dumps(Trap()), y=LABELS), said=("h.npz: features", "values of a type that models don't accept")
    ),
    "an npz bomb": Case(make=bomb, said=("h.npz: features.npy", "zip bomb")),
    "an npz that claims 2^31 rows": Case(make=archive(features=claims(2**31, 30), y=LABELS), said=("h.npz",)),
    "an npz that claims 2^62 rows": Case(make=archive(features=claims(2**62, 30), y=LABELS), said=("h.npz",)),
    "an npz that claims -1 rows": Case(make=archive(features=claims(-1, 30), y=LABELS), said=("h.npz",)),
    "an npz of 2^20 dimensions": Case(make=archive(features=npy(np.zeros(1))[:8] + b"\xff\xff" + b"(" * 65535, y=LABELS), said=("h.npz",)),
    "an npz of unequal rows": Case(
        make=archive(features=npy(np.zeros((39, 30), np.float32)), y=LABELS), said=("different numbers of rows", "features: 39, y: 40")
    ),
    "an npz of single numbers": Case(make=archive(features=npy(np.float32(1)), y=npy(np.int64(1))), said=("no rows",)),
    "an npz of another width": Case(
        make=archive(features=npy(np.zeros((40, 29), np.float32)), y=LABELS), said=("h.npz: features: wrong shape", "29")
    ),
    "an npz with NaN": Case(make=archive(features=full(np.nan), y=LABELS), said=("missing values", "row 0")),
    "an npz with infinities": Case(make=archive(features=full(np.inf), y=LABELS), said=("fails on the holdout", "contains infinity")),
    "an npz without anything": Case(make=archive(), said=("h.npz", "no arrays")),
    "an empty CSV": Case(make=file("h.csv", b""), said=("h.csv", "a header line and data rows")),
    "a CSV of bytes": Case(make=file("h.csv", np.random.default_rng(0).bytes(10_000)), said=("h.csv", "the file isn't text")),
    "a CSV of zeros": Case(make=file("h.csv", bytes(10_000)), said=("h.csv",)),
    "a CSV with a line that is longer": Case(make=table(lambda rows: [*rows[:3], rows[3] + ",1,2,3", *rows[4:]]), said=("h.csv", "line 4")),
    "a CSV with an open quote": Case(make=table(lambda rows: [rows[0], '"' + rows[1], *rows[2:]]), said=("h.csv",)),
    "a CSV with a field of 20 MB": Case(
        make=table(huge_field), said=("the source model fails on the holdout", "mean radius: 'xxx", "in row 0, among numbers")
    ),
    "a CSV of 10,000 columns": Case(
        make=file("h.csv", b",".join(b"c%d" % at for at in range(10_000)) + b"\n" + b"1," * 9_999 + b"1\n"),
        said=("no such target", "10000 in all"),
    ),
    "a CSV without a target in a row": Case(make=table(missing_target), said=("diagnosis", "missing values", "row 0")),
    "a CSV with a column twice": Case(make=table(lambda rows: [rows[0].replace("mean texture", "mean radius"), *rows[1:]]), said=("h.csv",)),
    "a folder": Case(make=lambda folder: pack(folder, "."), said=("no images", "labels.csv")),
    "data that is the model": Case(
        make=lambda _: [trained.cancer().model, "--trust-pickle", "--data", trained.cancer().model], said=("not a supported data format",)
    ),
}
