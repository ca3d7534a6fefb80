"""An archive that readers could understand differently is refused, whatever reads it; what libraries write goes through, and is written anew."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from torch import nn

from sealift_packager.archives.directory import Names, read_directory
from sealift_packager.archives.own_copy import OwnCopy, taken
from sealift_packager.archives.refusals import Refusals
from sealift_packager.data.files import read_data
from sealift_packager.errors import DataError, PackagerError, SourceModelError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from support import crafted_zips, trained
from support.crafted_zips import FOR_PATHS, FORMS, TRICKS, Members
from support.versions import since


class Trap:
    """Unpickling it makes a folder: proof that code ran."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.place),)


class Doubles(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows * 2


class Writes(nn.Module):
    """Doubles, and makes a file."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place: str = place

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows * 2 + torch.from_file(self.place, True, 8)[0]


@dataclasses.dataclass(frozen=True)
class Reader:
    """Good members and evil ones, whose ``canary`` appears if their code is run; ``read`` gives something that says what was read."""

    name: str
    good: Members
    evil: Members
    canary: Path
    error: type[PackagerError]
    read: Callable[[Path], object]


def holds_examples(name: str) -> bool:
    """Whether it is the member of a program's archive that holds the examples, in which torch 2.5 or a newer one keeps them."""
    return "sample_inputs" in name or "example_inputs" in name


def trapped(canary: Path) -> bytes:
    out = io.BytesIO()
    torch.save((Trap(canary),), out)
    return out.getvalue()


def program(folder: Path) -> Reader:
    free = torch.export.Dim("n")
    torch.export.save(torch.export.export(Doubles().eval(), (torch.zeros(2, 3),), dynamic_shapes=({0: free},)), folder / "archive.pt2")
    good = crafted_zips.members(folder / "archive.pt2")
    evil = {name: trapped(folder / "sprung") if holds_examples(name) else data for name, data in good.items()}
    return Reader("archive.pt2", good, evil, folder / "sprung", SourceModelError, lambda path: load_model(path, LoadOptions()).outputs)


def script(folder: Path) -> Reader:
    archives = []
    for at, module in enumerate((Doubles(), Writes(str(folder / "sprung")))):
        (folder / str(at)).mkdir()
        torch.jit.save(torch.jit.script(module), str(folder / str(at) / "archive.pt"))
        archives.append(crafted_zips.members(folder / str(at) / "archive.pt"))
    options = LoadOptions(examples={"rows": np.ones((2, 3), np.float32)})
    return Reader("archive.ts", archives[0], archives[1], folder / "sprung", SourceModelError, lambda path: load_model(path, options).outputs)


def state(folder: Path) -> Reader:
    torch.save(trained.small_net().state_dict(), folder / "archive.pt")
    good = crafted_zips.members(folder / "archive.pt")
    evil = {name: pickle.dumps(Trap(folder / "sprung"), 2) if name.endswith("data.pkl") else data for name, data in good.items()}
    options = LoadOptions(factory=trained.FACTORY)
    return Reader("archive.pt", good, evil, folder / "sprung", SourceModelError, lambda path: load_model(path, options).outputs)


def skops_file(folder: Path) -> Reader:
    skops.io.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), folder / "archive.skops")
    good = crafted_zips.members(folder / "archive.skops")
    schema = b'{"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode", "__id__": 1, "protocol": 2}'
    evil = good | {"schema.json": schema}
    return Reader("m.skops", good, evil, folder / "sprung", SourceModelError, lambda path: load_model(path, LoadOptions()).outputs)


def arrays(folder: Path) -> Reader:
    np.savez(folder / "archive.npz", rows=np.arange(40.0), target=np.zeros(40))
    good = crafted_zips.members(folder / "archive.npz")
    evil = good | {"rows.npy": pickle.dumps(Trap(folder / "sprung"))}
    return Reader("d.npz", good, evil, folder / "sprung", DataError, read_data)


MAKERS = {"program": program, "script": script, "state": state, "skops": skops_file, "arrays": arrays}


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("archive", MAKERS)
def test_a_crafted_archive_is_refused_and_none_of_its_code_is_run(readers: dict[str, Reader], archive: str, trick: str, tmp_path: Path) -> None:
    reader = readers[archive]
    path = tmp_path / reader.name
    path.write_bytes(TRICKS[trick](reader.good, reader.evil))
    if archive == "arrays" and trick in FOR_PATHS:
        assert crafted_zips.members(path)  # a label, and no path: nothing is ever written under it
        return
    with pytest.raises(reader.error) as refused:
        reader.read(path)
    assert str(path) in str(refused.value)
    assert "own." not in str(refused.value)
    assert not reader.canary.exists()
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("archive", MAKERS)
def test_what_writers_may_do_is_read(readers: dict[str, Reader], archive: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / readers[archive].name
    path.write_bytes(FORMS[form](readers[archive].good))
    assert readers[archive].read(path)


@since("torch", "2.8", "keep a program in a folder of its archive")
def test_the_trick_of_two_directories_shows_two_archives(readers: dict[str, Reader]) -> None:
    reader = readers["program"]
    data = crafted_zips.two_directories(reader.good, reader.evil)
    with zipfile.ZipFile(io.BytesIO(data)) as seen:
        assert {name: seen.read(name) for name in reader.good} == reader.good
    (name,) = filter(holds_examples, reader.good)
    torch_sees = torch._C.PyTorchFileReader(io.BytesIO(data)).get_record(name.partition("/")[2])
    assert torch_sees == reader.evil[name]


@pytest.mark.parametrize("archive", ["program", "script", "skops"])
def test_an_archive_behind_something_else_is_refused_for_whoever_names_its_format_too(
    readers: dict[str, Reader], archive: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"#!/bin/sh\n" + crafted_zips.assemble(crafted_zips.parts(readers[archive].good)))
    formats = {"program": "torch-program", "script": "torchscript", "skops": "skops"}
    with pytest.raises(SourceModelError, match="cut off or damaged"):
        load_model(path, LoadOptions(format=formats[archive]))


def whole(path: Path) -> dict[str, bytes]:
    with taken(path, path.parent, SourceModelError, Names.LABELS) as copy:
        assert copy.digest.hex == hashlib.sha256(path.read_bytes()).hexdigest()
        return crafted_zips.members(copy.path)


def real_archives(folder: Path) -> Iterator[Path]:
    """By each library, in each way that it has."""
    weights = {"w": torch.arange(77.0), "b": torch.zeros(3, dtype=torch.bfloat16)}
    torch.save(weights, folder / "state.pt")
    torch.save(weights, folder / "größe.pt")
    with (folder / "stream.pt").open("wb") as file:
        torch.save(weights, file)
    torch.jit.save(torch.jit.script(nn.Linear(3, 2)), str(folder / "script.pt"), _extra_files={"note.txt": b"x"})
    torch.export.save(torch.export.export(nn.Linear(3, 2).eval(), (torch.zeros(2, 3),)), folder / "program.pt2", extra_files={"note": "x"})
    np.savez(folder / "a.npz", x=np.arange(3), größe=np.ones(2))
    np.savez_compressed(folder / "b.npz", x=np.arange(300))
    np.savez(folder / "empty.npz")
    for level in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        skops.io.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), folder / f"{level}.skops", compression=level)
    yield from sorted(path for path in folder.iterdir() if path.is_file())


def test_what_libraries_write_is_written_anew_with_the_same_members(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = list(real_archives(tmp_path))
    assert len(paths) == 10
    for path in paths:
        assert whole(path) == crafted_zips.members(path), path


@since("torch", "2.6", "can leave checksums out")
def test_torch_may_leave_checksums_out(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.arange(77.0)}, tmp_path / "state.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    with taken(tmp_path / "state.pt", tmp_path, SourceModelError) as copy:
        assert torch.load(copy.path)["w"].tolist() == list(range(77))


def test_an_archive_that_is_streamed_out_is_read(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """Takes bytes, and can't go back."""

        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.arange(5))
    (tmp_path / "d.npz").write_bytes(pipe.data)
    arrays = read_data(tmp_path / "d.npz").arrays
    assert arrays["x"].tolist() == [0, 1, 2, 3, 4]


def test_folders_in_an_archive_are_left_out(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(3)}, tmp_path / "state.pt")
    parts = crafted_zips.parts({"state/": b"", **crafted_zips.members(tmp_path / "state.pt")})
    (tmp_path / "again.pt").write_bytes(crafted_zips.assemble(parts))
    assert whole(tmp_path / "again.pt").keys() == {"state/", *crafted_zips.members(tmp_path / "state.pt")}
    with taken(tmp_path / "again.pt", tmp_path, SourceModelError) as copy:
        assert "state/" not in crafted_zips.members(copy.path)


@pytest.mark.parametrize("names", [("N/A", "a\\b", "../x", "/y", "total\n(kg)", "X", "x", "C:/z", "…")])
def test_arrays_may_have_any_names(names: tuple[str, ...], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        for name in names:
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.arange(3))
    assert set(read_data(tmp_path / "d.npz").arrays) == set(names)


def npz(folder: Path, **content: bytes) -> Path:
    (folder / "d.npz").write_bytes(crafted_zips.assemble(crafted_zips.parts({f"{name}.npy": data for name, data in content.items()})))
    return folder / "d.npz"


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(2 if version[0] == 1 else 4, "little") + header.encode() + data


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"), "isn't as long as its header says"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", bytes(12)), "isn't as long as its header says"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", bytes(4)), "isn't as long as its header says"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 0)}"), "isn't as long as its header says"),
        (npy("{'descr': '<U0', 'fortran_order': False, 'shape': (1099511627776,)}"), "isn't as long as its header says"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", pickle.dumps([1])), "no objects"),
        (npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}", pickle.dumps([1])), "no objects"),
        (npy("(" * 9000), "can't be read"),
        (npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}"), "can't be read"),
        (npy("{}", b"", b"\x09\x00"), "can't be read"),
    ],
)
def test_an_array_is_what_its_header_says(array: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_data(npz(tmp_path, x=array))


def test_arrays_stand_in_the_order_of_the_archive_s_directory(tmp_path: Path) -> None:
    content = {}
    for name in "bca":
        out = io.BytesIO()
        np.save(out, np.arange(3))
        content[f"{name}.npy"] = out.getvalue()
    parts = crafted_zips.parts(content)
    (tmp_path / "d.npz").write_bytes(crafted_zips.assemble(parts))
    assert list(read_data(tmp_path / "d.npz").arrays) == ["b", "c", "a"]
    body = b"".join(part.local() for part in parts)
    at = {part.name: sum(len(other.local()) for other in parts[:number]) for number, part in enumerate(parts)}
    entries = b"".join(part.entry(at[part.name]) for part in sorted(parts, key=lambda part: part.name))
    end = crafted_zips.assemble(parts)[-22:]
    (tmp_path / "d.npz").write_bytes(body + entries + end)
    assert list(read_data(tmp_path / "d.npz").arrays) == ["a", "b", "c"]


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    good = io.BytesIO()
    np.save(good, np.arange(3))
    (tmp_path / "d.npz").write_bytes(crafted_zips.assemble(crafted_zips.parts({"x.npy": good.getvalue(), "x": good.getvalue()})))
    with pytest.raises(DataError, match="two arrays have the same name"):
        read_data(tmp_path / "d.npz")


def test_an_archive_in_an_archive_is_held_to_the_same_rules(readers: dict[str, Reader], tmp_path: Path) -> None:
    reader = readers["program"]
    inner = io.BytesIO()
    torch.save((torch.zeros(3),), inner)
    plain = zip_members(inner.getvalue())
    crafted = crafted_zips.two_directories(plain, plain | {"archive/data.pkl": pickle.dumps(Trap(reader.canary), 2)})
    outer = {name: crafted if holds_examples(name) else data for name, data in reader.good.items()}
    (tmp_path / "m.pt2").write_bytes(crafted_zips.assemble(crafted_zips.parts(outer)))
    with pytest.raises(SourceModelError, match=r"_inputs(/model)?\.pt: the archive's directory isn't where"):
        reader.read(tmp_path / "m.pt2")
    assert not reader.canary.exists()


def test_weights_that_begin_as_an_archive_does_are_weights(tmp_path: Path) -> None:
    torch.save({"w": torch.frombuffer(bytearray(b"PK\x03\x04" + bytes(60)), dtype=torch.uint8)}, tmp_path / "m.pt")
    with pytest.raises(SourceModelError, match="weights alone are not a model"):
        load_model(tmp_path / "m.pt", LoadOptions())


def zip_members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_many_members_that_are_each_just_small_enough_are_a_bomb_too(tmp_path: Path) -> None:
    zeros = bytes(40 * 2**20)
    part = crafted_zips.part("a/0", zeros, deflate=True)
    parts = [dataclasses.replace(part, name=f"a/{at}".encode()) for at in range(4)]
    (tmp_path / "m.pt").write_bytes(crafted_zips.assemble(parts))
    with pytest.raises(SourceModelError, match="zip bomb"):
        load_model(tmp_path / "m.pt", LoadOptions())


REAL: dict[str, bytes] = {}


def real_bytes() -> dict[str, bytes]:
    """One archive of each writer, made once."""
    if not REAL:
        out = io.BytesIO()
        torch.save({"w": torch.arange(5.0), "b": torch.zeros(2)}, out)
        REAL["torch"] = out.getvalue()
        out = io.BytesIO()
        np.savez_compressed(out, x=np.arange(30), y=np.zeros(30))
        REAL["numpy"] = out.getvalue()
    return REAL


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real archive with bytes changed, cut, doubled or moved, near its headers more often than not."""
    data = bytearray(draw(st.sampled_from(list(real_bytes().values()))))
    for _ in range(draw(st.integers(1, 4))):
        marks = [at for at in range(len(data) - 3) if data[at : at + 2] == b"PK"] or [0]
        near = draw(st.sampled_from(marks)) + draw(st.integers(0, 60))
        at = min(draw(st.one_of(st.just(near), st.integers(0, max(len(data) - 1, 0)))), max(len(data) - 1, 0))
        what = draw(st.sampled_from(["change", "number", "cut", "double", "insert"]))
        if what == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif what == "number":
            data[at : at + 4] = draw(st.sampled_from([0, 1, 0xFFFF, 0xFFFFFFFF, len(data)])).to_bytes(4, "little")
        elif what == "cut":
            del data[at : at + draw(st.integers(1, 80))]
        elif what == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
        else:
            data[at:at] = draw(st.binary(max_size=40))
    return bytes(data)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=mutated())
def test_a_changed_archive_is_refused_or_its_copy_is_what_was_checked(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("changed")
    path = folder / "m.pt"
    path.write_bytes(data)
    try:
        with taken(path, folder, SourceModelError) as copy:
            if copy.archive:
                with path.open("rb") as file:
                    listed = read_directory(file, Refusals(where="m.pt")).members
                assert_same(copy, {member.name: member.size_bytes for member in listed if not member.name.endswith("/")})
            else:
                assert copy.path.read_bytes() == data
    except SourceModelError as refused:
        assert str(path) in str(refused)
    assert list(folder.iterdir()) == [path]


def assert_same(copy: OwnCopy, listed: dict[str, int]) -> None:
    """The copy is an archive that nobody can see anything else in: its own reader, zipfile and torch's agree on what was listed."""
    members = crafted_zips.members(copy.path)
    assert {name: len(content) for name, content in members.items()} == listed
    with copy.path.open("rb") as file:
        assert {member.name for member in read_directory(file, Refusals(where="copy")).members} == set(members)
    roots = {name.partition("/")[0] for name in members if "/" in name}
    if len(roots) == 1 and all("/" in name for name in members):
        reader = torch._C.PyTorchFileReader(str(copy.path))
        assert all(reader.get_record(name.partition("/")[2]) == content for name, content in members.items())
