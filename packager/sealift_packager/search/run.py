"""One candidate, from its spec to its accuracy: calibrated by the method that does best, reverted in part where it misses the gate."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.candidates.built import Built, NotBuilt
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.spec import CandidateSpec, Quantization
from sealift_packager.errors import ConversionError, NothingToQuantizeError, QuantizationError
from sealift_packager.graph import graph
from sealift_packager.graph.residual import separate_residuals, wins_apart
from sealift_packager.measure.accuracy import passes_gate, rows_wanted
from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.source import Array
from sealift_packager.quantize.calibration import Calibration, requests
from sealift_packager.quantize.onnxruntime_backend import prepare
from sealift_packager.quantize.ranges import METHODS, observe
from sealift_packager.quantize.registry import REVERTIBLE, STREAMING, build_candidate, check_buildable
from sealift_packager.quantize.sensitivity import ROWS, lightest_first, node_errors
from sealift_packager.quantize.smoothing import STRENGTHS, channel_maxima, has_products, smooth
from sealift_packager.search.evaluate import Searched, answers, as_the_profile_computes, divergence, judge, worst_row
from sealift_packager.search.folds import Folds, split, take
from sealift_packager.search.revert import first_that_passes, revert

if TYPE_CHECKING:
    from sealift_packager.build.context import Shared


#: Where the nodes' errors are only reported, and decide nothing, fewer requests do.
REPORTED_REQUESTS: Final = 4
#: Enough to tell a better setting from a worse one; which of two like ones is chosen hardly matters.
CHOOSING_ROWS: Final = 64


class Search:
    """What the candidates of one profile have in common: the prepared graph and what calibration saw, made when first needed."""

    def __init__(self, shared: Shared, profile: HardwareProfile, scratch: Path) -> None:
        self._shared = shared
        self._profile = profile
        self._scratch = scratch
        self._histograms = functools.cache(lambda twin: observe(self._prepared, self._seen(twin=twin)))
        self._maxima = functools.cache(lambda twin: channel_maxima(self._prepared, self._seen(twin=twin)))

    def candidate(self, spec: CandidateSpec) -> Searched:
        """Build and judge one candidate.

        1. Where data decides a setting (the method that calibrates, how much is smoothed), it is the one whose answers on other rows are nearest
           to fp32's.
        2. The candidate answers the holdout, out of fold: rows that calibrated it are answered by a twin that they didn't calibrate.
        3. What each node loses by int8 is computed, to be reported; if the gate is missed, the nodes that lose most go back to fp32 until it is
           passed; if that doesn't help, the candidate stays as it was.
        """
        try:
            check_buildable(spec, self._shared.converted.model)
            spec = self._calibrated(spec)  # 1
            found = self._judged(spec)  # 2
            if spec.precision in REVERTIBLE and found.accuracy:
                errors = self._reported_errors(spec) if _passes(found) else self._node_errors(spec)  # 3
                found = found if _passes(found) else self._reverted(found, errors) or found
                found = dataclasses.replace(found, node_errors=errors)
        except (QuantizationError, ConversionError) as error:
            if spec.quantization is None:
                raise
            fault = "" if isinstance(error, NothingToQuantizeError) else "could not be built: "
            return Searched(row=NotBuilt(spec=spec, reason=f"{fault}{error}"))
        return found

    def _calibrated(self, spec: CandidateSpec) -> CandidateSpec:
        tried = self._settings(spec)
        if len(tried) < 2:
            return tried[0]
        return min(tried, key=lambda row: divergence(self._compass, answers(self._built(row), self._choosing)))

    def _settings(self, spec: CandidateSpec) -> list[CandidateSpec]:
        """The same candidate with each setting that the data is to choose among."""
        if spec.precision == "int8-static":
            return [_with(spec, calibration=method) for method in METHODS]
        if spec.precision == "int8-dynamic" and has_products(self._prepared):
            return [_with(spec, smoothing=strength) for strength in STRENGTHS]
        return [spec]

    def _judged(self, spec: CandidateSpec) -> Searched:
        row = self._built(spec)
        if self._shared.holdout is None:
            return Searched(row=row)
        native = answers(row, self._inputs)
        outputs, arithmetic = as_the_profile_computes(row, self._profile, self._shared.machine, self._inputs, native, self._scratch)
        outputs = dict(outputs)
        if spec.quantization and spec.quantization.calibrated:
            rows = self._folds.calibration
            twin = self._built(spec, twin=True)
            given = take(self._inputs, rows)
            replaced, _ = as_the_profile_computes(twin, self._profile, self._shared.machine, given, answers(twin, given), self._scratch)
            for name, values in replaced.items():
                outputs[name] = outputs[name].copy()
                outputs[name][rows] = values
        accuracy = judge(self._shared, outputs, rounded=spec.quantization is not None)
        worst = worst_row(self._shared, outputs)
        return Searched(row=row, outputs=outputs, accuracy=accuracy, worst_row=worst, arithmetic=arithmetic, rows_wanted=self._rows_wanted(spec))

    def _rows_wanted(self, spec: CandidateSpec) -> int:
        reference = self._shared.reference
        if spec.quantization is None or reference is None:
            return 0
        return rows_wanted(reference.metric, len(reference.target), budget=reference.budget)

    def _reported_errors(self, spec: CandidateSpec) -> dict[str, float]:
        try:
            return self._node_errors(spec, REPORTED_REQUESTS)
        except ConversionError:  # a node that can't be run on its own is no reason to lose the candidate
            return {}

    def _node_errors(self, spec: CandidateSpec, most: int = ROWS) -> dict[str, float]:
        settings = spec.quantization
        assert settings is not None
        calibration = self._calibration(settings, twin=False)
        model = smooth(self._prepared, calibration.maxima, settings.smoothing) if settings.smoothing else self._prepared
        return node_errors(model, settings, calibration.histograms, list(itertools.islice(self._seen(twin=False), most)))

    def _reverted(self, found: Searched, errors: Mapping[str, float]) -> Searched | None:
        nodes = list(errors)
        if len(nodes) < 2 or found.rows_wanted:
            return None
        spec = found.row.spec
        if _nearly_passes(found):
            alone = [name for name in lightest_first(self._prepared) if name in errors]
            how = "halved" if spec.precision in STREAMING else "reverted"
            enough = first_that_passes((self._judged(_with(spec, **{how: (name,)})) for name in alone), _passes)
            if enough:
                return enough
        attempt = functools.cache(lambda chosen: self._judged(_with(spec, reverted=tuple(name for name in nodes if name in chosen))))
        chosen = revert(nodes, attempt, _passes)
        return attempt(frozenset(chosen)) if chosen is not None else None

    def _built(self, spec: CandidateSpec, *, twin: bool = False) -> Built:
        if spec.quantization is None:
            row = Built(spec=spec, model=self._shared.converted.model)
        else:
            row = build_candidate(spec, self._prepared, self._calibration(spec.quantization, twin=twin), self._scratch)
        return dataclasses.replace(row, model=separate_residuals(row.model)) if wins_apart(self._profile) else row

    def _calibration(self, settings: Quantization, *, twin: bool) -> Calibration:
        """What the settings are made of, observed once for all candidates."""
        histograms, seen = self._histograms(twin) if settings.calibration else ({}, 0)
        maxima, seen_by_channel = self._maxima(twin) if settings.smoothing else ({}, 0)
        return Calibration(histograms=histograms, maxima=maxima, rows=max(seen, seen_by_channel) * self._request_rows)

    @functools.cached_property
    def _choosing(self) -> dict[str, Array]:
        """Rows that settings are chosen by; no candidate is calibrated on them."""
        rows = self._folds.twin
        return take(self._inputs, rows[:: -(-len(rows) // CHOOSING_ROWS)])

    @functools.cached_property
    def _compass(self) -> dict[str, Array]:
        """What fp32 answers them."""
        return answers(Built(spec=FP32, model=self._shared.converted.model), self._choosing)

    @functools.cached_property
    def _prepared(self) -> Any:
        return prepare(self._shared.converted.model, self._scratch)

    def _seen(self, *, twin: bool) -> Iterator[dict[str, Array]]:
        return requests(take(self._inputs, self._folds.twin if twin else self._folds.calibration), self._request_rows)

    @functools.cached_property
    def _folds(self) -> Folds:
        assert self._shared.holdout is not None
        return split(self._shared.holdout.rows, seed=self._shared.request.seed, request_rows=self._request_rows)

    @property
    def _inputs(self) -> dict[str, Array]:
        assert self._shared.holdout is not None
        return self._shared.holdout.inputs

    @property
    def _request_rows(self) -> int:
        return fixed_batch(graph.input_specs(self._shared.converted.model)) or 1


def _passes(found: Searched) -> bool:
    return passes_gate(found.accuracy, found.worst_row)


def _nearly_passes(found: Searched) -> bool:
    """Whether the gate is missed by no more than chance could explain: the loss, less what it is uncertain by, is within the budget."""
    accuracy = found.accuracy
    uncertain = accuracy.loss_high - accuracy.loss if accuracy else 0.0
    return accuracy is not None and accuracy.loss - uncertain <= accuracy.budget and (found.worst_row is None or found.worst_row <= 1)


def _with(spec: CandidateSpec, **changes: Any) -> CandidateSpec:
    assert isinstance(spec.quantization, Quantization)
    return dataclasses.replace(spec, quantization=dataclasses.replace(spec.quantization, **changes))
