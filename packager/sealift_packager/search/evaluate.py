"""What a candidate answers on the whole holdout, and how much worse that is than its source."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from sealift_core.bundle.evaluation import Accuracy
from sealift_core.hardware.cpu_flags import VNNI
from sealift_core.hardware.machine import Machine
from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.graph.session import Settings, open_session, run_batched
from sealift_packager.measure.accuracy import assess
from sealift_packager.measure.channels import BEYOND, CHANNEL_LIMIT, mean_loss, worst_channel
from sealift_packager.measure.emulation import TIMEOUT_S, Processor, find_emulator, missing, processor_for, run_emulated
from sealift_packager.measure.metrics import Metric
from sealift_packager.measure.predictions import Prediction, read_prediction
from sealift_packager.model.source import Array, Arrays
from sealift_packager.quantize.saturation import may_saturate
from sealift_packager.search.reference import Reference

INT8_COMPUTE: Final = ("int8-dynamic", "int8-static", "int8-blocks", "int4-blocks")
#: MatMulNBits' kernels multiply magnitudes of at most 127 and carry the sign apart, so that they don't saturate on any processor.
SATURATING: Final = ("int8-dynamic", "int8-static")


def answers(result: CandidateResult, inputs: Arrays) -> dict[str, Array]:
    """All outputs for all rows, on this machine."""
    return run_batched(open_session(result.model, Settings(entries=result.candidate.session_entries), where=result.name), inputs)


def judge(reference: Reference, outputs: Arrays, *, seed: int, rounded: bool) -> Accuracy:
    """The loss against the source's own answers, with its interval; ``rounded`` as `assess` has it."""
    packaged = read_prediction(outputs, reference.output, threshold=reference.prediction.threshold)
    return assess(reference.metric, reference.target, reference.prediction, packaged, budget=reference.budget, seed=seed, rounded=rounded)


def worst_row(reference: Reference, outputs: Arrays) -> float | None:
    """The largest loss of any row, as a share of what one row may lose."""
    metric, allowed = reference.metric, (reference.metric.row_budget or 0.0) * reference.budget
    if metric.by_row is None or metric.row_budget is None:
        return None
    packaged = read_prediction(outputs, reference.output, threshold=reference.prediction.threshold)
    losses = metric.by_row(reference.target, reference.prediction) - metric.by_row(reference.target, packaged)
    largest = float((losses if metric.higher_is_better else -losses).max())
    return largest / allowed if allowed else (0.0 if largest <= 0 else np.inf)


def channel_loss(reference: Reference, outputs: Arrays) -> tuple[str, float]:
    """The channel that is furthest from the source's own answers, and its loss as a share of what a channel may lose; of no output ("", 0)."""
    metric = reference.metric
    worst = worst_channel(reference.prediction.outputs, outputs, unseen_outputs(metric, reference.prediction))
    allowed = CHANNEL_LIMIT if metric.row_budget is None else metric.row_budget * reference.budget
    if worst is None:
        return "", 0.0
    return str(worst), worst.loss / allowed if allowed else (0.0 if worst.loss <= 0 else max(worst.loss, BEYOND))


def unseen_outputs(metric: Metric, prediction: Prediction) -> tuple[str, ...]:
    """The outputs of which the metric doesn't show every channel: what it doesn't judge, and several numbers of which it makes one."""
    judged = prediction.judged if metric.needs or metric.against_source or len(prediction.outputs) == 1 else ()
    wide = {name for name in judged if metric.pools_channels and prediction.outputs[name].size > len(prediction.outputs[name])}
    return tuple(name for name in prediction.outputs if name not in judged or name in wide)


def hides_saturation(profile: HardwareProfile, machine: Machine) -> bool:
    """Whether the profile's processors sum int8 products in 16 bits and this machine doesn't."""
    if profile.cpu.arch != "x86_64" or VNNI & set(profile.cpu.required_flags):
        return False
    return machine.arch != "x86_64" or bool(VNNI & machine.cpu_flags)


def emulated_processor(profile: HardwareProfile, machine: Machine) -> Processor | None:
    """The processor whose int8 arithmetic this machine's doesn't show; None if they compute alike. Pure."""
    other = profile.cpu.arch != machine.arch and profile.cpu.arch != "x86_64"
    return processor_for(profile.cpu) if other or hides_saturation(profile, machine) else None


def as_the_profile_computes(
    result: CandidateResult, profile: HardwareProfile, machine: Machine, inputs: Arrays, native: Arrays, scratch: Path
) -> tuple[Arrays, str]:
    """Answers as the profile's processors give them, and a sentence on how that is known.

    1. The same arithmetic here and there: this machine's answers.
    2. x86-64 without VNNI, and a graph whose weights can't overflow: this machine's answers, proven.
    3. Else the profile's processor is emulated, if qemu-user is there and gets it done; if not, that it wasn't checked is said.
    """
    candidate = result.candidate
    processor = emulated_processor(profile, machine) if candidate.precision in INT8_COMPUTE else None
    if processor is None:  # 1
        return native, ""
    risky: tuple[str, ...] = ()
    if processor.arch == "x86_64":  # 2
        risky = may_saturate(result.model, fused=not candidate.session_entries) if candidate.precision in SATURATING else ()
        if not risky:
            return native, "int8 products can't saturate: two neighbouring weights add up to at most 128" if candidate.precision in SATURATING else ""
    emulator = find_emulator(processor)  # 3
    emulated = run_emulated(emulator, result.model, inputs, candidate.session_entries, scratch) if emulator else None
    if emulated is not None:
        return emulated, f"accuracy as {emulator} computes it"
    slow = f"{emulator} needs more than {TIMEOUT_S} s" if emulator else ""
    if risky:
        return native, f"not checked on a processor without VNNI, where {len(risky)} layers may saturate ({slow or missing(processor)})"
    return native, f"accuracy computed on {machine.arch}, not checked on {profile.cpu.arch}{f' ({slow})' if slow else ''}"


def divergence(reference: Arrays, outputs: Arrays) -> float:
    """The mean loss of the channels of all float outputs, each on its own scale: how far a candidate is from fp32, whatever the metric.

    It is infinite where ``outputs`` have a NaN in place of a number, which would compare with nothing.
    """
    return mean_loss(reference, outputs)
