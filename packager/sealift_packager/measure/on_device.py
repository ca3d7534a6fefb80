"""All figures of the candidates of one profile, on a device that fits it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.evaluation import Measurement
from sealift_core.errors import HardwareError
from sealift_core.hardware.match import fit
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.messages.measuring import Run
from sealift_core.signing.keys import Signer
from sealift_core.timing.throughput import Throughput
from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.errors import PackagerError
from sealift_packager.graph.settings import DEFAULT_LEVEL
from sealift_packager.graph.tensors import refers
from sealift_packager.measure import latency
from sealift_packager.measure.comparison import Compared, compare
from sealift_packager.measure.device import DeviceJob, inputs_file
from sealift_packager.measure.device_address import OPTION, DeviceAddress
from sealift_packager.measure.figures import BATCH_SHARE, LEVEL_SHARE, Workload, footprint_figures
from sealift_packager.measure.host import Host, judge_host
from sealift_packager.measure.probe import Footprint
from sealift_packager.measure.tuning import LEVEL_ROUNDS, OTHER_LEVELS, quickest_level, settings_for
from sealift_packager.model.source import Array
from sealift_packager.sandbox.outside import outside


def judge_device(address: DeviceAddress, profile: HardwareProfile, signer: Signer | None) -> Host:
    """What the device is; `HardwareError` if it doesn't fit the profile that it would speak for."""
    with _job(address, signer, {}) as job:
        device = job.device
    result = fit(profile, device.machine)
    if not result.fits:
        raise HardwareError(
            f"the device doesn't fit the profile {profile.name} ({' '.join(result.unmet)})",
            where=f"{OPTION} {address.url}",
            found=device.machine.cpu_model,
            advice=f"Name a device that fits, or name the profile that this device is for: {OPTION} PROFILE={address.url}#{address.device}",
        )
    return judge_host(profile, device.machine, beside=f", device {device.device_id[:16]}, onnxruntime {device.onnxruntime}")


def measure_on_device(
    address: DeviceAddress,
    signer: Signer | None,
    results: Sequence[CandidateResult],
    work: Workload,
    threads: Sequence[int],
    *,
    machine: str,
    seconds: float,
    footprints: int,
) -> dict[str, Figures]:
    """As `figures.measure_candidates` does here: graph level and threads for each candidate, all compared for about ``seconds``.

    The rows of ``work`` are synthetic: nobody's data is sent.
    """
    large = next((result for result in results if refers(result.model)), None)
    if large is not None:
        raise PackagerError(
            "the model is too large to be sent to a device",
            where=OPTION,
            expected="weights that fit in one protobuf message",
            found=f"{large.size_bytes >> 20:,} MiB",
            advice="Pack it on hardware that fits its profile, or leave the option out; the bundle then says that it wasn't measured.",
        )
    models = {result.name: bytes(result.model.SerializeToString()) for result in results}
    example, rows = inputs_file(work.example), inputs_file(work.rows)
    example_digest, rows_digest = Digest.of(example), Digest.of(rows)
    with _job(address, signer, {Digest.of(data): data for data in (*models.values(), example, rows)}) as job:
        firsts = {result.name: _run(result, models[result.name], min(threads)) for result in results}
        tuned = {name: _choose_level(job, example_digest, run, seconds=LEVEL_SHARE * seconds) for name, run in firsts.items()}
        runs = {name: {count: dataclasses.replace(run, name=f"{name} {count}", threads=count) for count in threads} for name, run in tuned.items()}
        compared = _compare(job, example_digest, runs, seconds=seconds)
        chosen = {name: runs[name][comparison.threads] for name, comparison in compared.items()}
        rates = {name: job.throughput(rows_digest, run, batches=work.batches, seconds=BATCH_SHARE * seconds) for name, run in chosen.items()}
        loaded = {name: [Footprint(*job.footprint(example_digest, run)) for _ in range(footprints)] for name, run in chosen.items()}
    return {name: _figures(run, compared[name].samples_ms, rates[name], loaded[name], machine) for name, run in chosen.items()}


def _compare(job: DeviceJob, inputs: Digest, runs: Mapping[str, Mapping[int, Run]], *, seconds: float) -> dict[str, Compared]:
    """All runs, by candidate and threads, opened by a process of the device for each opening."""
    by_name = {run.name: run for by_threads in runs.values() for run in by_threads.values()}
    names = {name: {count: run.name for count, run in by_threads.items()} for name, by_threads in runs.items()}
    return compare(
        lambda order, share, rounds: job.latency(inputs, [by_name[name] for name in order], seconds=share, rounds=rounds), names, seconds=seconds
    )


def _choose_level(job: DeviceJob, inputs: Digest, run: Run, *, seconds: float) -> Run:
    """The run with the graph optimization level that suits it."""
    levels = {level: dataclasses.replace(run, name=f"{run.name} {level}", graph_optimization=level) for level in (DEFAULT_LEVEL, *OTHER_LEVELS)}
    samples = job.latency(inputs, list(levels.values()), seconds=seconds, rounds=(LEVEL_ROUNDS, latency.MAX_ROUNDS))
    return levels[quickest_level({level: samples[tried.name] for level, tried in levels.items()})]


def _run(result: CandidateResult, model: bytes, threads: int) -> Run:
    settings = settings_for(result, threads)
    return Run(
        name=f"{result.name} {threads}",
        model=Digest.of(model),
        threads=threads,
        graph_optimization=settings.graph_optimization,
        config=dict(settings.config),
    )


def _figures(run: Run, samples: Array, most: Throughput, footprints: Sequence[Footprint], machine: str) -> Figures:
    median, slow = np.quantile(samples, [0.5, 0.99])
    measurement = Measurement(
        latency_p50_ms=round(float(median), 4),
        latency_p99_ms=round(float(slow), 4),
        throughput_rows_per_s=most.rows_per_s,
        throughput_batch_size=most.batch_size,
        machine=machine,
        **footprint_figures(footprints),
    )
    peaks = [footprint.peak_memory_bytes for footprint in footprints]
    return Figures(threads=run.threads, graph_optimization=run.graph_optimization, samples_ms=samples, measurement=measurement, peaks=peaks)


def _job(address: DeviceAddress, signer: Signer | None, files: Mapping[Digest, bytes]) -> Any:
    outer = outside()
    return outer.device_job(address, files) if outer is not None else DeviceJob(address, required(signer), files)


def required(signer: Signer | None) -> Signer:
    """The signer; `PackagerError` if there is none."""
    if signer is None:
        raise PackagerError("measuring on a device needs a key that it trusts", where=OPTION, advice="Pass it with --key.")
    return signer
