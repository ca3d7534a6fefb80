"""No process of ours imports a library that reports to its maker before `sealift_core` has forbidden that."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sealift_core.onnxruntime_environment import SET, TELEMETRY_OFF
from support.help_pages import ROOT

#: Libraries that report unless a variable of `TELEMETRY_OFF` forbids it, or that import one which does.
TALKERS = frozenset({
    "onnxruntime", "onnxruntime_genai", "skl2onnx", "onnxmltools", "olive", "ray", "huggingface_hub", "transformers", "datasets", "evidently",
})  # fmt: skip
SEAM = "sealift_core"
#: Packages that import the seam before all else; `tests` does it in its conftest, which pytest imports first.
PREPARED = {
    "core/sealift_core": "__init__.py",
    "runtime/sealift_runtime": "__init__.py",
    "packager/sealift_packager": "__init__.py",
    "hub/sealift_hub": "__init__.py",
    "benchmarks": "__init__.py",
    "tests": "conftest.py",
}
#: Programs that run where nothing of ours is installed, and who gives them their environment.
GIVEN = {
    "packager/sealift_packager/measure/emulated.py": "packager/sealift_packager/measure/emulation.py",
    "benchmarks/packager/onnxruntime_side.py": "benchmarks/packager/tools.py",
    "benchmarks/packager/skl2onnx_side.py": "benchmarks/packager/trees.py",
    "benchmarks/packager/olive_side.py": "benchmarks/packager/tools.py",
    "benchmarks/packager/olive_script.py": "benchmarks/packager/tools.py",
}
FOLDERS = ("core", "runtime", "packager", "hub", "benchmarks", "examples", "tests")
SOURCES = {path.relative_to(ROOT).as_posix(): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}
LOUD = dict.fromkeys(TELEMETRY_OFF, "0") | {"RAY_USAGE_STATS_ENABLED": "1"}


def imports(tree: ast.AST) -> Iterator[str]:
    """The top-level packages that a module names in an import, in its order, by whatever way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value.partition(".")[0]


def parsed(name: str) -> ast.Module:
    return ast.parse(SOURCES[name].read_text(encoding="utf-8"))


def third_party(names: Iterator[str]) -> list[str]:
    return [name for name in names if name not in sys.stdlib_module_names]


def prepared(name: str) -> bool:
    """Whether a module lies in a package that imports the seam first."""
    return any(name.startswith(f"{folder}/") for folder in PREPARED)


def test_every_way_to_import_is_seen_by_this_test() -> None:
    text = "import onnxruntime.quantization as q\nfrom ray import x\nimportlib.import_module('olive.data')\n__import__('skl2onnx')\nfrom . import y"
    assert set(imports(ast.parse(text))) == {"onnxruntime", "ray", "olive", "skl2onnx"}


@pytest.mark.parametrize("folder", [folder for folder in PREPARED if folder != "core/sealift_core"])
def test_the_first_import_of_a_package_is_the_seam(folder: str) -> None:
    first = third_party(imports(parsed(f"{folder}/{PREPARED[folder]}")))
    assert next(name for name in first if name not in ("pytest", "hypothesis")) == SEAM


def test_the_seam_prepares_before_it_imports_anything_but_the_standard_library() -> None:
    seam = parsed("core/sealift_core/__init__.py")
    (preparing,) = (node.lineno for node in seam.body if isinstance(node, ast.Expr) and ast.unparse(node) == "prepare()")
    before = [node for node in seam.body if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno < preparing]
    assert [ast.unparse(node) for node in before] == ["from sealift_core.onnxruntime_environment import prepare"]
    assert third_party(imports(parsed("core/sealift_core/onnxruntime_environment.py"))) == []


@pytest.mark.parametrize("name", [name for name in SOURCES if not prepared(name)])
def test_a_program_outside_the_packages_imports_the_seam_before_what_reports(name: str) -> None:
    imported = list(imports(parsed(name)))
    talkers = [word for word in imported if word in TALKERS]
    assert not talkers or SEAM in imported[: imported.index(talkers[0])], f"import {SEAM} before {talkers[0]}"


def is_script(name: str) -> bool:
    """Whether a module may be run by its path, so that its package isn't imported."""
    return not name.endswith("__main__.py") and 'if __name__ == "__main__":' in SOURCES[name].read_text(encoding="utf-8")


def test_a_script_that_imports_what_reports_is_given_its_environment() -> None:
    scripts = [name for name in SOURCES if prepared(name) and is_script(name)]
    alone = [name for name in scripts if TALKERS & {*imports(parsed(name))} and not {SEAM, "sealift_packager"} & {*imports(parsed(name))}]
    assert set(alone) == set(GIVEN) - {"benchmarks/packager/olive_script.py"}  # Olive itself imports that one
    for program, parent in GIVEN.items():
        assert prepared(parent), f"{parent} starts {program}"


@pytest.mark.parametrize("package", ["sealift_core", "sealift_runtime", "sealift_packager", "sealift_hub", "benchmarks"])
def test_whoever_imports_a_package_has_every_telemetry_off(package: str) -> None:
    script = f"import {package}, os, sys; assert not {set(TALKERS)!r} & set(sys.modules); print(dict(os.environ))"
    environment = {**{name: value for name, value in os.environ.items() if name not in SET}, **LOUD}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout).items() >= SET.items()


def test_the_sources_are_where_this_test_looks() -> None:
    assert len(SOURCES) > 500
    assert any("onnxruntime" in imports(parsed(name)) for name in SOURCES if name.startswith("runtime/sealift_runtime/engine/"))
