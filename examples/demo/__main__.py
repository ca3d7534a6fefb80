"""The whole journey, once, for real: two trained models go in, a device serves them, a signed report comes back.

Run by ``make demo``. Everything is done by the installed commands, in ``.demo``; each line with a ✓ was checked, and the
first that doesn't hold ends the demo with an error. ``KEEP=1`` leaves the hub and the agent running at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import requests
from bad_release import make_bad_release
from clients import Array, Client
from commands import BIN, Background, DemoError, claim, run, run_json, step, wait_for

EXAMPLES = Path(__file__).parents[1]
WORK = Path(".demo")
CNN, CANCER = "mnist-cnn", "breast-cancer"
OTHER_PROFILE = "arm64-dotprod"


def train() -> None:
    """Two models of two frameworks, trained here and now."""
    step("Train a CNN on MNIST (PyTorch) and a pipeline on breast cancer data (scikit-learn)")
    run("python", EXAMPLES / "mnist_cnn.py", WORK / "mnist")
    run("python", EXAMPLES / "breast_cancer.py", WORK / "cancer")


def pack(name: str, version: str, profiles: list[str], model: Path, *options: object) -> Path:
    """One signed release with a bundle per profile."""
    out = WORK / f"{name}-{version}"
    choices = [word for profile in profiles for word in ("--profile", profile)]
    run("sealift", "pack", model, "--name", name, "--version", version, *choices, *options, "--key", WORK / "keys/bundle.pem", "--out", out)
    return out


def pack_cnn(version: str, profiles: list[str]) -> Path:
    """The CNN: accuracy may drop by 0.3 points at most."""
    data = ("--data", WORK / "mnist/holdout.npz", "--target", "target", "--metric", "accuracy", "--max-drop", 0.003)
    return pack(CNN, version, profiles, WORK / "mnist/mnist.pt2", *data)


def pack_cancer(version: str, profiles: list[str]) -> Path:
    """The pipeline, from a pickle, which has to be trusted in so many words."""
    data = ("--data", WORK / "cancer/holdout.csv", "--target", "diagnosis", "--metric", "accuracy", "--max-drop", 0.01)
    return pack(CANCER, version, profiles, WORK / "cancer/model.joblib", "--trust-pickle", *data)


def publish(release: Path, name: str, version: str) -> None:
    """Into the repository, and onto the channel that the device follows."""
    run("sealift", "repo", "add", WORK / "repository", release)
    run("sealift", "repo", "promote", WORK / "repository", name, version, "--channel", "stable")


def start_device(hub: str) -> Client:
    """A device: initialised, synced, serving."""
    step("A device: pull, verify, self-test, serve")
    os.environ["SEALIFT_HOME"] = str((WORK / "device").absolute())
    quick = [word for entry in ("poll_s=3600", "report_s=2", "window_s=2", "probation_s=2") for word in ("--set", f"timing.{entry}")]
    source = ("--repo", f"{hub}/repository", "--root", WORK / "repository/metadata/root.json", "--channel", "stable")
    run("sealift-agent", "init", *source, "--hub", hub, *quick, "--set", "serving.port=0")
    run("sealift-agent", "sync")
    agent = Background(WORK / "agent.log", "sealift-agent", "run")
    SERVERS.append(agent)
    return Client(agent.url())


def framework_answers(images: Array) -> Array:
    """What PyTorch itself says."""
    import torch

    program = torch.export.load(WORK / "mnist/mnist.pt2")
    with torch.inference_mode():
        return np.asarray(program.module()(torch.from_numpy(images)))


def compare(client: Client) -> None:
    """The device's answers beside the frameworks' own."""
    step("Send real test data, and compare with what the frameworks answer")
    with np.load(WORK / "mnist/holdout.npz") as held_out:
        images, digits = held_out["image"], held_out["target"]
    answers = np.concatenate([client.infer(CNN, {"image": part})[_output(client, CNN)] for part in np.array_split(images, 50)])
    expected = framework_answers(images)
    agreement = float((answers.argmax(1) == expected.argmax(1)).mean())
    accuracy, reference = (float((values.argmax(1) == digits).mean()) for values in (answers, expected))
    print(f"     {CNN}: accuracy {accuracy:.3f} on the device, {reference:.3f} in PyTorch; the same digit on {agreement:.1%} of {len(digits)} images")
    claim(reference - accuracy <= 0.003, "the device loses at most 0.3 points")
    import joblib
    import pandas as pd

    table = pd.read_csv(WORK / "cancer/holdout.csv").drop(columns="diagnosis")
    model = joblib.load(WORK / "cancer/model.joblib")
    answer = client.infer(CANCER, {_input(client, CANCER): table.to_numpy(np.float32)})
    largest = float(np.abs(answer["probabilities"] - model.predict_proba(table)).max())
    print(f"     {CANCER}: largest difference of a probability to scikit-learn {largest:.1e} over {len(table)} rows")
    claim(bool((answer["label"] == model.predict(table)).all()), "every label is scikit-learn's")


def _metadata(client: Client, model: str) -> dict[str, list[dict[str, str]]]:
    fields: dict[str, list[dict[str, str]]] = requests.get(f"{client.url}/v2/models/{model}", timeout=10).json()
    return fields


def _output(client: Client, model: str) -> str:
    return _metadata(client, model)["outputs"][0]["name"]


def _input(client: Client, model: str) -> str:
    return _metadata(client, model)["inputs"][0]["name"]


def _drifted() -> list[str]:
    """The features of the CNN that the running agent has an alarm for."""
    done = subprocess.run([BIN / "sealift-agent", "status", "--json"], capture_output=True, text=True, check=True)
    return [name for model in json.loads(done.stdout)["models"] if model["name"] == CNN for name in model["drifted"]]


def drift(client: Client) -> None:
    """First no alarm on the data that the model knows, then one on data that it doesn't."""
    step("Drift: the same images, then images from a camera whose brightness is off")
    with np.load(WORK / "mnist/holdout.npz") as held_out:
        images = held_out["image"]
    for _ in range(3):
        _send(client, images)
    claim(not _drifted(), "no alarm on 3,000 images like those of the holdout")

    def alarmed() -> list[str]:
        _send(client, np.clip(images * 0.4 + 0.3, 0, 1).astype(np.float32))
        return _drifted()

    features = wait_for(alarmed, 60, "a drift alarm")
    claim(True, f"alarm on the shifted images, by {', '.join(features)}")


def _send(client: Client, images: Array) -> None:
    for part in np.array_split(images, 100):
        client.infer(CNN, {"image": part})
    time.sleep(0.1)


def bad_update(client: Client, release: Path, profile: str) -> None:
    """A signed, published version whose self-test fails: it never reaches the server."""
    step("Publish version 1.1.0, which is signed and wrong: the device's self-test finds out")
    run("sealift", "unpack", release, "--profile", profile, WORK / "unpacked", quiet=True)
    make_bad_release(WORK / "unpacked", "1.1.0", WORK / "keys/bundle.pem", WORK / "bad-release")
    publish(WORK / "bad-release", CNN, "1.1.0")
    run("sealift-agent", "sync", expect=7)
    claim(client.version(CNN) == "1.0.0", "1.1.0 was rejected, 1.0.0 goes on serving")


def good_update(client: Client, profiles: list[str]) -> None:
    """A good version: swapped in under load, without a failed request."""
    step("Publish version 1.2.0, which is good: it is swapped in while requests keep coming")
    publish(pack_cnn("1.2.0", profiles), CNN, "1.2.0")
    with np.load(WORK / "mnist/holdout.npz") as held_out:
        image = held_out["image"][:1]
    syncing = Background(WORK / "sync.log", "sealift-agent", "sync")
    answered = 0
    while syncing.process.poll() is None or client.version(CNN) != "1.2.0":
        client.infer(CNN, {"image": image})
        answered += 1
        if answered > 100_000:
            raise DemoError("the update didn't come through")
    claim(syncing.process.returncode == 0, f"1.2.0 serves, and all {answered} requests meanwhile were answered")


def look_at_the_hub(hub: str) -> None:
    """What came back: signed, numbered reports."""
    step("The hub has the device's reports")

    def reported() -> dict[str, object] | None:
        devices = requests.get(f"{hub}/api/v1/devices", timeout=10).json()
        devices = devices.get("devices", devices) if isinstance(devices, dict) else devices
        return devices[0] if devices and "1.2.0" in str(devices[0]) else None

    device = wait_for(reported, 60, "a report that tells of 1.2.0")
    claim(True, f"device {str(device['id'])[:12]} reported itself, signed and numbered")
    run("sealift-agent", "status")


def main() -> int:
    """The story; the exit code."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    train()
    step("Which hardware is this?")
    profile = str(run_json("sealift", "profiles", "detect")["chosen"])
    profiles = [profile, OTHER_PROFILE if profile != OTHER_PROFILE else "x86-64-avx2"]
    print(f"     this host: {profile}; the other: {profiles[1]}")
    step("Pack both models for both profiles: convert, prove, quantize, measure, gate, sign")
    run("sealift", "keys", "generate", WORK / "keys/bundle.pem", quiet=True)
    cnn, cancer = pack_cnn("1.0.0", profiles), pack_cancer("1.0.0", profiles)
    run("sealift", "verify", cnn, "--public-key", WORK / "keys/bundle.pem.pub")
    step("Publish: a TUF repository that any web server can hold")
    run("sealift", "repo", "init", WORK / "repository")
    publish(cnn, CNN, "1.0.0")
    publish(cancer, CANCER, "1.0.0")
    step("The hub")
    hub_process = Background(WORK / "hub.log", "sealift-hub", "serve", "--data", WORK / "hub", "--repo", WORK / "repository", "--port", 0)
    SERVERS.append(hub_process)
    hub = hub_process.url()
    client = start_device(hub)
    compare(client)
    drift(client)
    bad_update(client, cnn, profile)
    good_update(client, profiles)
    look_at_the_hub(hub)
    step("Where to look")
    print(f"   dashboard  {hub}/\n   agent      {client.url}/v2  {client.url}/metrics\n   files      {WORK}/ (bundles, repository, device, logs)")
    return 0


SERVERS: list[Background] = []


def end(code: int) -> int:
    """Leave nothing running, unless told to."""
    if os.environ.get("KEEP") == "1" and code == 0:
        ids = " ".join(str(server.process.pid) for server in SERVERS)
        print(f"\n   KEEP=1: the hub and the agent stay. End them with: kill {ids}")
        return code
    for server in reversed(SERVERS):
        server.stop()
    if code == 0:
        print("   The hub and the agent were stopped; KEEP=1 make demo leaves them running.")
    return code


if __name__ == "__main__":
    try:
        outcome = main()
    except (DemoError, requests.RequestException) as error:
        print(f"   ✗ {error}", file=sys.stderr)
        outcome = 1
    sys.exit(end(outcome))
