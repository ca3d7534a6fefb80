"""Scaled logistic regression on the breast cancer data of scikit-learn: train it, and write what ``sealift pack`` takes.

Run ``python breast_cancer.py OUT``. It prints the accuracy on the held-out fifth and writes

- ``model.joblib``   the fitted pipeline (a pickle: pack it with ``--trust-pickle``)
- ``holdout.csv``    114 rows, a column for each feature and the column ``diagnosis`` (0 malignant, 1 benign)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Train, and write the model and its holdout."""
    parser = argparse.ArgumentParser(description="Train a classifier on tabular data and write what `sealift pack` takes.")
    parser.add_argument("out", type=Path, help="directory for model.joblib and holdout.csv")
    directory = parser.parse_args().out
    directory.mkdir(parents=True, exist_ok=True)
    data = load_breast_cancer(as_frame=True)
    x_train, x_held_out, y_train, y_held_out = train_test_split(data.data, data.target, test_size=0.2, random_state=0, stratify=data.target)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x_train, y_train)
    joblib.dump(model, directory / "model.joblib")
    x_held_out.assign(diagnosis=y_held_out).to_csv(directory / "holdout.csv", index=False)
    print(f"accuracy on {len(y_held_out)} held-out rows: {model.score(x_held_out, y_held_out):.3f}")
    print(f"written to {directory}: model.joblib, holdout.csv")


if __name__ == "__main__":
    main()
