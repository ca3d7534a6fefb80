"""Makes a folder of what one version of Sealift leaves behind, with that version's own commands.

Later versions must still verify, serve, open and continue what is in such a folder, so one is made from each version that
changes a format or moves much code, and is kept. To add one for a commit, give this script the ``bin`` folder of an
environment where that commit's wheels are installed; its Python also needs scikit-learn:

    git worktree add --detach /tmp/before COMMIT      (and ``make setup`` there)
    /tmp/before/.venv/bin/python tests/corpus/made_before/make.py /tmp/before/.venv/bin tests/corpus/made_before/COMMIT

What it makes is told in README.md beside this file. No private key is kept: all of them stay in a folder that is removed.
All metadata expires in 100 years, so the tests use the clock as it is.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

#: Four measurements of three flowers each, and a bright, a dark and a half-dark square of 8 × 8: what every answer is recorded for.
REQUESTS: Final[Mapping[str, list[list[float]]]] = {
    "iris": [[5.1, 3.5, 1.4, 0.2], [6.1, 2.8, 4.7, 1.2], [7.7, 3.0, 6.1, 2.3]],
    "digits": [[0.0] * 64, [16.0] * 64, [0.0] * 32 + [16.0] * 32],
}
PROFILE: Final = "x86-64-baseline"
ROLES: Final = ("root", "targets", "channels", "snapshot", "timestamp")
LONG: Final = [word for role in ROLES for word in ("--expires", f"{role}=36500")]
QUICK: Final = {"timing.poll_s": "0.3", "timing.report_s": "0.5", "timing.window_s": "2", "timing.probation_s": "1", "serving.port": "0"}
QUICK_ROWS: Final = {"limits.window_rows": "20"}


class Version:
    """The commands of one version, run in a folder of their own."""

    def __init__(self, programs: Path, work: Path) -> None:
        self.programs, self.work = programs.absolute(), work
        self.home = work / "home"
        self.environment = {"SEALIFT_CACHE": str(work / "cache"), **os.environ, "SEALIFT_HOME": str(self.home), "HOME": str(work)}

    def run(self, program: str, *words: object) -> Any:
        """Run a command to its end; what it prints, parsed if it is JSON."""
        argv = [str(self.programs / program), *map(str, words)]
        sys.stdout.write(f"$ {program} {' '.join(map(str, words))}\n")
        done = subprocess.run(argv, cwd=self.work, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise SystemExit(f"{done.stdout}{done.stderr}\n{program} ended with {done.returncode}")
        return json.loads(done.stdout) if "--json" in words else done.stdout

    @contextlib.contextmanager
    def running(self, program: str, *words: object) -> Iterator[subprocess.Popen[str]]:
        """Run a service for the length of a block."""
        argv = [str(self.programs / program), *map(str, words)]
        sys.stdout.write(f"$ {program} {' '.join(map(str, words))} &\n")
        with subprocess.Popen(argv, cwd=self.work, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=60)


def wait(look: Callable[[], Any], what: str) -> Any:
    """Look until there is something."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.2)
    raise SystemExit(f"waited in vain for {what}")


def train(work: Path) -> None:
    """A linear model for iris, three times with other settings, and a small network for digits; each with its holdout."""
    import joblib
    import numpy as np
    from sklearn.datasets import load_digits, load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    iris, digits = load_iris(), load_digits()
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    order = np.random.default_rng(1).permutation(len(iris.target))
    for version, strength in (("1.0.0", 1.0), ("1.1.0", 0.3), ("1.2.0", 3.0)):
        joblib.dump(
            LogisticRegression(C=strength, max_iter=1000).fit(iris.data[order[:75]], iris.target[order[:75]]), work / f"iris-{version}.joblib"
        )
    holdout(work / "iris.csv", names, iris.data[order[75:]], iris.target[order[75:]])
    network = MLPClassifier((32,), max_iter=300, random_state=1).fit(digits.data[:1200] / 16, digits.target[:1200])
    network.coefs_[0] /= 16
    joblib.dump(network, work / "digits-1.0.0.joblib")
    holdout(work / "digits.csv", [f"p{number}" for number in range(64)], digits.data[1200:], digits.target[1200:])


def holdout(path: Path, names: list[str], inputs: Any, labels: Any) -> None:
    """Write rows and labels as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "label"])
        writer.writerows([*row, label] for row, label in zip(inputs.tolist(), labels.tolist(), strict=True))


def pack(version: Version, name: str, number: str) -> None:
    """Pack one version of a model; release-NAME-NUMBER."""
    model, data = f"{name}-{number}.joblib", ("--data", f"{name}.csv", "--target", "label", "--metric", "accuracy", "--max-drop", "0.05")
    options = ("--profile", PROFILE, "--key", "bundle.pem", "--measure-seconds", "1", "--out", f"release-{name}-{number}")
    version.run("sealift", "pack", model, "--trust-pickle", "--name", name, "--version", number, *data, *options)


def publish(version: Version, name: str, number: str) -> None:
    """Publish a release, and have the channel stable name it."""
    version.run("sealift", "repo", "add", "repository", f"release-{name}-{number}", *LONG)
    version.run("sealift", "repo", "promote", "repository", name, number, "--channel", "stable", *LONG)


def answers(version: Version, name: str) -> Any:
    """What the agent says to the model's requests."""
    path = version.work / "request.json"
    path.write_text(json.dumps({"features": REQUESTS[name]}))
    return version.run("sealift-agent", "infer", name, "--input", path, "--json")["outputs"]


def status(version: Version) -> Any:
    """What the agent says of its device."""
    return version.run("sealift-agent", "status", "--json", "--events", 100)


def current_version(version: Version, name: str) -> Any:
    """Which version of a model is installed."""
    return next(model["version"] for model in status(version)["models"] if model["name"] == name)


def operate(version: Version) -> dict[str, Any]:
    """A device's life beside a hub: updates, traffic that drifts, a rollback, an outage of the hub. What each version answered."""
    recorded: dict[str, Any] = {}
    with version.running("sealift-hub", "serve", "--data", "hub", "--repo", "repository", "--port", 0) as hub:
        assert hub.stdout is not None
        url = hub.stdout.readline().removeprefix("listening on ").strip().rstrip("/")
        settings = [word for key, value in {**QUICK, **QUICK_ROWS}.items() for word in ("--set", f"{key}={value}")]
        source = ("--repo", f"{url}/repository", "--root", "repository/metadata/root.json", "--channel", "stable", "--hub", url)
        version.run("sealift-agent", "init", *source, *settings)
        version.run("sealift-agent", "sync")
        version.run("sealift", "repo", "rotate", "repository", "timestamp", *LONG)
        version.run("sealift", "repo", "rotate", "repository", "channels", *LONG)
        with version.running("sealift-agent", "run", "--port", 0):
            wait((version.home / "run" / "server.json").exists, "the agent to listen")
            recorded["iris 1.0.0"], recorded["digits 1.0.0"] = answers(version, "iris"), answers(version, "digits")
            for _ in range(8):
                answers(version, "iris")
            time.sleep(3)
            publish(version, "iris", "1.1.0")
            wait(lambda: current_version(version, "iris") == "1.1.0", "iris 1.1.0")
            recorded["iris 1.1.0"] = answers(version, "iris")
            time.sleep(3)
            version.run("sealift-agent", "rollback", "iris", "--reason", "the old one is better")
            wait(lambda: current_version(version, "iris") == "1.0.0", "iris 1.0.0")
            time.sleep(2)
            hub.terminate()
            hub.communicate(timeout=60)
            for _ in range(3):
                answers(version, "iris")
                time.sleep(2.5)
    (version.work / "medium-exported").mkdir()
    version.run("sealift-agent", "export", "medium-exported")
    return recorded | {"status": {field: status(version)[field] for field in ("models", "refused", "events")}}


def ask_another_device(version: Version) -> Any:
    """What the newest iris answers; the device's home hasn't seen it."""
    another = Version(version.programs, version.work)
    another.environment["SEALIFT_HOME"] = str(version.work / "another")
    another.run("sealift-agent", "init", "--repo", "repository", "--root", "repository/metadata/root.json")
    another.run("sealift-agent", "sync")
    return answers(another, "iris")


def stand_in_wheels(folder: Path) -> None:
    """Wheels of the agent and of onnxruntime with nothing in them, so that a kit is small."""
    folder.mkdir()
    extra = "Provides-Extra: cpu\nRequires-Dist: onnxruntime; extra == 'cpu'\n"
    for name, number, more in (("sealift-runtime", "0.1.0", extra), ("onnxruntime", "1.99.0", "")):
        stem = f"{name.replace('-', '_')}-{number}"
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n{more}")
            wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{stem}.dist-info/RECORD", "")


def make(version: Version) -> dict[str, Any]:
    """Make everything in the version's folder; the answers and numbers that were recorded."""
    train(version.work)
    version.run("sealift", "keys", "generate", "bundle.pem")
    for name, number in (("iris", "1.0.0"), ("iris", "1.1.0"), ("iris", "1.2.0"), ("digits", "1.0.0")):
        pack(version, name, number)
    version.run("sealift", "unpack", "release-digits-1.0.0", "bundle", "--profile", PROFILE)
    version.run("sealift", "repo", "init", "repository", *LONG)
    publish(version, "iris", "1.0.0")
    publish(version, "digits", "1.0.0")
    recorded = operate(version)
    publish(version, "iris", "1.2.0")
    recorded["iris 1.2.0"] = ask_another_device(version)
    stand_in_wheels(version.work / "wheels")
    version.run("sealift", "kit", "build", "--repo", "repository", "--out", "medium", "--wheels", "wheels", "--key", "bundle.pem")
    return recorded


#: What is kept, and under which name.
KEPT: Final = {
    "bundle.pem.pub": "bundle.pem.pub",
    "release-digits-1.0.0": "release",
    "bundle": "bundle",
    "repository": "repository",
    "medium": "medium",
    "medium-exported": "exported",
    "home": "home",
    "hub": "hub",
}


def main(programs: Path, out: Path) -> None:
    """Make a folder of what the commands in ``programs`` leave behind."""
    with tempfile.TemporaryDirectory() as work:
        version = Version(programs, Path(work))
        recorded = make(version)
        shutil.rmtree(out, ignore_errors=True)
        for source, name in KEPT.items():
            place = version.work / source
            copy = shutil.copytree if place.is_dir() else shutil.copyfile
            out.mkdir(parents=True, exist_ok=True)
            copy(place, out / name)
        shutil.rmtree(out / "home" / "keys")
        shutil.rmtree(out / "home" / "run", ignore_errors=True)
        (out / "recorded.json").write_text(json.dumps({"requests": REQUESTS, **recorded}, indent=1) + "\n")
    private = [str(path) for path in out.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    if private:
        raise SystemExit(f"a private key would be kept: {private}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
