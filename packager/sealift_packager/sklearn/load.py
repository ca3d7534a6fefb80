"""scikit-learn models that predict, and pipelines that end in one, from joblib, pickle or skops."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import first_few
from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.boosters.load import catboost_source, lightgbm_source, xgboost_source
from sealift_packager.errors import SourceModelError, UntrustedPickleError, first_line
from sealift_packager.model import detect
from sealift_packager.model.categories import known_categories, worded_inputs
from sealift_packager.model.columns import FEATURES, RULED
from sealift_packager.model.output_names import with_free_names
from sealift_packager.model.source import Arrangement, Array, Arrays, Digits, LoadOptions, SourceModel
from sealift_packager.model.unwrapped import first_steps, unwrapped
from sealift_packager.model.version_skew import VersionSkew, telling
from sealift_packager.sklearn.answers import answers, chooses_by_probability, decisions, outputs_of, transformed
from sealift_packager.sklearn.checks import check_estimator
from sealift_packager.sklearn.digits import columns_before_trees, columns_with_digits
from sealift_packager.sklearn.fitted_rows import fitted_rows
from sealift_packager.sklearn.indices import check_indices
from sealift_packager.sklearn.input_layout import InputLayout
from sealift_packager.sklearn.nullable import NullableColumns, nullable_columns
from sealift_packager.sklearn.older_files import check_answers, complete
from sealift_packager.sklearn.skops_types import foreign_types
from sealift_packager.sklearn.ties import ties_of
from sealift_packager.sklearn.unpickle import noting_skew, unpickle
from sealift_packager.trees.ensemble import Ensemble
from sealift_packager.trees.from_estimator import library_of
from sealift_packager.trees.from_scikit import read_scikit
from sealift_packager.trees.thresholds import features_with_digits
from sealift_packager.trees.validity import check_ensemble
from sealift_packager.trees.within import fitted_parts, is_trees

_SHOWN_TYPES: Final = 20
#: Estimators of these libraries, whatever file or pipeline they come in.
WRAPPERS: Final[dict[str, Callable[[Any, Digest], SourceModel]]] = {
    "xgboost": xgboost_source,
    "lightgbm": lightgbm_source,
    "catboost": catboost_source,
}


def load_scikit(path: Path, options: LoadOptions) -> SourceModel:
    """Unpickle a fitted estimator; refused unless the pickle is trusted, for that runs code.

    Its input is one float32 tensor ``features`` [batch, columns]; where the data has columns of text, each column is
    an input [batch, 1] of its own; for a vectorizer it is one text [batch, 1]. Its outputs are those of `outputs_of`. Of a search over settings, the
    best model is read.
    """
    if not options.trust_pickle:
        raise UntrustedPickleError(
            "reading a joblib or pickle file runs the code in it",
            where=str(path),
            advice="If you trust the file's source, pass --trust-pickle.",
        )
    model, skew = unpickle(path)
    return _of_version(model, skew, path, options)


def load_skops(path: Path, options: LoadOptions) -> SourceModel:
    """Read a skops file, which names the types in it before it makes any: unknown ones are refused and listed."""
    try:
        import skops.io
    except ImportError as error:
        raise SourceModelError("skops is not installed", where=str(path), advice="pip install skops") from error
    skews: list[VersionSkew] = []
    try:
        types = skops.io.get_untrusted_types(file=path)
        foreign = foreign_types(types)
        if foreign and not options.trust_pickle:
            raise UntrustedPickleError(
                "types that are not known to be safe",
                where=str(path),
                expected="estimators of scikit-learn, XGBoost, LightGBM and CatBoost, and arrays",
                found=first_few(foreign, _SHOWN_TYPES),
                advice="If you know these types and trust the file's source, pass --trust-pickle.",
            )
        with noting_skew(path) as skews, bounded_memory(path):
            model = skops.io.load(path, trusted=types)
    except SourceModelError:
        raise
    except Exception as error:  # skops and the types' own __setstate__ raise anything
        with telling(next(iter(skews), None)):
            raise SourceModelError(
                f"can't be read as skops (caused by: {first_line(error):.300})", where=str(path), expected="a complete .skops file"
            ) from error
    check_indices(model, str(path))
    skew = next(iter(skews), None)
    return _of_version(model, skew, path, options)


def _of_version(model: Any, skew: VersionSkew | None, path: Path, options: LoadOptions) -> SourceModel:
    """The source of what a file holds, which another version of its library may have made."""
    with telling(skew):
        if skew is not None:
            complete(model)
        source = estimator_source(model, Digest.of_file(path), options, str(path))
        check_answers(source, skew, str(path))
        return dataclasses.replace(source, skew=skew)


def estimator_source(model: Any, digest: Digest, options: LoadOptions, where: str) -> SourceModel:
    """A fitted estimator; those of XGBoost, LightGBM and CatBoost, found by a search or not, are asked and converted as their own files are."""
    model = unwrapped(model, where)
    booster = WRAPPERS.get(library_of(model))
    if booster is lightgbm_source:
        return lightgbm_source(model, digest, where, tuple(options.examples))
    if booster is not None:
        return booster(model, digest)
    version = check_estimator(model, where)
    layout = InputLayout.of(model, options, where)
    return _Estimator.read(model, version, digest, layout, options, where).source(layout)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Estimator:
    """What an estimator shows of itself, from which a source follows for each layout of its inputs.

    ``unless_shown`` are the columns that need float64 where no data shows otherwise, ``needed`` those that need it anyway.
    """

    model: Any
    framework: str
    digest: Digest
    outputs: tuple[str, ...]
    trees: Ensemble | None
    inner: tuple[SourceModel, ...]
    layout: InputLayout
    ties: Callable[[Any], Array] | None
    rows: Array | None
    nullable: NullableColumns
    needed: frozenset[int]
    unless_shown: frozenset[int]

    @classmethod
    def read(cls, model: Any, version: str, digest: Digest, layout: InputLayout, options: LoadOptions, where: str) -> _Estimator:
        """Look at a fitted estimator that takes its rows by this layout."""
        trees = _whole_trees(model, where)
        inner = _inner_trees(model, digest) if trees is None else ()  # before anything is predicted: scikit-learn believes a tree's indices
        rows = fitted_rows(model, layout.names)
        texts = set() if layout.plain else {at for at, spec in enumerate(layout.inputs) if spec.dtype == "string"}
        return cls(
            model=model,
            framework=f"scikit-learn {version}",
            digest=digest,
            outputs=outputs_of(model),
            trees=trees,
            inner=inner,
            layout=layout,
            ties=ties_of(model),
            rows=rows,
            nullable=nullable_columns(model, layout, rows, options.examples),
            needed=columns_with_digits(model, layout.names) | (features_with_digits(trees) if trees else frozenset()),
            unless_shown=columns_before_trees(model, layout.names) - texts,
        )

    def source(self, layout: InputLayout, wide_outputs: frozenset[str] = frozenset(), arrangement: Arrangement = RULED) -> SourceModel:
        """The model with the inputs of a layout, arranged so if it is widened."""
        model, names, inputs = self.model, layout.names, layout.inputs
        source = SourceModel(
            format=detect.SCIKIT,
            framework=self.framework,
            digest=self.digest,
            native=model,
            predict=lambda arrays: answers(model, self.outputs, layout.table(arrays), wide_outputs),
            inputs=inputs,
            outputs=self.outputs,
            columns={FEATURES: names} if names and layout.plain else {},
            takes_nan=bool(self.nullable.columns),
            nullable=self.nullable.of_inputs(inputs) if self.nullable.columns else None,
            categories=known_categories(model, names, inputs),
            words=worded_inputs(model, names, inputs),
            usual=_usual(self.rows, inputs),
            trees=self.trees if layout.numeric else None,
            unsupervised=self.outputs[0] == "label" and not hasattr(model, "classes_"),
            inner=self.inner,
            arbitrary=self._arbitrary(layout),
            scores=self._scores(layout),
            classes=np.asarray(model.classes_) if hasattr(model, "classes_") and self.outputs[0] == "label" else None,
            digits=None if layout.texts else self._digits(arrangement),
            wide_outputs=wide_outputs,
        )
        return with_free_names(dataclasses.replace(source, steps=_steps(source, layout)))

    def _digits(self, before: Arrangement) -> Digits:
        def widen(columns: frozenset[int], wide_outputs: frozenset[str] = frozenset(), arranged: Arrangement | None = None) -> SourceModel:
            """The model with float64 where these columns and outputs need it; arranged as before, unless that is said too."""
            arrangement = arranged or before
            layout = self.layout.widened(columns, arrangement) if columns or arrangement.form else self.layout
            return self.source(layout, wide_outputs, arrangement)

        return Digits(needed=self.needed, widen=widen, unless_shown=self.unless_shown)

    def _arbitrary(self, layout: InputLayout) -> Callable[[Arrays], Array] | None:
        ties = self.ties
        return None if ties is None else lambda arrays: ties(layout.table(arrays))

    def _scores(self, layout: InputLayout) -> Callable[[Arrays], Array] | None:
        """What labels are chosen by where that isn't the probabilities."""
        scored = "probabilities" in self.outputs and hasattr(self.model, "decision_function") and not chooses_by_probability(self.model)
        return (lambda arrays: decisions(self.model, layout.table(arrays))) if scored else None


def _usual(rows: Array | None, inputs: Sequence[TensorSpec]) -> dict[str, Array]:
    """Rows [rows, columns] as the inputs of numbers."""
    if rows is None:
        return {}
    if len(inputs) == 1:
        return {spec.name: rows for spec in inputs if spec.numpy_dtype.kind == "f"}
    return {spec.name: rows[:, [at]] for at, spec in enumerate(inputs) if spec.numpy_dtype.kind == "f"}


def _steps(source: SourceModel, layout: InputLayout) -> tuple[SourceModel, ...]:
    def first(count: int) -> SourceModel:
        part = first_steps(source.native, count)
        predict = lambda arrays: transformed(part, layout.table(arrays))  # noqa: E731
        return dataclasses.replace(source, native=part, outputs=("values",), predict=predict, wide_outputs=frozenset())

    return tuple(first(count) for count in range(1, len(getattr(source.native, "steps", ()))))


def _whole_trees(model: Any, where: str) -> Ensemble | None:
    try:
        ensemble = read_scikit(model)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # of a damaged file: what scikit-learn leaves is whole
        detail = f"{type(error).__name__}: {first_line(error):.200}"
        raise SourceModelError("its trees contradict themselves", where=where, expected="a complete model", found=detail) from error
    if ensemble is not None:
        check_ensemble(ensemble, where=where)
    return ensemble


def _inner_trees(model: Any, digest: Digest) -> tuple[SourceModel, ...]:
    """The trees within a model, each as a model of its own: their thresholds lie behind the steps before, where no row of data can aim."""
    sources = []
    for part in fitted_parts(model):
        if part is model or not is_trees(part):
            continue
        if library_of(part) in WRAPPERS:
            sources.append(WRAPPERS[library_of(part)](part, digest))
        elif _whole_trees(part, f"{type(part).__name__} in the model") is not None:
            sources.append(estimator_source(part, digest, LoadOptions(), f"{type(part).__name__} in the model"))
    return tuple(dataclasses.replace(source, columns={}) for source in sources)
