"""An exported program whose reading would run code is refused before torch sees it; what torch.export.save writes goes through."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sealift_packager.errors import UntrustedPickleError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from sealift_packager.torch.program_safety import refuse_unsafe
from support.versions import since

pytestmark = since("torch", "2.8", "keep a program in the members that these tests change")


class Halves(nn.Module):
    """Arithmetic on sizes, and guards."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 2, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        half = rows[:, : rows.shape[1] // 2].reshape(rows.shape[0] * 2, -1)
        result: torch.Tensor = self.layer(half.unsqueeze(1))
        return result.mean(-1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("program") / "halves.pt2"
    free = torch.export.Dim.AUTO
    torch.export.save(torch.export.export(Halves().eval(), (torch.zeros(4, 16),), dynamic_shapes=({0: free, 1: free},)), path)
    return path


def changed(path: Path, place: Path, change: Callable[[str, bytes], bytes], **added: bytes) -> Path:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(place, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
        for name, data in added.items():
            target.writestr(name, data)
    return place


def in_program(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    def change(name: str, data: bytes) -> bytes:
        assert "models/" not in name or old in data
        return data.replace(old, new) if "models/" in name else data

    return change


def test_what_torch_writes_for_plain_modules_is_read(exported: Path) -> None:
    refuse_unsafe(torch, exported)
    assert load_model(exported, LoadOptions()).inputs[0].shape == ("batch", "rows_1")


class Trap:
    """What unpickling it does shows in the file system."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.place),)


def test_code_in_pickled_sample_inputs_is_not_run(exported: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save((Trap(tmp_path / "sprung"),), buffer)
    evil = changed(exported, tmp_path / "evil.pt2", lambda name, data: buffer.getvalue() if "sample_inputs" in name else data)
    with pytest.raises(UntrustedPickleError, match=r"a pickle of other objects than tensors.*--trust-pickle"):
        load_model(evil, LoadOptions())
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"torch.ops.aten.mean.dim", b"torch.os.system", "a call of torch.os.system"),
        (b"torch.ops.aten.mean.dim", b"torch.ops.load_library", "a call of torch.ops.load_library"),
        (b"torch.ops.aten.mean.dim", b"torch.ops.aten.from_file.default", "a call of torch.ops.aten.from_file"),
        (b"torch.ops.aten.mean.dim", b"torch.ops.aten.__class__.Tensor", "a call of torch.ops.aten.__class__"),
        (b"torch.ops.aten.mean.dim", b"_operator.methodcaller", "a call of _operator.methodcaller"),
        (b"Integer(2)", b"exec(chr(112))", r"the expression .*exec\(chr\(112\)\)"),
        (b"Integer(2)", b"Integer(2).__class__", "the expression"),
        (b"Integer(2)", b"(lambda: 1)()", "the expression"),
        (b"L['rows'].size()[1]", b"__import__('os').getpid()", "the guard"),
    ],
)
def test_a_graph_that_computes_with_more_than_tensors_and_sizes_is_refused(
    exported: Path, tmp_path: Path, old: bytes, new: bytes, words: str
) -> None:
    evil = changed(exported, tmp_path / "evil.pt2", in_program(old, new))
    with pytest.raises(UntrustedPickleError, match=words):
        refuse_unsafe(torch, evil)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("halves/data/aotinductor/model/x.so", b"\x7fELF", "compiled code"),
        ("halves/DATA/weights/Other.PT", b"\x80\x04N.", "a pickle of other objects than tensors"),
        ("halves/data/constants/x_config.json", b'{"config": {"c": {"path_name": "opaque_obj_0", "use_pickle": false}}}', "c as a pickle"),
        ("halves/data/weights/x_config.json", b'{"config": {"w": {"path_name": "weight_0", "use_pickle": true}}}', "w as a pickle"),
        ("halves/data/weights/x_config.json", b'{"config": ["w"]}', "a list of weights that is not by name"),
        ("halves/models/a/b.json", b'{"guards_code": 3}', "the guard None"),
        ("halves/models/a/b.json", b'{"guards_code": "s1"}', "the guard None"),
        ("halves/models/MODEL.json", b"{}", "two members have the same name"),
        ("halves/models/a/b.json", b"{", "a file that is not JSON"),
    ],
)
def test_members_that_torch_would_execute_or_unpickle_are_refused(exported: Path, tmp_path: Path, name: str, data: bytes, words: str) -> None:
    evil = changed(exported, tmp_path / "evil.pt2", lambda _, content: content, **{name: data})
    with pytest.raises(UntrustedPickleError, match=words):
        refuse_unsafe(torch, evil)


PAYLOAD = "rows=__import__('os').mkdir({!r})):\n    return 0\n    ''" + "'\n    #"


def in_document(change: Callable[[dict[str, Any]], object]) -> Callable[[str, bytes], bytes]:
    def edit(name: str, data: bytes) -> bytes:
        if "models/" not in name:
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    return edit


def signature(document: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = document["graph_module"]["module_call_graph"][0]["signature"]
    return fields


def test_the_name_of_an_argument_is_no_place_for_code(exported: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    named = in_document(lambda document: signature(document).update(forward_arg_names=[PAYLOAD.format(str(sprung))]))
    evil = changed(exported, tmp_path / "evil.pt2", named)
    with pytest.raises(UntrustedPickleError, match=r"forward_arg_names .*--trust-pickle"):
        load_model(evil, LoadOptions())
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["x): pass", "x\n", "x.y", "x y", "self, x"])
def test_the_name_of_a_tensor_is_an_identifier(name: str, exported: Path, tmp_path: Path) -> None:
    renamed = in_program(b'"rows"', json.dumps(name).encode())
    with pytest.raises(UntrustedPickleError, match="expected a graph and tensors"):
        refuse_unsafe(torch, changed(exported, tmp_path / "evil.pt2", renamed))


@pytest.mark.parametrize(
    "node",
    [
        {"type": "collections.defaultdict", "context": {"default_factory_module": "antigravity", "default_factory_name": "x", "dict_context": []}},
        {"type": "builtins.dict", "context": '[{"__enum__": true, "fqn": "antigravity:x", "name": "y"}]'},
        {"type": "collections.namedtuple", "context": "null"},
        {"type": "builtins.dict", "context": json.dumps(["x': __import__('os')}, '"])},
    ],
)
def test_a_structure_that_names_modules_is_refused(node: dict[str, Any], exported: Path, tmp_path: Path) -> None:
    spec = json.dumps([1, {**node, "children_spec": []}])
    evil = changed(exported, tmp_path / "evil.pt2", in_document(lambda document: signature(document).update(in_spec=spec)))
    with pytest.raises(UntrustedPickleError, match="in_spec"):
        refuse_unsafe(torch, evil)


def test_the_name_of_a_weight_is_dotted_identifiers(exported: Path, tmp_path: Path) -> None:
    def rename(name: str, data: bytes) -> bytes:
        return data.replace(b"layer.weight", b"layer.w(1)") if "weights_config" in name else data

    with pytest.raises(UntrustedPickleError, match="the name"):
        refuse_unsafe(torch, changed(exported, tmp_path / "evil.pt2", rename))


class Twice(nn.Module):
    """A module called twice, named outputs, numbered layers, an argument that is text."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Dropout())

    def forward(self, rows: torch.Tensor, *, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        states, _ = self.lstm(rows)
        return {"last hidden state": self.layers(self.layers(states)), "sum": torch.einsum("bij,bi->bj", states, mask)}


def test_names_as_real_networks_have_them_are_no_reason_to_refuse(tmp_path: Path) -> None:
    rows = {"rows": torch.zeros(2, 3, 4), "mask": torch.zeros(2, 3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Twice().eval(), (), rows), tmp_path / "m.pt2")
    refuse_unsafe(torch, tmp_path / "m.pt2")
