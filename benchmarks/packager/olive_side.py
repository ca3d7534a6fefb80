"""Olive's search over its quantization pass: ``python olive_side.py MODEL-FOLDER OUT-FOLDER '{"seconds": 60}'``.

As its documentation advises: one ``OnnxQuantization`` pass whose parameters are searched (dynamic and static), latency first, with a goal that
forbids losing more accuracy than the budget. It gets the rows that every tool gets, for calibration and for accuracy, one thread, and so many
seconds to search. Runs in the environment of requirements-olive.txt.

Olive 0.13.0 loses the function of a metric of one's own on the way to its evaluator ("evaluate_func or metric_func is not specified in the metric
config"), so embeddings are judged by its own accuracy, too: a row is right if its cosine to the fp32 graph's is within the budget, and half
the rows must be.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from olive import run
from olive_script import REFERENCE, answers, read_rows  # type: ignore[import-not-found]  # beside this file, wherever it runs

SCRIPT = str(Path(__file__).with_name("olive_script.py"))
ONE_THREAD = {"session_options": {"intra_op_num_threads": 1, "inter_op_num_threads": 1}}


def configuration(folder: Path, out: Path, seconds: int) -> dict[str, Any]:
    """What ``olive run --config`` would get."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    goal = {"type": "max-degradation", "value": facts["budget"]} if facts["classes"] else {"type": "threshold", "value": 0.5}
    rows = {
        "name": "rows",
        "type": "DataContainer",
        "user_script": SCRIPT,
        "load_dataset_config": {"type": "rows_of_file", "data_dir": str(folder / "data.npz")},
        "post_process_data_config": {"type": "labels"},
        "dataloader_config": {"type": "default_dataloader", "batch_size": 1},
    }
    score = {
        "name": "accuracy_score",
        "priority": 2,
        "metric_config": {"task": "multiclass", "num_classes": facts["classes"] or 2},
        "goal": goal,
    }
    latency = {"name": "avg", "priority": 1}
    metrics = [
        {"name": "latency", "type": "latency", "data_config": "rows", "sub_types": [latency]},
        {"name": "accuracy", "type": "accuracy", "data_config": "rows", "sub_types": [score]},
    ]
    return {
        "input_model": {"type": "ONNXModel", "model_path": str(folder / "model.onnx"), "inference_settings": ONE_THREAD},
        "data_configs": [rows],
        "evaluators": {"judge": {"metrics": metrics}},
        "passes": {"quantization": {"type": "OnnxQuantization", "data_config": "rows"}},
        "search_strategy": {"execution_order": "joint", "sampler": "tpe", "max_time": seconds, "sampler_config": {"seed": 0}},
        "evaluator": "judge",
        "cache_dir": str(out / "cache"),
        "output_dir": str(out / "output"),
    }


def main(folder: Path, out: Path, seconds: int) -> None:
    """Let Olive search for so many seconds; the best candidate, if there is one, and its outcome.json are then in ``out``."""
    columns, target = read_rows(folder / "data.npz")
    if target is None:
        np.save(out / "reference.npy", answers(folder / "model.onnx", columns))
        os.environ[REFERENCE] = str(out / "reference.npy")
    settings = configuration(folder, out, seconds)
    lines = len(json.dumps(settings, indent=2).splitlines())
    output = run(settings)  # which writes into what it is given
    best = output.get_best_candidate()
    if best is None:
        raise SystemExit("no candidate met the goal on accuracy")
    shutil.copy(best.model_path, out / "model.onnx")
    outcome = {"made": "searched", "notes": f"{_chosen(output.trace_back_run_history(best.model_id))}; {lines} lines of configuration"}
    (out / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def _chosen(history: dict[str, Any]) -> str:
    """The parameters that the search chose; one that the chosen mode doesn't have still stands as the space it was to come from."""
    parameters: dict[str, Any] = next((step for step in history.values() if step), {})
    names = ("quant_mode", "precision", "calibrate_method", "quant_format", "per_channel", "reduce_range")
    return ", ".join(f"{name} {parameters[name]}" for name in names if isinstance(parameters.get(name), str | bool))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])["seconds"])
