"""How large the agent is: a fresh virtual environment with the runtime's wheel, its ``cpu`` extra, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import ROOT
from benchmarks.figure import Figure, megabytes

WHEELHOUSE: Final = ROOT / "build" / "wheelhouse"
ABSENT: Final = ("torch", "onnx", "skl2onnx", "fastapi", "sqlalchemy")
_LOOK: Final = f"""
import importlib.metadata, importlib.util, json, sysconfig
names = sorted(distribution.metadata["Name"] for distribution in importlib.metadata.distributions())
foreign = [name for name in {ABSENT!r} if importlib.util.find_spec(name)]
print(json.dumps({{"names": names, "foreign": foreign, "place": sysconfig.get_path("purelib")}}))
"""


def figures() -> list[Figure]:
    """Size, number of distributions, and what isn't there; no network is used."""
    with tempfile.TemporaryDirectory() as folder:
        python = _install(Path(folder))
        seen = json.loads(subprocess.run([python, "-c", _LOOK], capture_output=True, text=True, check=True).stdout)
        size = sum(path.lstat().st_size for path in Path(seen["place"]).rglob("*") if path.is_file())
    if seen["foreign"]:
        raise SystemExit(f"the agent's environment holds {', '.join(seen['foreign'])}")
    return [
        Figure("agent installed with onnxruntime (files in site-packages, compiled modules included)", megabytes(size)),
        Figure("distributions in that environment; " + ", ".join(ABSENT) + " aren't among them", str(len(seen["names"]))),
    ]


def _install(folder: Path) -> str:
    """An environment with both wheels as they are built from ``core/`` and ``runtime/`` now; its Python."""
    if not any(WHEELHOUSE.glob("*.whl")):
        raise SystemExit("the agent's wheels aren't there yet: make .venv-runtime/.ready")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel, environment = folder / "wheel", folder / "environment"
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheel), str(ROOT / "core"), str(ROOT / "runtime"))
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = str(environment / "bin" / "python")
    core, runtime = (str(next(wheel.glob(f"sealift_{name}-*.whl"))) for name in ("core", "runtime"))
    _run(*pip, "--python", python, "install", "--no-index", "--find-links", str(WHEELHOUSE), core, f"{runtime}[cpu]")
    return python


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
