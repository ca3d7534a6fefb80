"""The process that serves: sessions, HTTP, monitoring. It needs no control plane to come up.

What it does is what one document says, the desired state: it reads the one on disk when it starts, and is sent each newer one over
its private socket. It opens neither the database nor agent.toml. A bundle is checked to the last byte before it serves. When it starts,
a current bundle that can't be loaded gives way to the previous one; the control plane sorts out the rest.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sealift_core import durable
from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock, SystemClock
from sealift_core.errors import SealiftError, UpdateError
from sealift_core.process.memory import give_large_blocks_back
from sealift_core.schema.documents import canonical_json
from sealift_core.terminal.commandline import exit_code, say_error
from sealift_core.terminal.printing import say
from sealift_runtime.agent.admin_routes import admin_routes
from sealift_runtime.agent.faults import Faults
from sealift_runtime.agent.home import Home, short_path
from sealift_runtime.agent.lock import one_of_its_kind
from sealift_runtime.agent.logs import set_up_logging
from sealift_runtime.agent.measuring_routes import measuring_routes, service_of
from sealift_runtime.agent.monitors import MonitoredModel, Monitors
from sealift_runtime.agent.parent import leave_with_parent
from sealift_runtime.agent.serving_limits import serving_limits
from sealift_runtime.agent.trials import Trials
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.table import AbsentModel, ModelTable
from sealift_runtime.monitoring.prometheus import render_load
from sealift_runtime.serving.server import InferenceServer, run
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.update.client_limits import MAX_NOTICE_S
from sealift_runtime.update.desired import DataPlaneSettings, DesiredState
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.installed import InstalledCheck
from sealift_runtime.update.records import Deployment, InstalledBundle, ServingCounters

logger = logging.getLogger("sealift.agent")

TICK_S: Final = 0.5
DRAIN_S: Final = 10.0
#: How long a data plane takes to end at most: it gives notice, drains, and ends what still runs.
END_S: Final = MAX_NOTICE_S + DRAIN_S + 5.0
#: The failures that are neither a client's, nor due to how much clients ask for.
MODEL_FAILURES: Final = "model"


class DataPlane:
    """The served models of one device, as the desired state says. Documents are followed on threads; requests go on meanwhile."""

    def __init__(self, home: Home, clock: Clock | None = None) -> None:
        self.home = home
        self.store = DeviceStore(home.directory)
        self.table = ModelTable()
        self._file = DesiredFile(home.directory)
        self._desired = self._kept() or DesiredState()
        settings, clock = self._desired.settings, clock or SystemClock()
        self.faults = Faults()
        self.monitors = Monitors(settings, clock, home.directory / "windows.json", self.faults)
        self.measuring = service_of(home, clock, settings.measuring, lambda: self._desired.updates)
        self.apply: Callable[[DataPlaneSettings], None] = _nobody
        self._trials = Trials()
        self._loading = threading.Lock()
        self._started = False
        self._expect_models()
        self._checked: dict[str, tuple[Digest, str]] = {}
        self._unfit: set[Digest] = set()

    @property
    def generation(self) -> int:
        """The generation of the document that holds; 0 if none came yet."""
        return self._desired.generation

    @property
    def settings(self) -> DataPlaneSettings:
        """The settings that hold."""
        return self._desired.settings

    def start(self) -> None:
        """Load every model of the document that was kept; one that can't be loaded is logged, and the others serve.

        The document is read once more, now that the socket is open: what is written from now on is sent, too.
        """
        with self.faults.contained("measuring"):
            self.measuring.start()
        with self._loading:
            kept = self._kept()
            if kept and kept.generation >= self.generation:
                self._take(kept)
            self._settle()
            with self.faults.contained("monitoring"):
                self.monitors.settle()
        self._started = True

    def follow(self, desired: DesiredState, model: str = "", checked: str | None = None) -> None:
        """Do what a document says, as `DataPlaneLink.follow` has it.

        1. An older document than the one that holds is refused.
        2. What it doesn't name serves no more.
        3. Other models than ``model`` that serve something else than their current bundle load that, once: see `_settle`.
        4. The current bundle of ``model`` is loaded beside the old, then takes its place. After an error the old one serves on.

        Raises `UpdateError`, and for ``model`` `EngineError` or `IntegrityError`.
        """
        with self._loading:
            if desired.generation < self.generation:  # 1
                expected, actual = f"{self.generation} or newer", str(desired.generation)
                raise UpdateError("the desired state is older than the current one", where="generation", expected=expected, found=actual)
            self._take(desired)
            self._settle(but=model)  # 2, 3
            deployment = desired.model(model)
            if deployment and deployment.current and not self._serves(deployment.current):  # 4
                self._serve(deployment.current, checked)

    def checked(self) -> dict[Digest, str] | None:
        """The bundles that serve, with the state of their files as they were checked (`bundle.files.state`); None until `start` is done."""
        return dict(list(self._checked.values())) if self._started else None

    def _kept(self) -> DesiredState | None:
        """The document on disk; what can't be read is logged, and the control plane sends another one."""
        try:
            return self._file.read()
        except SealiftError as error:
            logger.warning("%s", error)
            return None

    def _take(self, desired: DesiredState) -> None:
        """Let a document hold."""
        if desired.settings != self._desired.settings:
            self.monitors.settings = desired.settings
            self.measuring.allow(desired.settings.measuring)
            self.apply(desired.settings)
        self._desired = desired
        self._trials.end_others([model.name for model in desired.models if desired.is_on_trial(model)])

    def _settle(self, but: str = "") -> None:
        """Serve what is desired of all models but one; where nothing serves yet, a current bundle that can't be loaded gives way to the previous."""
        desired = {model.name: model for model in self._desired.models}
        for name in [*(served.name for served in self.table.list()), *(absent.name for absent in self.table.absences())]:
            if name not in desired:
                self._end(name)
        self._expect_models()
        for name, model in desired.items():
            if name != but:
                choice = (model.current,) if self.table.get(name) else (model.current, model.previous)
                any(self._try(bundle) for bundle in choice if bundle)

    def _explain_absence(self, bundle: InstalledBundle, error: SealiftError) -> None:
        """Tell clients why a current bundle doesn't serve; the files at fault are for the log and for doctor."""
        desired = self._desired.model(bundle.name)
        if desired and desired.current and desired.current.digest == bundle.digest:
            self.table.expect(AbsentModel(bundle.name, bundle.version, f"it can't be loaded: {error.message}"))

    def _expect_models(self) -> None:
        """Say of each model that is to serve and doesn't yet that it will, unless the table knows why not."""
        for model in self._desired.models:
            if model.current and self.table.absent(model.name, model.current.version) is None:
                self.table.expect(AbsentModel(model.name, model.current.version, "it is being loaded"))

    def _end(self, name: str) -> None:
        self._trials.end(name)
        self.table.remove(name)
        with self.faults.contained("monitoring", name):
            self.monitors.end(name)
        self._checked.pop(name, None)
        logger.info("%s is no longer served", name)

    def _serves(self, bundle: InstalledBundle) -> bool:
        served = self.table.get(bundle.name)
        return served is not None and served.bundle == bundle.digest

    def _try(self, bundle: InstalledBundle) -> bool:
        """Whether a bundle serves; one that couldn't be loaded isn't tried again until it is activated by name."""
        if self._serves(bundle):
            return True
        if bundle.digest in self._unfit:
            return False
        try:
            self._serve(bundle)
        except SealiftError as error:
            self._unfit.add(bundle.digest)
            self._explain_absence(bundle, error)
            logger.warning("%s %s can't be served: %s", bundle.name, bundle.version, error)
            return False
        return True

    def _serve(self, bundle: InstalledBundle, checked: str | None = None) -> None:
        session, state = self._load(bundle, checked)
        monitor = self.monitors.monitor(bundle.directory, bundle.name)
        model = ServedModel(bundle.name, bundle.version, bundle.digest, session, monitor)
        with self.faults.contained("trial", bundle.name):
            self._hold_against_previous(model)
        self.table.activate(model)
        self._unfit.discard(bundle.digest)
        self._checked[bundle.name] = (bundle.digest, state)
        with self.faults.contained("monitoring", bundle.name):
            self.monitors.begin(MonitoredModel(bundle.name, bundle.version, bundle.digest, monitor))
        logger.info("serving %s %s", bundle.name, bundle.version)

    def _hold_against_previous(self, model: ServedModel) -> None:
        """Begin the trial of a version that is on probation; what served until now is the previous one, or else it is loaded for that alone."""
        desired = self._desired.model(model.name)
        if desired is None or not self._desired.is_on_trial(desired) or desired.current is None or desired.current.digest != model.bundle:
            self._trials.end(model.name)
            return
        served = self.table.get(model.name)
        self._trials.begin(model, served or self._previous(desired))

    def _previous(self, model: Deployment) -> ServedModel | None:
        """The previous version of a model, loaded but not served; None if there is none, or it can't be loaded."""
        bundle = model.previous
        if bundle is None:
            return None
        try:
            session, _ = self._load(bundle, None)
            return ServedModel(bundle.name, bundle.version, bundle.digest, session, self.monitors.monitor(bundle.directory))
        except SealiftError as error:
            logger.warning("%s %s can't be loaded to be compared with: %s", bundle.name, bundle.version, error)
            return None

    def _load(self, bundle: InstalledBundle, checked: str | None) -> tuple[ModelSession, str]:
        """A bundle, loaded while its weights are hashed; all else is checked before. What isn't as it was signed is dropped, whatever loaded."""
        check = InstalledCheck(self.store, bundle, checked)
        with ThreadPoolExecutor(1, thread_name_prefix="check") as beside:
            weights = beside.submit(check.check_weights)
            try:
                session = ModelSession.open(bundle.directory)
            finally:
                weights.result()
        return session, check.finish()

    def tick(self) -> None:
        """What is due every `TICK_S`; none of it can end what serves."""
        with self.faults.contained("monitoring"):
            self.monitors.tick()
        with self.faults.contained("measuring"):
            self.measuring.tick()

    def counters(self, name: str) -> ServingCounters | None:
        """What a served model did since it was loaded, as the updater judges it."""
        monitored = self.monitors.get(name)
        if monitored is None:
            return None
        total = monitored.monitor.counters()
        failures = total.failures.get(MODEL_FAILURES, 0)
        return ServingCounters(
            requests=total.requests + failures,
            failures=failures,
            nonfinite=total.nonfinite,
            latency_counts=total.latency_counts,
            trial=self._trials.counts(name),
        )


def _nobody(_: DataPlaneSettings) -> None:
    """No server is told of other settings."""


async def serve(home: Home, host: str, port: int) -> None:
    """Load, listen, and serve until told to stop."""
    plane = DataPlane(home)
    server = InferenceServer(
        plane.table,
        routes=measuring_routes(plane.measuring),
        local_routes=admin_routes(plane),
        metrics=lambda: plane.monitors.metrics + render_load(server.load()),
        host_names=plane.settings.hosts,
        limits=serving_limits(plane.settings.clients),
        threads=plane.settings.clients.threads or None,
    )

    def apply(settings: DataPlaneSettings) -> None:
        server.answer_to(settings.hosts)
        server.limit(serving_limits(settings.clients))

    plane.apply = apply
    bound = await server.start_tcp(host, port)
    with short_path(home.socket) as path:
        await server.start_unix(path)
        await asyncio.to_thread(plane.start)
        announce(home, host, bound)
        await _until_stopped(plane)
        ended = await server.stop(DRAIN_S, notice_s=plane.settings.clients.notice_s)
    home.server_info.unlink(missing_ok=True)
    with plane.faults.contained("monitoring"):
        plane.monitors.put_away()
    if not ended:  # a run that can't be interrupted would end in the interpreter's ruins, and crash it
        logger.warning("a model still works on a request that nobody waits for; it is ended with the process")
        logging.shutdown()
        os._exit(0)


def announce(home: Home, host: str, port: int) -> None:
    """Tell people and the other commands where the data plane listens."""
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    durable.write_bytes(home.server_info, canonical_json({"url": url, "pid": os.getpid()}), mode=durable.PRIVATE_MODE)
    say(f"Serving the Open Inference Protocol on {url}")


async def _until_stopped(plane: DataPlane) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set if number == signal.SIGTERM else _ignore)
    leave_with_parent(functools.partial(loop.call_soon_threadsafe, stopped.set))
    while not stopped.is_set():
        with plane.faults.contained("tick"):
            await asyncio.to_thread(plane.tick)
        try:
            await asyncio.wait_for(stopped.wait(), TICK_S)
        except TimeoutError:
            continue


def _ignore() -> None:
    """The supervisor, who got the same Ctrl-C, stops us in order."""


def main() -> None:
    """Entry point of the process: ``python -m sealift_runtime.agent.data_plane HOME HOST PORT``."""
    set_up_logging("data-plane")
    give_large_blocks_back()
    home, host, port = Home(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    try:
        with one_of_its_kind(home.run / "server.lock", "data plane", wait_s=END_S):
            run(serve(home, host, port))
    except SealiftError as error:
        say_error(error)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
