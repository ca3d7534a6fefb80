"""skl2onnx on a scikit-learn model, with its defaults and plain probabilities: ``python skl2onnx_side.py MODEL.joblib OUT.onnx FEATURES``."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import skl2onnx


def main(source: Path, out: Path, features: int) -> None:
    """Write the model's graph to ``out``; its one input is float32 [rows, features]."""
    types = [("X", skl2onnx.common.data_types.FloatTensorType([None, features]))]
    graph = skl2onnx.convert_sklearn(joblib.load(source), initial_types=types, options={"zipmap": False})
    out.write_bytes(graph.SerializeToString())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
