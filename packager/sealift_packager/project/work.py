"""A job done: what every worker runs, wherever it is."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_core.errors import SealiftError
from sealift_packager.keys.passphrase import Passphrases
from sealift_packager.project.job import JobOutcome, PackJob

if TYPE_CHECKING:
    from sealift_packager.build.request import PackRequest


def do(job: PackJob, passphrase: bytes | None = None) -> JobOutcome:
    """Pack one model; its key is opened with ``passphrase``, or with what the environment has.

    What is wrong with the model is an outcome, not an error; a fault of ours is raised.
    """
    start = time.monotonic()
    try:
        with contextlib.chdir(job.folder):
            return _pack(job, start, passphrase)
    except (SealiftError, OSError) as error:
        return JobOutcome(name=job.name, seconds=time.monotonic() - start, error=str(error))


def _pack(job: PackJob, start: float, passphrase: bytes | None) -> JobOutcome:
    from sealift_packager.build.isolated import pack
    from sealift_packager.cache.store import default_store
    from sealift_packager.lock.lockfile import check_writable, read_lock, write_lock

    request, place = _request(job, passphrase), Path(job.lock)
    given = read_lock(place) if job.locked else None
    check_writable(place, job.name)
    packed = pack(request, cache=default_store() if job.cache else None, lock=given)
    if given is None:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_lock(packed.lock, place)
    return JobOutcome(
        name=job.name,
        seconds=time.monotonic() - start,
        digest=str(packed.digest),
        bundles={ref.profile: str(ref.manifest.digest) for ref in packed.release.bundles},
        chosen={name: profile_lock.chosen for name, profile_lock in packed.lock.profiles.items()},
    )


def _request(job: PackJob, passphrase: bytes | None) -> PackRequest:
    from sealift_packager.build.request import PackRequest
    from sealift_packager.measure.device_address import DeviceAddress
    from sealift_packager.profiles.library import load_profile

    passphrases = Passphrases(given=(passphrase,)) if passphrase else Passphrases.collect()
    return PackRequest(
        model=Path(job.model),
        name=job.name,
        version=job.version,
        profiles=tuple(load_profile(name, job.objective) for name in job.profiles),
        out=Path(job.out),
        data=Path(job.data) if job.data else None,
        target=job.target,
        metric=job.metric,
        output=job.output,
        max_drop=job.max_drop,
        signer=passphrases.check(Path(job.key)) if job.key else None,
        trust_pickle=job.trust_pickle,
        format=job.format,
        golden_from=Path(job.golden_from) if job.golden_from else None,
        factory=job.factory,
        state_key=job.state_key,
        allow_extra=job.allow_extra,
        dynamic=job.dynamic,
        shape=job.shape,
        example=tuple(map(Path, job.example)),
        inputs=job.inputs,
        image_mean=job.image_mean,
        image_std=job.image_std,
        measure_on=tuple(DeviceAddress.parse(text) for text in job.measure_on),
        seed=job.seed,
        measure_seconds=job.measure_seconds,
        model_timeout=job.model_timeout,
        sandbox=not job.no_sandbox,
        force=job.force,
        description=job.description,
        license=job.license,
    )
