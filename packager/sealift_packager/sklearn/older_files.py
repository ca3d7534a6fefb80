"""Models that an older scikit-learn saved: what the installed version looks for in them is put there where it follows from what they have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from sealift_packager.errors import SourceModelError
from sealift_packager.model.source import Arrays, SourceModel
from sealift_packager.model.synthetic import make_inputs
from sealift_packager.model.version_skew import VersionSkew
from sealift_packager.progress.quiet import quiet
from sealift_packager.sandbox.activity import ANSWERING, during
from sealift_packager.trees.within import all_parts, is_trees

_LACKS: Final = re.compile(r"'(\w+)' object has no attribute '(\w+)'")


def complete(model: Any) -> None:
    """Put what a later version has into an older version's parts, in place.

    - SimpleImputer has ``_fill_dtype`` from scikit-learn 1.6 on: the type that it fills with, which was that of its values before.
    - ColumnTransformer has a FunctionTransformer for columns that pass through from scikit-learn 1.4 on, where it had a word.
    - The leaves of classifying trees have shares of the classes from scikit-learn 1.4 on, where they had sums of weights.
    """
    for part in list(all_parts(model)):
        if type(part).__name__ == "SimpleImputer" and hasattr(part, "statistics_") and not hasattr(part, "_fill_dtype"):
            constant = part.strategy == "constant" and hasattr(part, "_fit_dtype")
            part._fill_dtype = part._fit_dtype if constant else np.asarray(part.statistics_).dtype  # noqa: SLF001
        if hasattr(part, "transformers_"):
            part.transformers_ = [(name, _passing(part, name) if _passes(step) else step, columns) for name, step, columns in part.transformers_]
        for tree in _classifying_trees(part):
            _divide_by_sums(tree.value)


def _classifying_trees(part: Any) -> Iterator[Any]:
    members = np.ravel(getattr(part, "estimators_", [part])) if is_trees(part) else ()
    yield from (member.tree_ for member in members if hasattr(member, "tree_") and hasattr(member, "classes_"))


def _divide_by_sums(leaves: Any) -> None:
    """Make shares of weights [nodes, targets, classes], in place; what are shares stay as they are."""
    sums = leaves.sum(axis=2, keepdims=True)
    np.divide(leaves, sums, out=leaves, where=sums > 0)


def _passes(step: Any) -> bool:
    return isinstance(step, str) and step == "passthrough"


def _passing(transformer: Any, name: str) -> Any:
    """What scikit-learn itself puts in the place of the word, fitted on these columns."""
    from sklearn.preprocessing import FunctionTransformer

    step = FunctionTransformer(accept_sparse=True, check_inverse=False, feature_names_out="one-to-one")
    columns = transformer._transformer_to_input_indices[name]  # noqa: SLF001
    step.n_features_in_ = len(columns)
    if hasattr(transformer, "feature_names_in_"):
        step.feature_names_in_ = transformer.feature_names_in_[columns]
    return step


def check_answers(source: SourceModel, skew: VersionSkew | None, where: str) -> None:
    """Raise `SourceModelError` where the installed version looks for what an older version's model doesn't have, or has another formula for it.

    Whatever else may keep the model from answering a synthetic row, such as categories, is left to where it shows.
    """
    if skew is not None and (other := _computed_otherwise(source.native)):
        raise SourceModelError(
            f"{skew.library} {skew.read_with} computes something else with it than {skew.made_with} did: {other}",
            where=where,
            expected="a model that the installed version answers as the version that made it",
        )
    lacking = None if skew is None else _lacking(source, _known_row(source))
    if lacking is not None and skew is not None:
        part, attribute = lacking
        raise SourceModelError(
            f"{skew.library} {skew.read_with} can't compute with it: its {part} has no {attribute}, which that version looks for",
            where=where,
            expected="a model that the installed version can ask",
        )


def _computed_otherwise(model: Any) -> str:
    """An estimator whose formula later versions don't have, in words; empty if there is none."""
    from sklearn.ensemble import AdaBoostClassifier

    gone = not hasattr(AdaBoostClassifier, "_boost_real")
    real = gone and any(type(part).__name__ == "AdaBoostClassifier" and vars(part).get("algorithm") == "SAMME.R" for part in all_parts(model))
    return "AdaBoostClassifier has no algorithm='SAMME.R' any more" if real else ""


def _lacking(source: SourceModel, row: Arrays) -> tuple[str, str] | None:
    """The class of an estimator in the model, and the attribute that it lacks; None if that is not why it refuses the row, or if it answers."""
    try:
        with quiet(), during(ANSWERING, rows=1):
            source.predict(row)
    except Exception as error:  # noqa: BLE001  # whatever the model says of a synthetic row
        match = _LACKS.search(str(error)) if isinstance(error, AttributeError) else None
        classes = {type(part).__name__ for part in all_parts(source.native)}
        return (match[1], match[2]) if match and match[1] in classes else None
    return None


def _known_row(source: SourceModel) -> Arrays:
    """A row of what the model's encoders know, where they know something."""
    row = make_inputs(source.inputs, rows=1, seed=0)
    for name, columns in source.categories.items():
        for at, values in enumerate(columns):
            if values is not None:
                row[name][:, at] = values[0]
    return row
