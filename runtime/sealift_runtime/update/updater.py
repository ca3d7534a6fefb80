"""All of the update: refresh what is trusted, plan what to install, advance to rest, roll back, recover at a start."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor
from sealift_core.clock import BUILD_TIME, Clock, SystemClock
from sealift_core.errors import DocumentError, IntegrityError, LimitError, SealiftError, StoreError, TrustError, UpdateError, nearest
from sealift_core.hardware.machine import Machine
from sealift_core.messages.channel import MAX_BYTES
from sealift_core.terminal.records import facts
from sealift_runtime.engine.facts import onnxruntime_version
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.transport.base import Transport
from sealift_runtime.trust.expiry import certain_time, check_expiry
from sealift_runtime.trust.state import TrustState
from sealift_runtime.trust.targets import TrustedTargets
from sealift_runtime.update import recovery
from sealift_runtime.update.context import AgainstReleaseError, Context, translating_device_errors
from sealift_runtime.update.data_plane import DataPlaneLink, NoDataPlane
from sealift_runtime.update.desired import DataPlaneSettings
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.left_out import left_out
from sealift_runtime.update.lock import HomeLock
from sealift_runtime.update.noted import LEFT_OUT, WITHDRAWN, note
from sealift_runtime.update.policy import Subscription, UpdatePolicy
from sealift_runtime.update.publishing import Publisher
from sealift_runtime.update.records import RefusedRelease, Update
from sealift_runtime.update.refresh import refresh_trust
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.steps import STEPS
from sealift_runtime.update.table import TABLE, State
from sealift_runtime.update.trust_folder import TrustFolder

#: States before the new bundle is current: a newer release replaces the update. Later ones are brought to an end.
REPLACEABLE: Final = (State.CHECKING, State.FETCHING, State.VERIFYING, State.STAGED, State.SELF_TESTING)
#: States whose work needs the repository.
FROM_REPOSITORY: Final = (State.CHECKING, State.FETCHING)
LAST_REFUSAL: Final = "last-refusal"
LAST_STALE: Final = "last-stale"
#: The settings with what the channel named when it was last looked at, and with that channel's name.
CHANNEL_DIGEST: Final = "channel-digest"
CHANNEL_NAME: Final = "channel-name"
_LOG: Final = logging.getLogger("sealift.update")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUpdate:
    """A release that this device is to install."""

    name: str
    version: str
    release: Descriptor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceResult:
    """What `Updater.advance` came to: the latest update of each model, and what holds some of them up.

    ``wait_until`` is when the next probation ends, if one runs.
    """

    updates: tuple[Update, ...]
    problems: tuple[SealiftError, ...]
    wait_until: datetime.datetime | None


class Updater:
    """Keeps a device's home as its channel says. Every method that changes something holds the home's lock."""

    def __init__(
        self,
        *,
        home: Path,
        transport: Callable[[], Transport],
        machine: Machine,
        state: StateDatabase,
        store: DeviceStore,
        subscription: Subscription | None = None,
        policy: UpdatePolicy | None = None,
        data_plane: DataPlaneLink | None = None,
        settings: DataPlaneSettings | None = None,
        clock: Clock | None = None,
        onnxruntime: str | None = None,
    ) -> None:
        self._home = home
        self.trust = TrustFolder(home / "trust")
        self._lock = HomeLock(home / "update.lock")
        self._subscription = subscription or Subscription()
        self._last_summary = ""
        link = data_plane or NoDataPlane()
        self._context = Context(
            state=state,
            store=store,
            transport=transport,
            machine=machine,
            onnxruntime=onnxruntime or onnxruntime_version(),
            clock=clock or SystemClock(),
            data_plane=link,
            publisher=Publisher(state, DesiredFile(home), link, settings),
            policy=policy or UpdatePolicy(),
        )

    def hold(self) -> contextlib.AbstractContextManager[None]:
        """Hold the home's lock over several calls, or for an agent's life; `BusyError` if another process has it."""
        return self._lock.hold()

    def refresh(self) -> str | None:
        """Bring the newest metadata and the channel; a sentence if they are stale, else None.

        Raises `TrustError` and its kinds, `IntegrityError` or `DocumentError` for a channel, or what the transport
        raises. What is refused is an event (a repeated refusal is recorded once), and changes nothing.
        """
        context = self._context
        with self._lock.hold(), self._recorded_refusals(), translating_device_errors(self._home):
            loaded = self.trust.load()
            if loaded.damaged:
                self.trust.save(loaded.state)
            for path in loaded.damaged:
                context.state.record("damaged", detail=f"{path}: trusted metadata was changed on this disk", now=context.clock.now())
            refreshed = refresh_trust(
                loaded.state,
                context.transport(),
                clock=context.clock.now(),
                max_staleness=context.policy.max_staleness,
                save=self.trust.save,
            )
            targets = TrustedTargets.of(refreshed.state)
            self._tell(refreshed.state, self._channel(targets))
            running = {(one.current.name, one.current.version) for one in context.state.deployments() if one.current}
            note(context, WITHDRAWN, running & targets.withdrawn, "its publisher withdrew it; it stays until the channel names another version")
            self._record_once(LAST_STALE, "stale", refreshed.stale)
            return refreshed.stale

    def plan(self) -> tuple[PlannedUpdate, ...]:
        """The releases that the channel wants and that are neither installed, under way, nor refused.

        Raises `ExpiredError` or `TrustError` if nobody vouches for the channel any more, `UpdateError` if it lacks a
        model that the device subscribes to.
        """
        return self._planned(self._subscribed())

    def _planned(self, subscribed: Mapping[str, tuple[str, Descriptor]]) -> tuple[PlannedUpdate, ...]:
        refused = {refusal.release for refusal in self._context.state.refusals()}
        return tuple(
            PlannedUpdate(name=name, version=version, release=release)
            for name, (version, release) in sorted(subscribed.items())
            if release.digest not in refused and release.digest not in self._in_place(name)
        )

    def advance(self, *, patient: bool = False) -> AdvanceResult:
        """Begin what is planned and drive every update until it rests, waits for its probation, or is held up.

        Whoever is ``patient`` leaves the updates alone that were held up and whose next try isn't due yet.
        """
        context = self._context
        state = context.state
        problems: list[SealiftError] = []
        absent: set[tuple[str, str]] = set()
        with self._lock.hold():
            problems += self._attempted(lambda: absent.update(self._begin_planned(patient=patient)))
            for update in state.unfinished():
                beyond_reach = (update.name, update.version) in absent and update.state in FROM_REPOSITORY
                if not beyond_reach and not (patient and context.rests(update)):
                    problems += filter(None, [self._drive(update)])
            problems += self._attempted(context.publisher.publish)
            if not state.unfinished():
                problems += self._attempted(self.collect_garbage)
        deadlines = [update.probation.deadline for update in state.unfinished() if update.probation]
        return AdvanceResult(updates=tuple(state.updates()), problems=tuple(problems), wait_until=min(deadlines, default=None))

    def rollback(self, name: str, reason: str) -> None:
        """Go back to the previous bundle at once; its release stays refused until `retry`.

        Raises `UpdateError` if there is none, `IntegrityError` if it was damaged, `EngineError` if it can't be served.
        """
        context = self._context
        with self._lock.hold():
            deployment = context.state.deployment(name)
            if deployment is None:
                raise self._unknown(name)
            if deployment.current is None or deployment.previous is None:
                raise UpdateError("there is no previous version to go back to", where=name, expected="a model with a previous version on this device")
            checked = check_installed(context.store, deployment.previous)
            left, update = deployment.current, context.state.update(name)
            if update and update.release == left.release and State.ROLLED_BACK in TABLE[update.state].next:
                context.roll_back(update, reason, checked)
                return
            with context.state.transaction():
                context.state.set_deployment(name, deployment.previous, None)
                since = context.clock.now()
                context.state.refuse(RefusedRelease(release=left.release, name=name, version=left.version, reason=reason, since=since))
                context.record("rolled-back", left, reason)
            context.publisher.publish(name, checked)

    def retry(self, name: str) -> None:
        """Forget what was refused of a model, so that the next `advance` tries again what the channel names; `UpdateError` if it isn't known."""
        with self._lock.hold():
            if self._context.state.update(name) is None and self._context.state.deployment(name) is None:
                raise self._unknown(name)
            self._context.state.forgive(name)

    def _unknown(self, name: str) -> UpdateError:
        state = self._context.state
        names = sorted({deployment.name for deployment in state.deployments()} | {update.name for update in state.updates()})
        return UpdateError("no such model on this device", where=name, expected=", ".join(names) or "a model", advice=nearest(name, names))

    def recover(self, checked: Mapping[Digest, str] | None = None) -> None:
        """Check every installed bundle to the last byte: call it when an agent starts.

        ``checked`` are bundles that the data plane checked as it loaded them, with the states of their files then (`bundle.files.state`): while
        those are unchanged, none of their bytes is hashed again.

        A damaged one is recorded, and the previous one takes its place if it is whole; otherwise the model's update is
        begun anew with the same release, so that `advance` fetches what is damaged. What hinders the check of one model
        (a disk that can't be read) doesn't keep the others from theirs; the first such error is raised in the end.
        """
        with self._lock.hold():
            deployments = self._context.state.deployments()
            problems: list[SealiftError] = []
            for deployment in deployments:
                problems += self._attempted(functools.partial(recovery.recover, self._context, deployment, checked or {}))
            _LOG.info("Checked every byte of the installed models: %d", len(deployments), extra=facts(models=len(deployments)))
            for error in problems:
                raise error

    def publish(self, *, renew: bool = False) -> None:
        """Send the data plane what the database says, if it goes by something else: a crash may have come between the two.

        ``renew`` also sends the settings of this updater, which are those of agent.toml.
        """
        with self._lock.hold():
            self._context.publisher.publish(renew=renew)

    def due(self) -> bool:
        """Whether an update is under way that needn't wait for its next try."""
        return any(not self._context.rests(update) for update in self._context.state.unfinished())

    def _attempted(self, act: Callable[[], None]) -> list[SealiftError]:
        """What hindered a piece of work, if anything did: the rest of a round goes on."""
        try:
            with translating_device_errors(self._home):
                act()
        except SealiftError as error:
            return [error]
        return []

    def _begin_planned(self, *, patient: bool) -> frozenset[tuple[str, str]]:
        """Begin what the channel names; the names and versions of the releases that the repository, a kit, was built without."""
        subscribed = self._subscribed()
        self._end_refusals(subscribed)
        planned, unfinished = self._planned(subscribed), self._context.state.unfinished()
        due = [update for update in unfinished if update.state in FROM_REPOSITORY and not (patient and self._context.rests(update))]
        wanted = {(one.name, one.version) for one in planned} | {(update.name, update.version) for update in due}
        absent = left_out(self._context.transport, wanted)
        note(self._context, LEFT_OUT, absent, "the kit was built without it")
        for one in planned:
            if (one.name, one.version) not in absent:
                self._begin(one)
        self._abandon_unnamed(subscribed)
        if not self._context.state.unfinished():
            _LOG.debug("Nothing to install: what the channel names is installed, or was refused")
        return absent

    def _end_refusals(self, named: Mapping[str, tuple[str, Descriptor]]) -> None:
        """A refusal ends when the channel names another release, and one that was about the machine when that, or a library, is another."""
        context, machine = self._context, self._context.machine_state()
        for refusal in context.state.refusals():
            version, release = named.get(refusal.name, (refusal.version, None))
            ended = f"the channel names {version} now" if release and release.digest != refusal.release else ""
            if not ended and refusal.machine not in ("", machine):
                ended = "this machine, its libraries or the agent are others than when it was refused"
            if ended:
                with context.state.transaction():
                    context.state.forgive(refusal.name, refusal.release)
                    context.state.record("refusal-ended", model=refusal.name, version=refusal.version, detail=ended, now=context.clock.now())

    def collect_garbage(self) -> None:
        """Remove what neither a current, nor a previous, nor a coming bundle needs."""
        state = self._context.state
        installed = [bundle for deployment in state.deployments() for bundle in (deployment.current, deployment.previous) if bundle]
        coming = state.unfinished()
        bundles = [bundle.digest for bundle in installed] + [update.bundle for update in coming if update.bundle]
        blobs = [bundle.release for bundle in installed] + [update.release for update in coming]
        if channel := state.setting(CHANNEL_DIGEST):
            blobs.append(Digest(channel))
        with self._lock.hold():
            removed = self._context.store.collect_garbage(bundles, blobs)
        if removed.files:
            _LOG.info("Removed files that no installed bundle needs: %d (%s bytes)", removed.files, f"{removed.size_bytes:,}")

    def _begin(self, planned: PlannedUpdate) -> None:
        under_way = self._context.state.update(planned.name)
        if under_way and not TABLE[under_way.state].rest and under_way.state not in REPLACEABLE:
            return
        update = Update(
            name=planned.name,
            version=planned.version,
            state=State.CHECKING,
            release=planned.release.digest,
            release_size=planned.release.size_bytes,
        )
        with self._context.state.transaction():
            self._context.state.put(update)
            self._context.record("found", update, f"the channel {self._subscription.channel} names it")

    def _abandon_unnamed(self, named: Mapping[str, tuple[str, Descriptor]]) -> None:
        """Give up, before it serves, what the channel no longer names: a release that was withdrawn or taken back is installed by nobody.

        A repair goes on: what ran here stays until the channel names another release.
        """
        for update in self._context.state.unfinished():
            _, release = named.get(update.name, ("", None))
            if update.state in REPLACEABLE and not update.repair and (release is None or release.digest != update.release):
                with self._context.state.transaction():
                    self._context.state.drop_update(update.name)
                    self._context.record("abandoned", update, f"the channel {self._subscription.channel} no longer names it")

    def _drive(self, update: Update) -> SealiftError | None:
        """Step by step until rest or a wait; the error that holds the update up, if one does."""
        damaged = 0
        while not TABLE[update.state].rest:
            following = self._step(update)
            if isinstance(following, SealiftError):
                return following
            if following.state is update.state:
                return None
            damaged += update.state is not State.CHECKING and following.state is State.FETCHING
            if damaged > 1:
                error = StoreError("what was fetched was damaged on this disk, twice", where=str(self._home), advice="Check the disk and the memory.")
                self._context.hold_up(following, error)
                return error
            update = following
        return None

    def _step(self, update: Update) -> Update | SealiftError:
        """What the step of an update's state comes to: the update in its next state, or the error that holds it up."""
        context = self._context
        try:
            with translating_device_errors(self._home):
                try:
                    return STEPS[update.state](context, update)
                except AgainstReleaseError as error:
                    return context.refuse(update, error) or error.cause
        except SealiftError as error:
            stored = context.state.update(update.name)
            if stored and not TABLE[stored.state].rest:
                context.hold_up(stored, error)
            return error

    def _tell(self, trusted: TrustState, named: Mapping[str, tuple[str, Descriptor]]) -> None:
        """Log what is trusted and what the channel names; as a detail where it is the same as before."""
        versions = ", ".join(f"{role} {version}" for role, version in sorted(trusted.versions.items()))
        models = ", ".join(f"{name} {version}" for name, (version, _) in sorted(named.items())) or "no model"
        channel, repository = self._subscription.channel, self._context.transport().describe()
        text = f"The metadata of {repository} is trusted: {versions}. Its channel {channel} names {models}."
        level = logging.DEBUG if text == self._last_summary else logging.INFO
        _LOG.log(level, "%s", text, extra=facts(repository=repository, channel=channel, models=models))
        self._last_summary = text

    def _channel(self, targets: TrustedTargets) -> dict[str, tuple[str, Descriptor]]:
        """What the subscribed channel points to, every release of it signed by role targets."""
        store, document = self._context.store, targets.channel(self._subscription.channel)
        data = store.fetch_document(document, self._context.transport(), max_bytes=MAX_BYTES)
        with self._context.state.transaction():
            for key, value in ((CHANNEL_DIGEST, document.digest.hex), (CHANNEL_NAME, self._subscription.channel)):
                if self._context.state.setting(key) != value:
                    self._context.state.set_setting(key, value)
        return targets.resolve(self._subscription.channel, data)

    def _subscribed(self) -> dict[str, tuple[str, Descriptor]]:
        """Of the channel, the models that the device subscribes to."""
        context, chosen = self._context, self._subscription.models
        with self._lock.hold():
            state = self.trust.load().state
            check_expiry(state, certain_time(state, context.clock.now(), BUILD_TIME), context.policy.max_staleness)
            models = self._channel(TrustedTargets.of(state))
        unknown = sorted((chosen or frozenset()) - models.keys())
        if unknown:
            offered = ", ".join(sorted(models)) or "none"
            raise UpdateError(
                "the channel lacks a model that this device subscribes to",
                where=f"channel {self._subscription.channel}",
                expected=f"one of {offered}",
                found=", ".join(unknown),
            )
        return {name: release for name, release in models.items() if chosen is None or name in chosen}

    def _in_place(self, name: str) -> set[Digest]:
        """The releases of a model that need no new update: what is current, what is under way."""
        deployment, update = self._context.state.deployment(name), self._context.state.update(name)
        current = {deployment.current.release} if deployment and deployment.current else set()
        return current | ({update.release} if update and not TABLE[update.state].rest else set())

    @contextlib.contextmanager
    def _recorded_refusals(self) -> Iterator[None]:
        try:
            yield
        except (TrustError, IntegrityError, DocumentError, LimitError) as error:
            self._record_once(LAST_REFUSAL, "refused", str(error))
            raise
        self._record_once(LAST_REFUSAL, "refused", None)

    def _record_once(self, key: str, kind: str, detail: str | None) -> None:
        """Record an event unless it is the same as the last of its kind; None says that all is well again."""
        state = self._context.state
        if state.setting(key) != detail:
            with state.transaction():
                state.set_setting(key, detail)
                if detail:
                    state.record(kind, detail=detail, now=self._context.clock.now())
