"""``python serve_models.py FOLDER HOME``: install what `pack_models` published as a device, serve it, and compare each answer over HTTP.

Prints JSON: for each model the largest difference, what is allowed, and the onnxruntime that its bundle requires.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

AGENT: Final = Path(sys.executable).parent / "sealift-agent"
START_S: Final = 120.0


def main(folder: Path, home: Path) -> None:
    """Install, serve, compare."""
    root = folder / "repository" / "metadata" / "root.json"
    _agent(home, "init", "--repo", str(folder / "repository"), "--root", str(root), "--set", "timing.probation_s=1", "--set", "serving.port=0")
    _agent(home, "sync")
    with _running(home) as url:
        print(json.dumps({name: _compare(folder, home, url, name) for name in json.loads((folder / "packed.json").read_text(encoding="utf-8"))}))


def _compare(folder: Path, home: Path, url: str, name: str) -> dict[str, Any]:
    with np.load(folder / f"{name}.npz") as archive:
        arrays = dict(archive)
    inputs = {key.removeprefix("input:"): value for key, value in arrays.items() if key.startswith("input:")}
    output, expected = next((key.removeprefix("output:"), value) for key, value in arrays.items() if key.startswith("output:"))
    tensors = [{"name": key, "shape": value.shape, "datatype": "FP32", "data": value.ravel().tolist()} for key, value in inputs.items()]
    request = urllib.request.Request(f"{url}/v2/models/{name}/infer", json.dumps({"inputs": tensors}).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        outputs = {tensor["name"]: tensor for tensor in json.loads(answer.read())["outputs"]}
    difference = np.abs(np.array(outputs[output]["data"]).reshape(len(expected), -1) - expected.reshape(len(expected), -1)).max()
    return {"difference": float(difference), "allowed": float(arrays["tolerance"]), "requires": _requires(home, name)}


def _requires(home: Path, name: str) -> str:
    """The onnxruntime that the installed bundle of a model asks for."""
    manifests = [json.loads(path.read_text(encoding="utf-8")) for path in home.glob("bundles/*/bundle.json")]
    return next(str(manifest["requires"]["onnxruntime"]) for manifest in manifests if manifest["name"] == name)


@contextlib.contextmanager
def _running(home: Path) -> Iterator[str]:
    """The running agent's address."""
    process = subprocess.Popen([AGENT, "run", "--home", home], stdout=sys.stderr)
    written, end = home / "run" / "server.json", time.monotonic() + START_S
    try:
        while not written.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("the agent did not come up")
            time.sleep(0.1)
        yield str(json.loads(written.read_text(encoding="utf-8"))["url"])
    finally:
        process.terminate()
        process.wait(timeout=60)


def _agent(home: Path, *words: str) -> None:
    subprocess.run([AGENT, *words, "--home", home], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
