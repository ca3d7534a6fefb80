"""One candidate, built and judged: calibrated by the method that does best, reverted in part where it misses the gate."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import onnx

from sealift_core.hardware.machine import Machine
from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.errors import ConversionError, NothingToQuantizeError, QuantizationError
from sealift_packager.graph import graph
from sealift_packager.graph.residual import separate_residuals, wins_apart
from sealift_packager.measure.accuracy import rows_wanted
from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.calibration import Calibration, requests
from sealift_packager.quantize.onnxruntime_backend import prepare
from sealift_packager.quantize.ranges import METHODS, observe
from sealift_packager.quantize.registry import REVERTIBLE, STREAMING, check_buildable, quantize
from sealift_packager.quantize.sensitivity import REQUESTS, lightest_first, node_errors
from sealift_packager.quantize.smoothing import STRENGTHS, channel_maxima, has_products, smooth
from sealift_packager.search.evaluate import answers, as_the_profile_computes, channel_loss, divergence, judge, worst_row
from sealift_packager.search.folds import Folds, split, take
from sealift_packager.search.reference import Reference
from sealift_packager.search.revert import first_that_passes, revert

#: Where the nodes' errors are only reported, and decide nothing, fewer requests do.
REPORTED_REQUESTS: Final = 4
#: Enough to tell a better setting from a worse one; which of two similar ones is chosen hardly matters.
CHOOSING_ROWS: Final = 64


def unquantized(model: onnx.ModelProto, profile: HardwareProfile) -> CandidateResult:
    """fp32, which isn't judged: the only candidate where there is no holdout."""
    return _built(FP32, model, profile)


class Search:
    """What the candidates of one profile have in common: the prepared graph and the observed ranges, made when first needed.

    ``model`` is the converted graph. There is a holdout, so all that is built is judged.
    """

    def __init__(self, model: onnx.ModelProto, profile: HardwareProfile, reference: Reference, machine: Machine, *, seed: int, scratch: Path) -> None:
        self._model = model
        self._profile = profile
        self._reference = reference
        self._machine = machine
        self._seed = seed
        self._scratch = scratch
        self._inputs = reference.holdout.inputs
        self._request_rows = fixed_batch(graph.input_specs(model)) or 1
        self._histograms = functools.cache(lambda cross: observe(self._prepared, self._seen(cross=cross)))
        self._maxima = functools.cache(lambda cross: channel_maxima(self._prepared, self._seen(cross=cross)))

    def fp32(self) -> CandidateResult:
        """Judge the graph as it is."""
        return self._judged(FP32)

    def quantized(self, candidate: Candidate) -> CandidateResult | NotBuilt:
        """Build and judge one candidate.

        1. Where data decides a setting (the method that calibrates, how much is smoothed), it is the one whose answers on other rows are nearest
           to fp32's.
        2. The candidate answers the holdout, out of fold: rows that calibrated it are answered by a graph that they didn't calibrate.
        3. What each node loses by int8 is computed, to be reported; if the gate is missed, the nodes that lose most go back to fp32 until it is
           passed; if that doesn't help, the candidate stays as it was.
        """
        try:
            check_buildable(candidate, self._model)
            candidate = self._calibrated(candidate)  # 1
            result = self._judged(candidate)  # 2
            return self._with_node_errors(result) if candidate.precision in REVERTIBLE else result  # 3
        except (QuantizationError, ConversionError) as error:
            fault = "" if isinstance(error, NothingToQuantizeError) else "could not be built: "
            return NotBuilt(candidate=candidate, reason=f"{fault}{error}")

    def _with_node_errors(self, result: CandidateResult) -> CandidateResult:
        if result.passes:
            return dataclasses.replace(result, node_errors=self._reported_errors(result.candidate))
        errors = self._node_errors(result.candidate)
        return dataclasses.replace(self._reverted(result, errors) or result, node_errors=errors)

    def _calibrated(self, candidate: Candidate) -> Candidate:
        tried = self._settings(candidate)
        if len(tried) < 2:
            return tried[0]
        return min(tried, key=lambda setting: divergence(self._reference_answers, answers(self._built(setting), self._choosing)))

    def _settings(self, candidate: Candidate) -> list[Candidate]:
        """The same candidate with each setting that the data is to choose among."""
        if candidate.precision == "int8-static":
            return [_with(candidate, calibration=method) for method in METHODS]
        if candidate.precision == "int8-dynamic" and has_products(self._prepared):
            return [_with(candidate, smoothing=strength) for strength in STRENGTHS]
        return [candidate]

    def _judged(self, candidate: Candidate) -> CandidateResult:
        result = self._built(candidate)
        native = answers(result, self._inputs)
        outputs, arithmetic = as_the_profile_computes(result, self._profile, self._machine, self._inputs, native, self._scratch)
        if candidate.quantization and candidate.quantization.calibrated:
            outputs = self._out_of_fold(candidate, outputs)
        channel, channel_share = channel_loss(self._reference, outputs) if candidate.quantization else ("", 0.0)
        judgement = Judgement(
            outputs=dict(outputs),
            accuracy=judge(self._reference, outputs, seed=self._seed, rounded=candidate.quantization is not None),
            worst_row=worst_row(self._reference, outputs),
            arithmetic=arithmetic,
            rows_wanted=self._rows_wanted(candidate),
            worst_channel=channel,
            channel_share=channel_share,
        )
        return dataclasses.replace(result, judgement=judgement)

    def _out_of_fold(self, candidate: Candidate, outputs: Arrays) -> dict[str, Array]:
        """The outputs, with those of the rows that calibrated the candidate from a graph that other rows calibrated."""
        rows, result = self._folds.calibration, self._built(candidate, cross=True)
        inputs = take(self._inputs, rows)
        replaced, _ = as_the_profile_computes(result, self._profile, self._machine, inputs, answers(result, inputs), self._scratch)
        combined = dict(outputs)
        for name, values in replaced.items():
            combined[name] = combined[name].copy()
            combined[name][rows] = values
        return combined

    def _rows_wanted(self, candidate: Candidate) -> int:
        if candidate.quantization is None:
            return 0
        return rows_wanted(self._reference.metric, len(self._reference.target), budget=self._reference.budget)

    def _reported_errors(self, candidate: Candidate) -> dict[str, float]:
        try:
            return self._node_errors(candidate, REPORTED_REQUESTS)
        except ConversionError:  # a node that can't be run on its own is no reason to lose the candidate
            return {}

    def _node_errors(self, candidate: Candidate, most: int = REQUESTS) -> dict[str, float]:
        settings = _settings_of(candidate)
        calibration = self._calibration(settings, cross=False)
        model = smooth(self._prepared, calibration.maxima, settings.smoothing) if settings.smoothing else self._prepared
        return node_errors(model, settings, calibration.histograms, list(itertools.islice(self._seen(cross=False), most)))

    def _reverted(self, result: CandidateResult, errors: Mapping[str, float]) -> CandidateResult | None:
        nodes, judgement, candidate = list(errors), result.judgement, result.candidate
        if len(nodes) < 2 or judgement is None or judgement.rows_wanted:
            return None
        if judgement.nearly_passes:
            alone = [name for name in lightest_first(self._prepared) if name in errors]
            how = "fp16_nodes" if candidate.precision in STREAMING else "reverted"
            enough = first_that_passes((self._judged(_with(candidate, **{how: (name,)})) for name in alone), _passes)
            if enough:
                return enough
        attempt = functools.cache(lambda chosen: self._judged(_with(candidate, reverted=tuple(name for name in nodes if name in chosen))))
        chosen = revert(nodes, attempt, _passes)
        return attempt(frozenset(chosen)) if chosen is not None else None

    def _built(self, candidate: Candidate, *, cross: bool = False) -> CandidateResult:
        """The candidate's graph, calibrated by the rows of one fold or, if ``cross``, by those of the other one."""
        if candidate.quantization is None:
            return _built(candidate, self._model, self._profile)
        calibration = self._calibration(candidate.quantization, cross=cross)
        model = quantize(candidate, self._prepared, calibration, self._scratch)
        return _built(candidate, model, self._profile, calibration_rows=calibration.rows)

    def _calibration(self, settings: Quantization, *, cross: bool) -> Calibration:
        """What the settings are made of, observed once for all candidates."""
        histograms, seen = self._histograms(cross) if settings.calibration else ({}, 0)
        maxima, seen_by_channel = self._maxima(cross) if settings.smoothing else ({}, 0)
        return Calibration(histograms=histograms, maxima=maxima, rows=max(seen, seen_by_channel) * self._request_rows)

    @functools.cached_property
    def _choosing(self) -> dict[str, Array]:
        """Rows that settings are chosen by; no candidate is calibrated on them."""
        rows = self._folds.cross
        return take(self._inputs, rows[:: -(-len(rows) // CHOOSING_ROWS)])

    @functools.cached_property
    def _reference_answers(self) -> dict[str, Array]:
        """What fp32 answers them."""
        return answers(CandidateResult.built(FP32, self._model), self._choosing)

    @functools.cached_property
    def _prepared(self) -> onnx.ModelProto:
        return prepare(self._model, self._scratch)

    def _seen(self, *, cross: bool) -> Iterator[dict[str, Array]]:
        return requests(take(self._inputs, self._folds.cross if cross else self._folds.calibration), self._request_rows)

    @functools.cached_property
    def _folds(self) -> Folds:
        return split(self._reference.holdout.rows, seed=self._seed, request_rows=self._request_rows)


def _built(candidate: Candidate, model: onnx.ModelProto, profile: HardwareProfile, *, calibration_rows: int = 0) -> CandidateResult:
    deployed = separate_residuals(model) if wins_apart(profile) else model
    return CandidateResult.built(candidate, deployed, calibration_rows=calibration_rows)


def _passes(result: CandidateResult) -> bool:
    return result.passes


def _settings_of(candidate: Candidate) -> Quantization:
    if candidate.quantization is None:
        raise ValueError(f"{candidate.name} isn't quantized")
    return candidate.quantization


def _with(candidate: Candidate, **changes: Any) -> Candidate:
    return dataclasses.replace(candidate, quantization=dataclasses.replace(_settings_of(candidate), **changes))
