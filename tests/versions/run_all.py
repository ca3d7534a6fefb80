"""``python run_all.py NAME=ENVIRONMENT … [PATH …]``: the tests of all but the hub in each environment, then each against the others.

Prints a table for docs/reference/versions.md. What an environment lacks of pytest and what the tests import is installed first, without what it
depends on: nothing that is there is changed. PATH is what to run in place of `SUITES`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SUITES: Final = ("tests/core", "tests/runtime", "tests/packager", "tests/journey")
#: What the tests import beside the four wheels, with what that needs.
# fmt: off
TOOLS: Final = [
    "pytest", "pytest-timeout", "pytest-xdist", "execnet", "iniconfig", "pluggy", "hypothesis", "sortedcontainers", "mlxtend",
    "prometheus_client", "in-toto-attestation", "tritonclient", "geventhttpclient", "gevent", "zope.event", "zope.interface",
    "python-rapidjson", "brotli", "cyclonedx-python-lib", "py-serializable", "license-expression", "boolean.py", "packageurl-python",
    "defusedxml", "jsonschema", "jsonschema-specifications", "referencing", "rpds-py", "attrs", "lxml", "arrow", "fqdn", "isoduration",
    "jsonpointer", "rfc3339-validator", "rfc3986-validator", "rfc3987-syntax", "lark", "uri-template", "webcolors",
    "hatchling", "pathspec", "tomlkit", "trove-classifiers", "markdown-it-py", "mdurl",
]
# fmt: on
# fmt: off
SHOWN: Final = [
    "python", "onnxruntime", "numpy", "pandas", "scikit-learn", "skl2onnx", "skops", "onnx", "onnxscript", "torch", "xgboost-cpu",
    "lightgbm", "catboost", "click", "cryptography", "requests", "tuf",
]
# fmt: on
_VERSIONS: Final = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = "none"
print(json.dumps(found))
"""


def main(words: list[str]) -> int:
    """Run everything; 0 if nothing failed."""
    places = {name: Path(folder).absolute() for name, folder in (word.split("=", 1) for word in words if "=" in word)}
    suites = [word for word in words if "=" not in word] or list(SUITES)
    for folder in places.values():
        _complete(folder)
    results = {suite: {name: _suite(folder, suite) for name, folder in places.items()} for suite in suites}
    environment = {**os.environ, "SEALIFT_VERSIONS": " ".join(f"{name}={folder}" for name, folder in places.items())}
    crossed = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/versions"], cwd=ROOT, env=environment, check=False)
    _show(places, results)
    return int(
        crossed.returncode != 0 or any("failed" in text or "error" in text for suite_results in results.values() for text in suite_results.values())
    )


def _complete(folder: Path) -> None:
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in TOOLS]
    missing = [pin for pin in pins if _versions(folder, [pin.split("==")[0]])[pin.split("==")[0]] == "none"]
    if missing:
        subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", *missing], check=True)


def _suite(folder: Path, suite: str) -> str:
    """Pytest's closing line. Warnings of old libraries about newer Pythons are none of ours, so they aren't errors."""
    with tempfile.TemporaryFile("w+") as output:
        argv = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "-o", "filterwarnings=default", suite]
        subprocess.run(argv, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
        output.seek(0)
        lines = output.read().splitlines()
    print("\n".join(line for line in lines if line.startswith(("FAILED", "ERROR"))), flush=True)
    return re.sub(r" in [\d.]+s.*|=", "", lines[-1]).strip() if lines else "nothing ran"


def _versions(folder: Path, names: list[str]) -> dict[str, str]:
    done = subprocess.run([folder / "bin" / "python", "-c", _VERSIONS, *names], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def _show(places: dict[str, Path], results: dict[str, dict[str, str]]) -> None:
    versions = {name: _versions(folder, list(SHOWN[1:])) for name, folder in places.items()}
    table = [["", *places], ["---"] * (len(places) + 1)]
    table += [[library, *(versions[name][library] for name in places)] for library in SHOWN]
    table += [[f"`{suite}`", *cells.values()] for suite, cells in results.items()]
    print("\n".join(f"| {' | '.join(cells)} |" for cells in table))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
