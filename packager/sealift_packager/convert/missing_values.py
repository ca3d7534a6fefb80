"""Missing values in trees: skl2onnx sends them all to the right, scikit-learn sends them where training showed (since 1.3)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_OPS: Final = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
_TRACKS: Final = "nodes_missing_value_tracks_true"


def mend_missing_values(model: Any, estimator: Any) -> None:
    """Tell the graph of a tree or a forest where each of its nodes sends missing values; other models stay as they are."""
    trees = _trees(estimator)
    nodes = [node for node in model.graph.node if node.op_type in _OPS]
    if not trees or len(nodes) != 1:
        return
    attributes = {row.name: row for row in nodes[0].attribute}
    tree_ids, node_ids = (attributes[name].ints for name in ("nodes_treeids", "nodes_nodeids"))
    goes_left = [tree.__getstate__()["nodes"]["missing_go_to_left"] for tree in trees]
    tracks = attributes[_TRACKS] if _TRACKS in attributes else nodes[0].attribute.add(name=_TRACKS, type=7)  # INTS
    del tracks.ints[:]
    tracks.ints.extend(int(goes_left[tree][node]) for tree, node in zip(tree_ids, node_ids, strict=True))


def _trees(estimator: Any) -> list[Any]:
    """The trees of a (pipeline that ends in a) tree or forest, as scikit-learn's own arrays."""
    final = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    parts = [final] if hasattr(final, "tree_") else list(np.ravel(np.asarray(getattr(final, "estimators_", []), dtype=object)))
    return [part.tree_ for part in parts] if all(hasattr(part, "tree_") for part in parts) else []
