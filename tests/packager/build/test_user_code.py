"""A factory's and a metric's code, by content: what is cached under it, and what counts as it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sealift_packager.build.pipeline import pack
from sealift_packager.cache.store import StageStore
from sealift_packager.plugins.user_code import code_of
from support import trained
from support.packing import request
from support.recording_progress import RecordingProgress


def test_a_stage_whose_user_code_changed_is_done_again(tmp_path: Path) -> None:
    store, metric = StageStore(tmp_path / "cache"), tmp_path / "own_metric_of_test_user_code.py"
    options = {"metric": f"{metric}:score", "max_drop": 0.5}
    metric.write_text("def score(target, outputs):\n    return 0.25\n")
    pack(request(trained.cancer(), tmp_path / "a", **options), cache=store)
    metric.write_text("def score(target, outputs):\n    return 0.75\n")
    accuracy = pack(request(trained.cancer(), tmp_path / "b", **options), cache=store).manifests["elsewhere"].evaluation.accuracy
    assert accuracy is not None
    assert accuracy.packaged == 0.75


FACTORY = "from support.trained import SmallNet, example_inputs\n\ndef build():\n    return SmallNet()\n"
NEGATED = """
from support.trained import SmallNet, example_inputs

class Negated(SmallNet):
    def forward(self, image):
        return -super().forward(image)

def build():
    return Negated()
"""


def test_a_factory_of_the_same_name_in_another_folder_is_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, progress = StageStore(tmp_path / "cache"), RecordingProgress()
    for place, text in (("a", FACTORY), ("b", NEGATED), ("c", FACTORY)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "model.py").write_text(text)
    options = {"factory": "model.py:build", "data": None}
    results = []
    for place in ("a", "b", "c"):
        monkeypatch.chdir(tmp_path / place)
        results.append(pack(request(trained.state_dict(), tmp_path / place / "out", **options), progress, cache=store).digest)
    assert results[0] != results[1]
    assert results[0] == results[2]  # the same content in another place is the same model
    assert progress.cached_titles == ["elsewhere: everything"]


def test_code_is_its_files_by_content_and_all_that_they_import_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path, depth: int) -> dict[str, str]:
        package = folder / "own_of_test_user_code"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "net.py").write_text("import numpy\nfrom . import layers\n\ndef build():\n    from own_of_test_user_code.late import x\n")
        (package / "layers.py").write_text(f"DEPTH = {depth}\n")
        (package / "late.py").write_text("x = 1\n")
        monkeypatch.chdir(folder)
        return code_of("own_of_test_user_code.net:build")

    first, same, other = write(tmp_path / "a", 1), write(tmp_path / "b", 1), write(tmp_path / "c", 2)
    assert list(first) == [f"own_of_test_user_code{name}" for name in ("", ".late", ".layers", ".net")]
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {"own_of_test_user_code.layers"}


def test_a_package_that_holds_the_metric_counts_by_content_though_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    (place / "installed_of_test_user_code.py").write_text("def score(target, outputs):\n    return 0.25\n")
    before = code_of("installed_of_test_user_code:score")
    (place / "installed_of_test_user_code.py").write_text("def score(target, outputs):\n    return 0.75\n")
    assert before != code_of("installed_of_test_user_code:score")


def a_folder_without_init(folder: Path, depth: int) -> Path:
    """``models.nets`` with code in it; neither has an ``__init__.py``."""
    nets = folder / "models_of_test_user_code" / "nets"
    nets.mkdir(parents=True)
    (nets / "small.py").write_text("from . import layers\nimport models_of_test_user_code.gone.entirely\n\ndef build():\n    pass\n")
    (nets / "layers.py").write_text(f"DEPTH = {depth}\n")
    (folder / "model.py").write_text("def build():\n    from models_of_test_user_code.nets import small\n")
    return folder


@pytest.mark.parametrize("reference", ["models_of_test_user_code.nets.small:build", "model.py:build"])
def test_code_in_folders_without_init_counts_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    results = []
    for name, depth in (("a", 1), ("b", 1), ("c", 2)):
        folder = a_folder_without_init(tmp_path / name, depth)
        monkeypatch.chdir(folder)
        with monkeypatch.context() as path:
            path.syspath_prepend(str(folder))
            results.append(code_of(reference))
    first, same, other = results
    assert {"models_of_test_user_code.nets.small", "models_of_test_user_code.nets.layers"} <= set(first)
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {"models_of_test_user_code.nets.layers"}


def test_a_folder_without_init_may_lie_in_two_places_and_the_package_among_them_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in (("a", "one"), ("b", "two")):
        folder = tmp_path / place / "split_of_test_user_code" / "nets"
        folder.mkdir(parents=True)
        (folder / f"{name}.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path / place))
    for name in ("one", "two"):
        assert list(code_of(f"split_of_test_user_code.nets.{name}:build")) == [f"split_of_test_user_code.nets.{name}"]
    whole = tmp_path / "a" / "split_of_test_user_code" / "whole"
    (tmp_path / "b" / "split_of_test_user_code" / "whole").mkdir()
    whole.mkdir()
    (whole / "__init__.py").write_text("")
    importlib.invalidate_caches()
    assert list(code_of("split_of_test_user_code.whole:build")) == ["split_of_test_user_code.whole"]


def test_a_factory_in_a_folder_without_init_is_cached_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, progress = StageStore(tmp_path / "cache"), RecordingProgress()
    nets = tmp_path / "factory_of_test_user_code" / "nets"
    nets.mkdir(parents=True)
    (nets / "small.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        pack(request(trained.state_dict(), tmp_path / name, factory="factory_of_test_user_code.nets.small:build", data=None), progress, cache=store)
    assert progress.cached_titles == ["elsewhere: everything"]


def test_an_installed_metric_s_code_is_told_without_importing_anything() -> None:
    code = """if True:
    import sys
    from sealift_packager.plugins.user_code import code_of
    before = set(sys.modules)
    assert "sklearn.metrics" in code_of("sklearn.metrics:accuracy_score")
    assert not [name for name in set(sys.modules) - before if name.startswith(("sklearn", "setuptools", "numpy"))]
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_a_file_without_a_function_s_name_counts_as_code_too(tmp_path: Path) -> None:
    (tmp_path / "net_of_test_user_code.py").write_text("def build():\n    pass\n")
    named, alone = code_of(f"{tmp_path}/net_of_test_user_code.py:build"), code_of(f"{tmp_path}/net_of_test_user_code.py")
    assert alone == named != {}
    assert code_of("accuracy") == {}


def test_what_a_strange_finder_says_of_a_module_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange:
        def find_spec(self, *_: Any) -> None:
            raise RuntimeError("no")

    monkeypatch.setattr(sys, "meta_path", [Strange(), *sys.meta_path])
    assert code_of("nowhere_of_test_user_code.inside:build") == {}
