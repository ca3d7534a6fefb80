"""Train a model and pack it from Python, without the command line.

Run ``python python_api.py OUT``. It trains a random forest, packs it for two kinds of hardware straight from memory, and says what was chosen.
It needs scikit-learn, and a few seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import sealift_packager


def main() -> None:
    """Train, pack, and print what each profile got."""
    parser = argparse.ArgumentParser(description="Train a model and pack it from Python.")
    parser.add_argument("out", type=Path, help="folder to write the release to")
    out = parser.parse_args().out
    table, target = load_breast_cancer(return_X_y=True, as_frame=True)
    train, held_out, train_target, held_out_target = train_test_split(table, target, random_state=0)
    model = RandomForestClassifier(50, random_state=0).fit(train, train_target)
    packed = sealift_packager.pack(model, name="cancer", data=(held_out, held_out_target), profile=["arm64-baseline", "arm64-i8mm"], out=out)
    for profile, manifest in packed.manifests.items():
        accuracy = manifest.evaluation.accuracy
        print(f"{profile}: {manifest.model.precision}, accuracy {accuracy.packaged if accuracy else 0:.3f}")
    print(f"{packed.digest} at {packed.directory}")


if __name__ == "__main__":
    main()
