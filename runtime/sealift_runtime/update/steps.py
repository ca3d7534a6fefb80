"""One function per state: does the state's work and enters the next one, durably, or raises and stays.

An error that may be gone tomorrow (a line, a disk, a damaged mirror) is raised as it is, and holds the update up. What may be the release's own
fault (a bundle that doesn't fit, a signature, a failed self-test) is raised as `AgainstReleaseError`, out of `judging`; what it leads to, the
table says.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sealift_core.bundle import files
from sealift_core.bundle.layout import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.release import BundleFiles, BundleRef, Release
from sealift_core.clock import format_time
from sealift_core.errors import DocumentError, IntegrityError, LimitError, MemoryShortageError, SelfTestError
from sealift_core.hardware.match import choose
from sealift_core.process.sandbox import missing_walls
from sealift_core.terminal.records import facts
from sealift_runtime.engine.selftest import SelfTestResult, run_self_test
from sealift_runtime.update import recovery
from sealift_runtime.update.context import AgainstReleaseError, Context, judging
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.probation import Decision, judge
from sealift_runtime.update.records import InstalledBundle, Probation, ServingCounters, Update
from sealift_runtime.update.select import Facts, candidates, select_bundle
from sealift_runtime.update.table import ATTEMPTS, Ground, State

#: The setting with what the sandbox of the last self-test lacked.
SANDBOX_GAPS: Final = "sandbox-gaps"
_LOG: Final = logging.getLogger("sealift.update")

Step = Callable[[Context, Update], Update]


def check(context: Context, update: Update) -> Update:
    """Choose the bundle of the release for this machine."""
    index = Descriptor(media_type=INDEX_TYPE, digest=update.release, size_bytes=update.release_size)
    data = context.store.fetch_document(index, context.transport(), max_bytes=LIMITS.oci_document_bytes)
    with judging():
        release = Release.parse(data, where=f"releases/{update.name}/{update.version}")
        if (release.name, release.version) != (update.name, update.version):
            expected, actual = f"{update.name} {update.version}", f"{release.name} {release.version}"
            raise IntegrityError("the release isn't the one that the channel names", where=str(update.release), expected=expected, found=actual)
        refs = candidates(release, context.machine)
    manifests = {ref.profile: _manifest(context, ref) for ref in refs}
    with judging():
        chosen = select_bundle(release, manifests, Facts(machine=context.machine, onnxruntime=context.onnxruntime))
    _check_space(context, chosen, manifests[chosen.profile])
    _tell_choice(context, update, manifests, chosen)
    return context.enter(update, State.FETCHING, bundle=chosen.manifest.digest, bundle_size=chosen.manifest.size_bytes, profile=chosen.profile)


def _manifest(context: Context, ref: BundleRef) -> BundleManifest:
    """bundle.json of one bundle of a release, without the rest of it."""
    data = context.store.fetch_document(ref.manifest, context.transport(), max_bytes=LIMITS.oci_document_bytes)
    with judging():
        manifest = BundleFiles.parse(data, where=f"{ref.profile}: OCI manifest").layers[files.MANIFEST]
    data = context.store.fetch_document(manifest, context.transport(), max_bytes=LIMITS.manifest_bytes)
    with judging():
        return BundleManifest.parse(data, where=f"{ref.profile}: {files.MANIFEST}")


def _check_space(context: Context, chosen: BundleRef, manifest: BundleManifest) -> None:
    """`DiskFullError` unless there is room for the files of a bundle that aren't here yet, and for what its manifest asks for beside them."""
    blobs = BundleFiles.parse(context.store.layout.read(chosen.manifest.digest), where=str(chosen.manifest.digest)).blobs()
    beside = manifest.requires.disk_bytes - sum(blob.size_bytes for blob in blobs)
    context.store.check_space(blobs, max(0, beside) if context.store.missing(blobs) else 0)


def fetch(context: Context, update: Update) -> Update:
    """Fetch every blob that this device lacks, once the disk has space for all of them."""
    bundle = context.installed(update)
    index = Descriptor(media_type=INDEX_TYPE, digest=update.release, size_bytes=update.release_size)
    context.store.fetch_document(index, context.transport(), max_bytes=LIMITS.oci_document_bytes)  # it is here, unless this disk damaged it
    manifest = Descriptor(media_type=MANIFEST_TYPE, digest=bundle.digest, size_bytes=update.bundle_size)
    data = context.store.fetch_document(manifest, context.transport(), max_bytes=LIMITS.oci_document_bytes)
    blobs = BundleFiles.parse(data, where=str(bundle.digest)).blobs()
    missing = context.store.missing(blobs)
    context.store.check_space(missing)
    for blob in missing:
        context.store.fetch(blob, context.transport())
    _tell_fetched(update, missing, len(blobs) - len(missing))
    return context.enter(update, State.VERIFYING)


def verify(context: Context, update: Update) -> Update:
    """Make the directory, and check all of it, every byte read from this disk; a damaged blob is removed and fetched anew."""
    bundle = context.installed(update)
    try:
        _materialize(context, bundle)
    except AgainstReleaseError:
        if damaged := recovery.drop(context, bundle):
            names = ", ".join(str(context.store.layout.path(digest)) for digest in damaged)
            context.record("damaged", update, f"{names}: the content was changed on this disk; it is fetched again")
            return context.enter(update, State.FETCHING)
        _materialize(context, bundle)  # every blob is as it was signed: it is the release's fault if the same comes out once more
    _LOG.info("%s %s: every byte of the bundle is as signed", update.name, update.version)
    return context.enter(update, State.STAGED)


def _materialize(context: Context, bundle: InstalledBundle) -> None:
    with judging():
        context.store.materialize(bundle.digest)
        context.checked[bundle.digest] = check_installed(context.store, bundle)


def stage(context: Context, update: Update) -> Update:
    """Go on to the self-test."""
    return context.enter(update, State.SELF_TESTING)


def self_test(context: Context, update: Update) -> Update:
    """Let the bundle prove itself in a process of its own; then make it current. A try that was hindered is no attempt."""
    bundle = context.installed(update)
    if update.attempts >= ATTEMPTS:
        raise AgainstReleaseError(Ground.ENDLESS, SelfTestError(f"its self-test was started {update.attempts} times and never finished"))
    begun = dataclasses.replace(update, attempts=update.attempts + 1)
    context.state.put(begun)
    try:
        if not _proven(context, begun, bundle):  # the bundle isn't what was signed any more
            return context.enter(update, State.FETCHING)
    except AgainstReleaseError:
        raise
    except BaseException:  # a hindrance, or somebody who ends this process in order
        context.state.put(update)
        raise
    update = begun
    now = context.clock.now()
    waiting = Probation(started=now, deadline=now, start=ServingCounters(), before=context.data_plane.counters(update.name))
    with context.state.transaction():
        deployment = context.state.deployment(update.name)
        context.state.set_deployment(update.name, bundle, deployment.current if deployment else None)
        return context.enter(update, State.ACTIVATING, probation=waiting)


def _proven(context: Context, update: Update, bundle: InstalledBundle) -> bool:
    """Whether a bundle passed; False if this disk damaged it since it was staged, whether before the self-test or in its course."""
    if not _whole(context, update, bundle, context.checked.get(bundle.digest)):
        return False
    try:
        _prove(context, update, bundle)
    except AgainstReleaseError:
        if _whole(context, update, bundle, None):
            raise
        return False
    return True


def _whole(context: Context, update: Update, bundle: InstalledBundle, unchanged_since: str | None) -> bool:
    """Whether a staged bundle still is what was signed, to the last byte; one that this disk damaged is dropped, to be fetched again."""
    try:
        context.checked[bundle.digest] = check_installed(context.store, bundle, unchanged_since)
    except (IntegrityError, DocumentError, LimitError) as error:
        context.record("damaged", update, f"{error}; it is fetched again")
        recovery.drop(context, bundle)
        return False
    return True


def _prove(context: Context, update: Update, bundle: InstalledBundle) -> None:
    """Run the self-test, and remember what its sandbox lacked, with an event if that is new."""
    policy = context.policy
    with judging():
        result = run_self_test(
            bundle.directory,
            memory_bytes=policy.self_test_memory_bytes,
            timeout_s=policy.self_test_timeout_s,
            slowdown_limit=policy.slowdown_limit,
            sandbox=policy.sandbox,
        )
    _tell_self_test(update, result)
    missing = " ".join(missing_walls(result.walls)) if result.walls else ""
    if missing != (context.state.setting(SANDBOX_GAPS) or ""):
        with context.state.transaction():
            context.state.set_setting(SANDBOX_GAPS, missing)
            context.record("sandbox", update, missing or "the sandbox of self-tests is complete again")


def activate(context: Context, update: Update) -> Update:
    """Let the data plane serve what is current. If it can't, the old bundle is current again until the next try, or for good.

    What the data plane finds damaged was whole a moment ago, so it is fetched again.
    """
    checked = context.checked.pop(update.bundle, None) if update.bundle else None
    bundle = context.installed(update)
    try:
        with judging():
            context.publisher.publish(update.name, checked)
    except MemoryShortageError:
        context.withdraw(update, attempts=update.attempts - 1)
        raise
    except AgainstReleaseError:
        if _whole(context, update, bundle, None):
            raise
        return context.withdraw(update, State.FETCHING, attempts=update.attempts - 1)
    _LOG.info("%s %s: it is current now; a running agent serves it from here on", update.name, update.version)
    now = context.clock.now()
    before = update.probation.before if update.probation else None
    start = context.data_plane.counters(update.name) or ServingCounters()
    deadline = now + datetime.timedelta(seconds=context.policy.probation.duration_s)
    context.record("activated", update, f"on probation for {context.policy.probation.duration_s:.0f} s")
    return context.enter(update, State.PROBATION, probation=Probation(started=now, deadline=deadline, start=start, before=before))


def decide(context: Context, update: Update) -> Update:
    """Commit, wait or go back, as `probation.judge` says."""
    now = context.clock.now()
    if update.probation is None or now < update.probation.started:  # the clock was set back: the window starts anew
        return _restart_window(context, update, now)
    verdict = judge(update.probation, context.data_plane.counters(update.name), now, context.policy.probation)
    if verdict.decision is Decision.ROLL_BACK:
        return context.roll_back(update, verdict.reason)
    if verdict.decision is Decision.WAIT:
        _LOG.debug("%s %s: on probation until %s", update.name, update.version, format_time(update.probation.deadline))
        return update
    with context.state.transaction():
        update = context.enter(update, State.COMMITTED, reason=verdict.reason)
        context.record("installed", update, verdict.reason)
    return update


def _restart_window(context: Context, update: Update, now: datetime.datetime) -> Update:
    """Restart the window of a probation whose start lies in the future."""
    deadline = now + datetime.timedelta(seconds=context.policy.probation.duration_s)
    window = update.probation or Probation(started=now, deadline=deadline, start=ServingCounters(), before=None)
    update = dataclasses.replace(update, probation=dataclasses.replace(window, started=now, deadline=deadline))
    context.state.put(update)
    return update


def _tell_choice(context: Context, update: Update, manifests: Mapping[str, BundleManifest], chosen: BundleRef) -> None:
    """Which bundle is to run here; the fitting profile that asks for the most is taken."""
    for result in choose([manifest.profile for manifest in manifests.values()], context.machine)[1]:
        state = "fits" if result.fits else "doesn't fit"
        _LOG.debug("%s %s: profile %s %s: %s", update.name, update.version, result.profile, state, " ".join(result.reasons))
    text = "%s %s: chose profile %s out of %d for %s: it is the most specific one that fits, and its requirements are met"
    given = facts(model=update.name, version=update.version, profile=chosen.profile, bundle=str(chosen.manifest.digest))
    _LOG.info(text, update.name, update.version, chosen.profile, len(manifests), context.machine.arch, extra=given)


def _tell_fetched(update: Update, fetched: Sequence[Descriptor], present: int) -> None:
    """How much came, and how much was here already."""
    size = sum(blob.size_bytes for blob in fetched)
    text, given = "%s %s: files fetched: %d (%s bytes); already on this device: %d", facts(fetched=len(fetched), size_bytes=size, known=present)
    _LOG.info(text, update.name, update.version, len(fetched), f"{size:,}", present, extra=given)


def _tell_self_test(update: Update, result: SelfTestResult) -> None:
    measured = f", {result.reference_latency_ms:.3g} ms where it was packed" if result.reference_latency_ms else ""
    text = "%s %s: the self-test passed: %d golden cases, the largest error is %.2g of the tolerance; p50 %.3g ms%s; peak memory %d MiB"
    given = facts(cases=result.cases, latency_ms=result.latency_ms, peak_memory_bytes=result.peak_memory_bytes)
    peak = result.peak_memory_bytes // 2**20
    _LOG.info(text, update.name, update.version, result.cases, result.worst_excess, result.latency_ms, measured, peak, extra=given)


STEPS: Final[Mapping[State, Step]] = {
    State.CHECKING: check,
    State.FETCHING: fetch,
    State.VERIFYING: verify,
    State.STAGED: stage,
    State.SELF_TESTING: self_test,
    State.ACTIVATING: activate,
    State.PROBATION: decide,
}
