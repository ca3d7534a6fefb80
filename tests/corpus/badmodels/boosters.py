"""Files of XGBoost, LightGBM and CatBoost that are cut off, contradict themselves, or claim too much; their readers are C++ that trusts them."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import catboost
import lightgbm
import numpy as np
import xgboost

from corpus.badmodels.case import Case

FILES: Final = ("m.json", "m.ubj", "m.txt", "m.cbm")
Make = Callable[[Path], list[object]]


@functools.cache
def whole() -> dict[str, bytes]:
    """A small model of each library, as it saves it."""
    rows = np.random.default_rng(0).normal(size=(200, 4))
    label = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        first = xgboost.XGBClassifier(n_estimators=3, max_depth=3).fit(rows, label)
        for name in ("m.json", "m.ubj"):
            first.save_model(place / name)
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, label).booster_.save_model(place / "m.txt")
        catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(rows, label).save_model(str(place / "m.cbm"))
        return {name: (place / name).read_bytes() for name in FILES}


def changed(name: str, change: Callable[[bytes], bytes]) -> Make:
    def make(folder: Path) -> list[object]:
        data = change(whole()[name])
        assert data != whole()[name]
        (folder / name).write_bytes(data)
        return [folder / name]

    return make


def cut(name: str, share: float) -> Make:
    return changed(name, lambda data: data[: int(len(data) * share)])


def noise(name: str) -> Make:
    def change(data: bytes) -> bytes:
        random = np.random.default_rng(0)
        row = bytearray(data)
        for at in random.integers(16, len(row), 40):
            row[at] = int(random.integers(0, 256))
        return bytes(row)

    return changed(name, change)


def tree(change: Callable[[dict[str, Any]], object]) -> Make:
    """Something of XGBoost's first tree, or of the model around it."""

    def edit(data: bytes) -> bytes:
        model = json.loads(data)
        change(model["learner"])
        return json.dumps(model).encode()

    return changed("m.json", edit)


def first_tree(learner: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = learner["gradient_booster"]["model"]["trees"][0]
    return found


def lines(pattern: str, replacement: str) -> Make:
    return changed("m.txt", lambda data: re.sub(pattern, replacement, data.decode(), count=1, flags=re.MULTILINE).encode())


def child_of_itself(learner: dict[str, Any]) -> None:
    first_tree(learner)["left_children"][0] = 0


def child_nowhere(learner: dict[str, Any]) -> None:
    first_tree(learner)["left_children"][0] = 1_000_000


def short(learner: dict[str, Any]) -> None:
    first_tree(learner)["split_conditions"].pop()


def feature_nowhere(learner: dict[str, Any]) -> None:
    first_tree(learner)["split_indices"][0] = 2**30


def not_a_number(learner: dict[str, Any]) -> None:
    rows = first_tree(learner)
    leaf = rows["left_children"].index(-1)
    rows["split_conditions"][leaf] = float("nan")


def many_nodes(learner: dict[str, Any]) -> None:
    first_tree(learner)["tree_param"]["num_nodes"] = str(2**31 - 1)


def many_features(learner: dict[str, Any]) -> None:
    learner["learner_model_param"]["num_feature"] = str(2**31 - 1)


def many_classes(learner: dict[str, Any]) -> None:
    learner["learner_model_param"]["num_class"] = str(2**31 - 1)


CASES: Final[dict[str, Case]] = {
    "XGBoost JSON cut off in the middle": Case(make=cut("m.json", 0.5), said=("m.json: can't be read", "complete file"), heavy=True),
    "XGBoost UBJSON cut off in the middle": Case(make=cut("m.ubj", 0.5), said=("m.ubj: can't be read", "complete file"), heavy=True),
    "LightGBM cut off in the middle": Case(make=cut("m.txt", 0.5), said=("m.txt: the model is cut off", "complete LightGBM text model"), heavy=True),
    "LightGBM cut off behind its trees": Case(make=cut("m.txt", 0.7), said=("m.txt: the model is cut off", "end of parameters")),
    "CatBoost cut off in the middle": Case(make=cut("m.cbm", 0.5), said=("m.cbm: can't be read", "complete file")),
    "XGBoost whose root is its own child": Case(make=tree(child_of_itself), said=("m.json: tree 0: a path that returns to an earlier node",)),
    "XGBoost that claims 2^31 classes": Case(make=tree(many_classes), said=("m.json: can't be read", "bad_alloc"), heavy=True),
    "XGBoost of 2^20 levels of JSON": Case(make=changed("m.json", lambda _: b'{"learner":' * 2**20), said=("m.json: xgboost crashes",), heavy=True),
    "LightGBM with a child that isn't there": Case(
        make=lines(r"^left_child=\S+", "left_child=100000"), said=("m.txt: lightgbm crashes",), heavy=True
    ),
    "LightGBM that claims 2^31 classes": Case(
        make=lines(r"^num_tree_per_iteration=\d+", "num_tree_per_iteration=2147483647"), said=("m.txt: reading the file takes more memory",)
    ),
    **{
        name: Case(make=make, said=said, heavy=True)
        for name, make, said in (
            *(
                (f"{name} cut off at {share:.0%}", cut(name, share), (name,))
                for name in ("m.json", "m.ubj", "m.txt", "m.cbm")
                for share in (0.1, 0.99)
            ),
            *((f"{name} with noise", noise(name), (name,)) for name in ("m.ubj", "m.txt", "m.cbm")),
            ("XGBoost with a child that isn't there", tree(child_nowhere), ("tree 0: a child that is not a node",)),
            ("XGBoost with too few thresholds", tree(short), ("m.json: can't be read",)),
            ("XGBoost with a feature that isn't there", tree(feature_nowhere), ("tree 0: a split by column 1073741824, where there are 4",)),
            ("XGBoost with a NaN in a leaf", tree(not_a_number), ("tree 0: a leaf that is not a number",)),
            ("XGBoost that claims 2^31 nodes", tree(many_nodes), ("m.json: can't be read",)),
            ("XGBoost that claims 2^31 features", tree(many_features), ("an impossible number of inputs",)),
            ("LightGBM whose root is its own child", lines(r"^left_child=\S+", "left_child=0"), ("tree 0: a path that returns to an earlier node",)),
            ("LightGBM with too few leaves", lines(r"^leaf_value=\S+ ", "leaf_value="), ("m.txt: lightgbm crashes",)),
            ("LightGBM with a feature that isn't there", lines(r"^split_feature=\S+", "split_feature=99999999"), ("m.txt: lightgbm crashes",)),
            ("LightGBM with a NaN in a leaf", lines(r"^leaf_value=\S+", "leaf_value=nan"), ("m.txt: lightgbm crashes",)),
            ("LightGBM that claims 2^31 leaves", lines(r"^num_leaves=\d+", "num_leaves=2147483647"), ("m.txt: lightgbm crashes",)),
            ("LightGBM that claims 2^31 features", lines(r"^max_feature_idx=\d+", "max_feature_idx=2147483646"), ("m.txt: can't be read",)),
            ("LightGBM with a threshold of text", lines(r"^threshold=\S+", "threshold=tall"), ("m.txt: lightgbm crashes",)),
            ("LightGBM without its trees", changed("m.txt", lambda data: data[: data.index(b"Tree=0")] + b"end of trees\n"), ("m.txt",)),
        )
    },
}
