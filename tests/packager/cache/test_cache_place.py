"""Cached stages are what a release is made of: they come from a folder of one's own, or from none."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from sealift_packager.cache.place import private_folder, read_private
from sealift_packager.cache.serialization import SerializationError, decode
from sealift_packager.cache.store import StageStore, default_store
from sealift_packager.errors import PackagerError
from support import trained
from support.cli import call
from support.workshop import assert_refused, refused_as_json

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
ANOTHER_USER = 12345


def store_at(place: Path) -> StageStore:
    return default_store({"SEALIFT_CACHE": str(place)})


def test_a_cache_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = store_at(tmp_path / "a" / "cache")
        store.write("k" * 64, b"data")
    finally:
        os.umask(before)
    made = [tmp_path / "a", tmp_path / "a" / "cache", tmp_path / "a" / "cache" / "kk"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
    assert [stat.S_IMODE(path.stat().st_mode) for path in made[-1].iterdir()] == [0o600]
    assert store_at(tmp_path / "a" / "cache").read("k" * 64) == b"data"


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    with pytest.raises(PackagerError, match=r"SEALIFT_CACHE: .*cache: other users may write to the cache.*chmod -R go-w"):
        store_at(tmp_path / "cache")


def test_a_folder_above_that_others_may_write_to_is_refused_unless_it_is_sticky(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PackagerError, match="other users may replace a folder above the cache"):
        store_at(tmp_path / "open" / "cache")
    (tmp_path / "open").chmod(0o1777)
    store_at(tmp_path / "open" / "cache")


@root_only
def test_a_cache_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    os.chown(tmp_path / "cache", ANOTHER_USER, -1)
    with pytest.raises(PackagerError, match=f"the cache belongs to another user: .*found one of the user {ANOTHER_USER}"):
        store_at(tmp_path / "cache")


@root_only
def test_a_cache_in_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "cache").mkdir(parents=True)
    os.chown(tmp_path / "theirs", ANOTHER_USER, -1)
    with pytest.raises(PackagerError, match="a folder above the cache belongs to another user"):
        store_at(tmp_path / "theirs" / "cache")


def test_a_link_to_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "cache").symlink_to(tmp_path / "open")
    with pytest.raises(PackagerError, match="other users may write"):
        store_at(tmp_path / "cache")


def test_a_link_to_a_folder_of_one_s_own_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to(tmp_path / "mine")
    assert private_folder(tmp_path / "cache", where="here") == tmp_path / "mine"


def test_the_commands_say_so(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    words = ["pack", trained.onnx_net().model, "--name", "n", "--version", "1.0.0", "--profile", "arm64-dotprod", "--out", tmp_path / "out"]
    env = {"SEALIFT_CACHE": str(tmp_path / "cache")}
    assert_refused(call("sealift", *words, env=env), 3, "other users may write to the cache", "--no-cache")
    refused_as_json(call("sealift", *words, "--json", env=env), 3, "PackagerError")
    call("sealift", *words, "--no-cache", env=env).ok()


@pytest.mark.parametrize("fault", ["link", "writable", "fifo", "folder"])
def test_an_entry_that_is_no_plain_file_of_one_s_own_is_a_miss(tmp_path: Path, fault: str) -> None:
    entry = tmp_path / "entry"
    (tmp_path / "other").write_bytes(b"data")
    if fault == "link":
        entry.symlink_to(tmp_path / "other")
    elif fault == "writable":
        entry.write_bytes(b"data")
        entry.chmod(0o666)
    elif fault == "fifo":
        os.mkfifo(entry)
    else:
        entry.mkdir()
    assert read_private(entry) is None
    assert read_private(tmp_path / "other") == b"data"


@root_only
def test_an_entry_of_another_user_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "entry").write_bytes(b"data")
    os.chown(tmp_path / "entry", ANOTHER_USER, -1)
    assert read_private(tmp_path / "entry") is None


def test_a_graph_in_an_entry_can_not_have_files_of_this_machine_read(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.UINT8, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    entry = msgspec.msgpack.encode(msgspec.msgpack.Ext(1, onnx.helper.make_model(graph).SerializeToString()))
    with pytest.raises(SerializationError, match="refers to files"):
        decode(Any, entry)


def test_an_array_of_python_objects_in_an_entry_is_refused() -> None:
    array = msgspec.msgpack.encode(("|O", (1,), b"\x00" * 8))
    with pytest.raises(SerializationError, match="OBJECT array"):
        decode(np.ndarray, array)
