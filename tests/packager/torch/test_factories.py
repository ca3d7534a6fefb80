"""The person's own file with factories: which one is meant, and what stands beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from sealift_packager.errors import SourceModelError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions, SourceModel

NETS = """
import torch
from torch import nn
from collections import OrderedDict

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.words = nn.Embedding(50, width)

    def forward(self, ids):
        return self.words(ids).mean(1)

class Config:
    pass

def build(width=4):
    return Net(width)

def build_wide():
    return Net(8)

def with_arguments(width):
    return Net(width)

def _hidden():
    return Net()

def example_inputs():
    return [{"ids": torch.tensor([[1, 2, 3]])}, {"ids": torch.tensor([[40], [49]])}]

def dynamic_shapes():
    return {"ids": {1: "tokens"}}

def example_inputs_build_wide():
    return torch.ones(1, 6, dtype=torch.long)

def dynamic_shapes_build_wide():
    raise KeyError("width")
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "some_nets.py").write_text(NETS)
    return tmp_path / "some_nets.py"


def loaded(nets: Path, factory: str, width: int = 4) -> SourceModel:
    torch.save({"words.weight": nn.Embedding(50, width).weight.detach()}, nets.parent / "w.pt")
    return load_model(nets.parent / "w.pt", LoadOptions(factory=factory))


def test_a_file_alone_lists_the_factories_in_it(nets: Path) -> None:
    with pytest.raises(SourceModelError, match="function is not named") as refusal:
        loaded(nets, str(nets))
    assert str(refusal.value).endswith(f"Name one: {nets}:Net, {nets}:build, {nets}:build_wide.")
    with pytest.raises(SourceModelError, match=r"expected module:function or file\.py:function, found 'build'"):
        loaded(nets, "build")
    with pytest.raises(SourceModelError, match=r"no such function.*found 'made'.*It has .*build, build_wide"):
        loaded(nets, f"{nets}:made")


def test_the_only_function_of_a_file_needs_no_name(nets: Path) -> None:
    nets.write_text(NETS.replace("def build_wide():", "def _build_wide():") + "\ndef main():\n    raise SystemExit\n")
    source = loaded(nets, str(nets))
    assert source.outputs == ("output",)
    assert source.notes == (f"The module was built by {nets}:build, the only one in that file that could be meant.",)
    nets.write_text(NETS.replace("def build", "def _build").replace("width=4)", "width=8)", 1))
    assert loaded(nets, str(nets), 8).notes[0].startswith(f"The module was built by {nets}:Net, ")
    nets.write_text("def build(width):\n    return None\n")
    with pytest.raises(SourceModelError, match="Write a function in it that takes no arguments and returns the nn.Module"):
        loaded(nets, str(nets))


def test_several_example_inputs_are_several_requests(nets: Path) -> None:
    source = loaded(nets, f"{nets}:build")
    assert source.inputs[0].shape == ("batch", "ids_1")
    assert [example["ids"].shape for example in source.accepted.examples] == [(1, 3), (2, 1)]


def test_a_later_request_whose_numbers_would_become_others_is_refused(nets: Path) -> None:
    with nets.open("a") as file:
        file.write(
            "\n\ndef example_inputs_build():\n    return [{'ids': torch.ones(1, 3, dtype=torch.long)}, {'ids': torch.tensor([[1.7], [2.9]])}]\n"
        )
    with pytest.raises(
        SourceModelError, match=r"example 2: ids: an example has numbers that the input's type can't hold: expected int64, found float32: 1\.7"
    ):
        loaded(nets, f"{nets}:build")


def test_a_class_is_a_factory_too(nets: Path) -> None:
    assert loaded(nets, f"{nets}:Net").outputs == ("output",)


def test_what_has_the_factory_s_name_is_for_that_one_and_its_failure_is_named(nets: Path) -> None:
    with pytest.raises(SourceModelError, match=r"dynamic_shapes_build_wide\(\): .* failed \(caused by: KeyError: 'width'\)"):
        loaded(nets, f"{nets}:build_wide", width=8)
    nets.write_text(NETS.replace('raise KeyError("width")', "return {}"))
    assert loaded(nets, f"{nets}:build_wide", width=8).inputs[0].shape == ("batch", 6)
