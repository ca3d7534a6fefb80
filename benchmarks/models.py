"""The demo's two models, packed and published once into ``.bench``, and devices that serve them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from support.agents import AgentUnderTest, device

WORK: Final = Path(".bench")
CNN: Final = "mnist-cnn"
CANCER: Final = "breast-cancer"
MODELS: Final = (CNN, CANCER)
REPOSITORY: Final = WORK / "repository"
#: Nothing but serving goes on while something is measured.
QUIET: Final = {"timing.poll_s": "3600", "timing.report_s": "3600", "timing.window_s": "3600", "timing.probation_s": "0"}


def make_repository() -> None:
    """Train, pack and publish both models, unless that was done before (``make clean`` forgets it)."""
    ready = WORK / ".ready"
    if ready.exists():
        return
    print("Making the two models of the demo in .bench, once (about two minutes) …", file=sys.stderr)
    shutil.rmtree(WORK, ignore_errors=True)
    _run("python", "examples/mnist_cnn.py", WORK / "mnist")
    _run("python", "examples/breast_cancer.py", WORK / "cancer")
    _run("sealift", "keys", "generate", WORK / "bundle.pem")
    _run("sealift", "repo", "init", REPOSITORY)
    profile = json.loads(_run("sealift", "profiles", "detect", "--json"))["chosen"]
    _publish(CNN, profile, WORK / "mnist/mnist.pt2", "--data", WORK / "mnist/holdout.npz", "--max-drop", 0.003)
    table = WORK / "cancer/holdout.csv"
    _publish(CANCER, profile, WORK / "cancer/model.joblib", "--trust-pickle", "--data", table, "--target", "diagnosis")
    ready.touch()


def _publish(name: str, profile: str, model: Path, *options: object) -> None:
    release = WORK / name
    sealed = ("--name", name, "--version", "1.0.0", "--profile", profile, "--key", WORK / "bundle.pem", "--out", release)
    _run("sealift", "pack", model, *sealed, *options)
    _run("sealift", "repo", "add", REPOSITORY, release)
    _run("sealift", "repo", "promote", REPOSITORY, name, "1.0.0", "--channel", "stable")


def _run(program: str, *words: object) -> str:
    argv = [str(Path(sys.executable).parent / program), *map(str, words)]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=os.environ | {"SEALIFT_KEY_PASSPHRASE": ""}
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def installed_device() -> Iterator[AgentUnderTest]:
    """A device with both models installed; it isn't running yet, and is gone with the block."""
    make_repository()
    with tempfile.TemporaryDirectory() as folder, device(Path(folder) / "device") as agent:
        settings = {key.replace(".", "__"): value for key, value in QUIET.items()}
        agent.init(REPOSITORY.absolute(), REPOSITORY / "metadata/root.json", **settings)
        done = agent.command("sync")
        if done.code:
            raise SystemExit(f"sync exited with {done.code}:\n{done.out}{done.err}")
        yield agent


def bundle_directory(agent: AgentUnderTest, model: str) -> Path:
    """Where a device has a model's current bundle."""
    served = next(served for served in agent.status()["models"] if served["name"] == model)
    return agent.home / "bundles" / str(served["bundle"]).removeprefix("sha256:")
