"""What all profiles of a release have in common, made when somebody asks for it: a build whose results are cached asks for nothing."""

from __future__ import annotations

import datetime
import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.errors import first_few
from sealift_core.hardware.machine import Machine
from sealift_core.terminal.records import facts
from sealift_packager.assemble.golden import MAX_CHOSEN
from sealift_packager.build import keys
from sealift_packager.build.request import PackRequest
from sealift_packager.cache.stage import Stages
from sealift_packager.data.example import read_example
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import Holdout, bind
from sealift_packager.data.left_out import LeftOut, are_few, describe_left_out, describe_many, refused_rows
from sealift_packager.data.oddities import describe_oddities, describe_unknown
from sealift_packager.data.pixels import Normalization
from sealift_packager.data.refusal import refused, stray_texts
from sealift_packager.errors import DataError, PackagerError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.result import Converted
from sealift_packager.measure.accuracy import check_pace
from sealift_packager.measure.constant import warn_of_constant, warn_of_rare_class
from sealift_packager.measure.metrics import find_metric
from sealift_packager.measure.predictions import read_prediction
from sealift_packager.measure.target import FittedTarget, choose_metric, fit_target
from sealift_packager.model.accepted import parse_shapes
from sealift_packager.model.batch import check_rows, fixed_batch
from sealift_packager.model.dynamic import parse_dynamic
from sealift_packager.model.source import Array, LoadOptions, SourceModel, WeightPlace
from sealift_packager.model.version_skew import telling
from sealift_packager.parity.check import Parity, prove_parity
from sealift_packager.parity.digits import with_digits
from sealift_packager.parity.other_rows import warn_of_other_rows
from sealift_packager.progress.progress import Progress
from sealift_packager.search.reference import Reference

#: So many inputs are named in a note.
_SHOWN_INPUTS: Final = 8
_LOG: Final = logging.getLogger("sealift.pack")


class BuildContext:
    """The model, its data and its graph. ``prepare`` makes them in their order; each is made once."""

    def __init__(
        self, request: PackRequest, stages: Stages, progress: Progress, machine: Machine, created: datetime.datetime, place: WeightPlace
    ) -> None:
        self.request = request
        self.stages = stages
        self.machine = machine
        self.created = created
        self._place = place
        self._progress = progress
        self._metric = find_metric(request.metric) if request.metric else None

    def prepare(self) -> None:
        """Load the model and the data and fit one to the other; ask the source on the holdout; convert; prove parity."""
        with telling(self.source.skew):
            _ = self.holdout, self.reference, self.converted

    @functools.cached_property
    def _loaded(self) -> tuple[SourceModel, Holdout | None]:
        with self._progress.stage("Load model and data"):
            data = read_data(self.request.data, self._place.folder, self.request.target) if self.request.data else None
            examples: Mapping[str, Array] = data.arrays if data else {}
            options = LoadOptions(
                format=self.request.format,
                trust_pickle=self.request.trust_pickle,
                factory=self.request.factory,
                state_key=self.request.state_key,
                allow_extra=self.request.allow_extra,
                examples=examples,
                target=self.request.target,
                dynamic=parse_dynamic(self.request.dynamic),
                place=self._place,
                shapes=parse_shapes(self.request.shape),
                requests=tuple(read_example(path, self._place.folder) for path in self.request.example),
                inputs=self.request.inputs,
            )
            source = load_model(self.request.model, options)
            _tell_source(source, self.request.model, data.path if data else None)
            self._check_unchanged("source", self.request.model, source.digest)
            if data:
                self._check_unchanged("data", data.path, data.digest)
            needed = not source.unsupervised if self._metric is None else self._metric.against_source is None
            with telling(source.skew):
                holdout = bind(data, source, self.request.target, needed=needed, images=self._images) if data else None
                exact = _with_digits(source, holdout)
            if exact is source:
                return source, holdout
            return exact, bind(data, exact, self.request.target, needed=needed, images=self._images) if data else None

    def _check_unchanged(self, name: str, path: Path, digest: Digest) -> None:
        """What was read is what the build is known by, in the cache and in a lock; `DataError`."""
        expected = self.stages.inputs.get(name)
        if expected not in (None, str(digest)):
            advice = "Try again when no other process writes to it."
            raise DataError("the file changed while it was packed", where=str(path), expected=str(expected), found=str(digest), advice=advice)

    @property
    def source(self) -> SourceModel:
        """The model in its own framework."""
        return self._loaded[0]

    @property
    def holdout(self) -> Holdout | None:
        """The data as the model takes it, without the few rows that the model itself refuses."""
        return self._asked[0] if self._asked else None

    @functools.cached_property
    def _asked(self) -> tuple[Holdout, dict[str, Array]] | None:
        """The rows of the data that the source answers, with its answers; `DataError` if it refuses more than a few."""
        source, holdout = self._loaded
        if holdout is None:
            return None
        asked = self.stages.run(keys.source_answers(), lambda: _ask(source, holdout))
        return holdout.without(asked.left_out), asked.answers

    @property
    def _images(self) -> Normalization:
        return Normalization(mean=self.request.image_mean, std=self.request.image_std)

    @functools.cached_property
    def golden_rows(self) -> dict[str, Array] | None:
        """The rows that somebody chose for golden cases; `DataError` if the model doesn't take them, or they are many."""
        place = self.request.golden_from
        if place is None:
            return None
        golden = bind(read_data(place, self._place.folder), self.source, self.request.target, needed=False, images=self._images)
        if golden.left_out:
            advice = "Leave these rows out, or choose others."
            raise DataError("golden rows with missing values", where=str(place), found=str(golden.left_out[0]), advice=advice)
        least = fixed_batch(self.source.inputs) or 1
        if not least <= golden.rows <= MAX_CHOSEN:
            advice = "Choose a few rows; everyone who has a bundle can read them."
            raise DataError(
                "too few or too many golden rows", where=str(place), expected=f"{least} to {MAX_CHOSEN} rows", found=str(golden.rows), advice=advice
            )
        return golden.inputs

    @functools.cached_property
    def _proven(self) -> tuple[Converted, Parity]:
        source, stages = self.source, self.stages
        converted = stages.run(keys.conversion(source.framework), lambda: convert_model(source))
        parity = stages.run(keys.parity(converted), lambda: self._prove(converted))
        _LOG.info("%s", parity)
        return converted, parity

    @property
    def converted(self) -> Converted:
        """The graph, which answers like the source: `ParityError` if it doesn't."""
        return self._proven[0]

    @property
    def parity(self) -> Parity:
        """How far it answers like the source."""
        return self._proven[1]

    @functools.cached_property
    def digest(self) -> str:
        """Of the graph and of the source's answers, which candidates are made from and held against."""
        return keys.value_digest([self.converted, dict(self.reference.prediction.outputs) if self.reference else {}])

    @property
    def gate(self) -> keys.Gate:
        """What decides whether a candidate passes, for the cache to know."""
        return keys.Gate(metric=self.request.metric, output=self.request.output, max_drop=self.request.max_drop, code=self.stages.code)

    def _prove(self, converted: Converted) -> Parity:
        inputs, originals = (self.holdout.inputs, self.holdout.originals) if self.holdout else (None, None)
        numbers = self.holdout.numbers if self.holdout else ()
        return prove_parity(self.source, converted, inputs, seed=self.request.seed, originals=originals, numbers=numbers)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report says beside the candidates: how far parity goes, and what is odd about the data."""
        on_metric = self.reference.notes if self.reference else ()
        skew = (self.source.skew.note,) if self.source.skew else ()
        return (*skew, *self.source.notes, *_on_digits(self.source), str(self.parity), *_on_sizes(self.source), *on_metric, *self.oddities)

    @functools.cached_property
    def oddities(self) -> tuple[str, ...]:
        """What the data never show, in sentences that the bundle bears too."""
        holdout = self.holdout
        if holdout is None:
            return ()
        total = holdout.rows + sum(len(part.rows) for part in holdout.left_out)
        left_out = describe_left_out(holdout.left_out, total, self.request.data.name if self.request.data else "the data")
        unknown = describe_unknown(holdout.inputs, self.source.categories, self.source.words)
        return (*left_out, *unknown, *describe_oddities(holdout.inputs, self.source.columns))

    @functools.cached_property
    def reference(self) -> Reference | None:
        """The source on the whole holdout; `DataError` if the metric can't be computed."""
        if self._asked is None:
            return None
        holdout, answers = self._asked
        prediction = read_prediction(answers, self.request.output)
        metric, on_outputs = choose_metric(self._metric, prediction, holdout.target if holdout.has_target else None)
        if metric.against_source:
            fitted = FittedTarget(target=metric.against_source(prediction))
        else:
            fitted = fit_target(metric, holdout.target, prediction, classes=self.source.classes, written=holdout.written)
        target = fitted.target
        started = time.perf_counter()
        score = metric.score(target, prediction)
        check_pace(metric, time.perf_counter() - started)
        if np.isnan(score):
            advice = "Pass a holdout with more rows or another --metric, and check whether the model itself returns NaN."
            raise DataError("the metric is not a number on this holdout", where=f"--metric {metric.name}", advice=advice)
        budget = metric.default_budget(score, target) if self.request.max_drop is None else self.request.max_drop
        score_text = "The source model's %s is %.4g on %d rows; a candidate may lose up to %.4g"
        _LOG.info(score_text, metric.name, score, holdout.rows, budget, extra=facts(metric=metric.name, score=float(score), budget=float(budget)))
        doubt = warn_of_constant(metric, target, prediction, score)
        warnings = on_outputs, fitted.note, doubt, warn_of_rare_class(metric, target), warn_of_other_rows(self.source, holdout.originals, answers)
        notes = tuple(f"Warning: {text}." for text in warnings if text)
        return Reference(
            holdout=holdout,
            metric=metric,
            target=target,
            prediction=prediction,
            budget=budget,
            notes=notes,
            in_doubt=bool(doubt),
            output=self.request.output,
        )


def _on_sizes(source: SourceModel) -> tuple[str, ...]:
    text = str(source.accepted)
    return (text,) if text and not source.accepted.tried else ()


def _on_digits(source: SourceModel) -> tuple[str, ...]:
    wide = [spec.name for spec in source.inputs if spec.dtype == "float64"] if source.digits else []
    shown = first_few(wide, _SHOWN_INPUTS)
    inputs = f"These inputs are float64 (FP64), because the model's answers depend on digits that float32 doesn't have: {shown}."
    named = ", ".join(sorted(source.wide_outputs))
    outputs = f"These outputs are float64 (FP64), because the model's answers differ by digits that float32 doesn't have: {named}."
    return tuple(note for note, said in ((inputs, wide), (outputs, source.wide_outputs)) if said)


def _with_digits(source: SourceModel, holdout: Holdout | None) -> SourceModel:
    """`with_digits`, by the rows that the source answers."""
    if holdout is None:
        return with_digits(source, None)
    try:
        return with_digits(source, holdout.originals)
    except DataError as error:
        return with_digits(source, holdout.without(_few_refused(source, holdout, error)).originals)


def _ask(source: SourceModel, holdout: Holdout) -> keys.SourceAnswers:
    try:
        return keys.SourceAnswers(answers=_answers(source, holdout), left_out=())
    except DataError as error:
        few = _few_refused(source, holdout, error)
        return keys.SourceAnswers(answers=_answers(source, holdout.without(few)), left_out=few)


def _few_refused(source: SourceModel, holdout: Holdout, error: DataError) -> tuple[LeftOut, ...]:
    """The rows that the source refuses; the error where they aren't few.

    In a batch of a fixed size no row can be asked alone, and text among numbers makes text of a whole column.
    """
    cause, originals = error.__cause__, holdout.originals
    if cause is None:
        raise error
    if fixed_batch(source.inputs) is not None or stray_texts(originals):
        raise refused(source.framework, originals, cause, numbers=holdout.numbers) from cause
    parts = refused_rows(source.predict, originals)
    if not are_few(parts, holdout.rows):
        many = describe_many(holdout.numbered(parts), holdout.rows)
        raise refused(source.framework, originals, cause, rows=many, numbers=holdout.numbers) from cause
    return parts


def _answers(source: SourceModel, holdout: Holdout) -> dict[str, Array]:
    inputs = holdout.originals
    try:
        answers = source.predict(inputs)
    except PackagerError:
        raise
    except Exception as error:  # whatever framework it is
        raise refused(source.framework, inputs, error, numbers=holdout.numbers) from error
    arrays = {name: np.asarray(value) for name, value in answers.items()}
    check_rows(arrays, len(next(iter(inputs.values()))), where=source.framework)
    return arrays


def _tell_source(source: SourceModel, model: Path, data: Path | None) -> None:
    inputs = ", ".join(spec.name for spec in source.inputs)
    _LOG.info("Read %s: a model of %s, %s", model, source.framework, source.digest, extra=facts(kind=source.format, framework=source.framework))
    _LOG.debug("Its inputs are %s, its outputs %s%s", inputs, ", ".join(source.outputs), f"; the data is {data}" if data else "")
