"""docs/reference/logging.md: what `sealift pack -v` and `sealift-agent sync -v` log. Run as a script, it writes both transcripts into the page."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from support.cli import call, run
from support.help_pages import ROOT

PAGE = ROOT / "docs" / "reference" / "logging.md"
PACK = "sealift pack iris.joblib --trust-pickle --data iris.csv --name iris --version 1.0.0 --profile x86-64-baseline --key key.pem --out release -v"
SYNC = "sealift-agent sync --home device -v"
#: What `pack` is given beside, so that a test is quick.
QUICK = ("--measure-seconds", "0.2")


def make_inputs(folder: Path) -> dict[str, str]:
    """A model, its holdout and a key in ``folder``; the environment that the commands run in."""
    inputs, target = load_iris(return_X_y=True, as_frame=True)
    joblib.dump(MLPClassifier((32, 32), max_iter=1000, random_state=0).fit(inputs, target), folder / "iris.joblib")
    inputs.assign(target=target).to_csv(folder / "iris.csv", index=False)
    environment = {"SEALIFT_CACHE": str(folder / "cache"), "HOME": str(folder)}
    call("sealift", "keys", "generate", "key.pem", env=environment, cwd=folder).ok()
    return environment


def transcripts(folder: Path, *more: str) -> dict[str, str]:
    """By command, what each logs on standard error; ``more`` options go to `pack`."""
    environment = make_inputs(folder)
    program, *words = PACK.split()
    logs = {PACK: run(program, *words, *more, env=environment, cwd=folder).ok().err}
    for line in ("repo init repository", "repo add repository release", "repo promote repository iris 1.0.0 --channel stable"):
        call("sealift", *line.split(), env=environment, cwd=folder).ok()
    root = "repository/metadata/root.json"
    call("sealift-agent", "init", "--repo", "repository", "--root", root, "--home", "device", env=environment, cwd=folder).ok()
    program, *words = SYNC.split()
    logs[SYNC] = run(program, *words, env=environment, cwd=folder).ok().err
    return {command: text.replace(str(folder.resolve()), "/home/me").replace(str(folder), "/home/me") for command, text in logs.items()}


def shown(page: str) -> dict[str, str]:
    """The transcripts of a page, by command."""
    return dict(re.findall(r"```text\n\$ (.*)\n((?:.*\n)*?)```", page))


def normal(text: str) -> str:
    """A transcript without what differs from machine to machine and from run to run: times, digests, figures, and the sentences made of figures."""
    text = re.sub(r"(?m)(: (?:chosen|dropped) [\w-]+): .*$", r"\1", text)
    text = re.sub(r"measured on .*", "measured", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "digest", text)
    return re.sub(r"\d[\d:,.]*(?:e[+-]?\d+)?", "0", text)


def write() -> None:
    """Write both transcripts into the page."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        for command, log in transcripts(Path(name)).items():
            text = re.sub(r"measured on .*", "measured on AMD EPYC, 2 cores, linux", log)
            before, rest = page.split(f"```text\n$ {command}\n", 1)
            page = f"{before}```text\n$ {command}\n{text}```{rest.split('```', 1)[1]}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write()
