"""Each tool's environment, ``build/bench/venv-NAME``: what its requirements name and nothing else, not even pip; and how large that is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks import ROOT

HOME: Final = ROOT / "build" / "bench"
PROGRAMS: Final = Path(__file__).parent
#: Environment → what is installed into it; Sealift's own wheels are built from this checkout.
REQUIREMENTS: Final = {name: PROGRAMS / f"requirements-{name}.txt" for name in ("olive", "onnxruntime", "skl2onnx")}
_PIP: Final = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
_LOOK: Final = """
import importlib.metadata, json, sysconfig
names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
print(json.dumps({"count": len(names), "place": sysconfig.get_path("purelib")}))
"""


def python_of(name: str) -> Path:
    """An environment's interpreter."""
    return HOME / f"venv-{name}" / "bin" / "python"


def install(name: str) -> None:
    """Make an environment, unless it is there with the same requirements. Sealift is built and put in anew every time."""
    requirements = REQUIREMENTS[name].read_text(encoding="utf-8") if name in REQUIREMENTS else (ROOT / "constraints.txt").read_text(encoding="utf-8")
    ready = HOME / f"venv-{name}" / ".requirements"
    fresh = not ready.exists() or ready.read_text(encoding="utf-8") != requirements
    if fresh:
        print(f"Setting up {ready.parent.relative_to(ROOT)} …", file=sys.stderr)
        shutil.rmtree(ready.parent, ignore_errors=True)
        _run(sys.executable, "-m", "venv", "--without-pip", str(ready.parent))
    into = (*_PIP, "--python", str(python_of(name)), "install")
    if name not in REQUIREMENTS:
        _install_sealift(into, fresh=fresh)
    elif fresh:
        _run(*into, "--requirement", str(REQUIREMENTS[name]))
    ready.write_text(requirements, encoding="utf-8")


def _install_sealift(into: tuple[str, ...], *, fresh: bool) -> None:
    wheels = HOME / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    sources = [str(ROOT / name) for name in ("core", "packager")]
    _run(*_PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), *sources)
    files = [str(path) for path in sorted(wheels.glob("*.whl"))]
    if fresh:
        _run(*into, "--constraint", str(ROOT / "constraints.txt"), *files)
    else:
        _run(*into, "--no-deps", "--force-reinstall", *files)


def footprint(name: str) -> tuple[int, int]:
    """Bytes of site-packages, compiled modules included, and the number of distributions."""
    seen = json.loads(subprocess.run([python_of(name), "-c", _LOOK], capture_output=True, text=True, check=True).stdout)
    return sum(path.lstat().st_size for path in Path(seen["place"]).rglob("*") if path.is_file()), seen["count"]


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
