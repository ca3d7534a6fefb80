"""``python pack_models.py FOLDER``: pack a model of each installed framework, publish them, and keep what each answers by itself.

FOLDER then has a repository and, for each model, NAME.npz with its inputs and the expected output.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import json
import multiprocessing
import platform
import sys
from pathlib import Path
from typing import Final

import numpy as np
from frameworks import FRAMEWORKS, installed

import sealift_packager
from sealift_packager.cli import cli

PROFILE: Final = "arm64-baseline" if platform.machine() == "aarch64" else "x86-64-avx2"


def main(folder: Path) -> None:
    """Pack, publish, and write what was expected."""
    folder.mkdir(parents=True)
    repository = folder / "repository"
    _sealift("keys", "generate", folder / "key.pem")
    _sealift("repo", "init", repository)
    names = [framework for framework in FRAMEWORKS if installed(framework)]
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        packed = dict(zip(names, pool.map(_pack, names, [folder] * len(names)), strict=True))
    for framework in names:
        _sealift("repo", "add", repository, folder / framework)
        _sealift("repo", "promote", repository, framework, "0.1.0", "--channel", "stable")
    (folder / "packed.json").write_text(json.dumps(packed), encoding="utf-8")


def _pack(framework: str, folder: Path) -> str:
    """Pack one model; the precision that was chosen."""
    work = folder / f"{framework}-model"
    work.mkdir()
    example = FRAMEWORKS[framework][1](work)
    out = folder / framework
    done = sealift_packager.pack(
        example.model, name=framework, out=out, profile=PROFILE, data=example.data, key=folder / "key.pem", measure_seconds=0.2
    )
    answers = {f"input:{name}": value for name, value in example.inputs.items()} | {f"output:{example.output}": np.asarray(example.expected)}
    np.savez(folder / f"{framework}.npz", tolerance=np.array(example.tolerance), **answers)
    return str(done.manifests[PROFILE].model.precision)


def _sealift(*words: object) -> None:
    """In this process: a command that starts imports much."""
    with contextlib.redirect_stdout(io.StringIO()):
        cli.main(list(map(str, words)), standalone_mode=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
