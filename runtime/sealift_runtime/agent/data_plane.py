"""The process that serves: sessions, HTTP, monitoring. It needs no control plane to come up.

What it loads is what the state database says is current, checked to the last byte first. A current bundle that can't
be loaded gives way to the previous one; the control plane sorts out the rest.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sealift_core import durable
from sealift_core.bundle.digest import Digest
from sealift_core.errors import SealiftError
from sealift_core.schema.documents import canonical_json
from sealift_core.terminal.commandline import exit_code, say_error
from sealift_core.terminal.printing import say
from sealift_runtime.agent.admin_client import short_path
from sealift_runtime.agent.admin_routes import admin_routes
from sealift_runtime.agent.device import Device
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.lock import one_of_its_kind
from sealift_runtime.agent.logs import set_up_logging
from sealift_runtime.agent.measuring_routes import desk_of, measuring_routes
from sealift_runtime.agent.monitors import Monitored, Monitors
from sealift_runtime.agent.supervisor import leave_with_parent
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.table import ModelTable
from sealift_runtime.serving.server import InferenceServer, run
from sealift_runtime.update.installed import InstalledCheck
from sealift_runtime.update.records import InstalledBundle, ServingCounters

logger = logging.getLogger("sealift.agent")

TICK_S: Final = 0.5
DRAIN_S: Final = 10.0
#: Failures that are the client's own don't count against a model.
CLIENT_FAILURES: Final = frozenset({"bad-request"})


class DataPlane:
    """The served models of one device. `activate` runs on a thread of its own; requests go on meanwhile."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.table = ModelTable()
        self.monitors = Monitors(device.config, device.clock, device.home.directory / "windows.json")
        self.measuring = desk_of(device)
        self._loading = threading.Lock()
        self._started = False
        self._checked: dict[str, tuple[Digest, str]] = {}

    def start(self) -> None:
        """Load every model that the database names; one that can't be loaded is logged, and the others serve."""
        self.measuring.start()
        with self._loading:
            for deployment in self.device.state.deployments():
                any(self._try(bundle) for bundle in (deployment.current, deployment.previous) if bundle)
        self._started = True

    def checked(self) -> dict[Digest, str] | None:
        """The bundles that serve, with the state of their files as they were checked (`bundle.files.state`); None until `start` is done."""
        return dict(list(self._checked.values())) if self._started else None

    def _try(self, bundle: InstalledBundle) -> bool:
        try:
            self._serve(bundle)
        except SealiftError as error:
            logger.warning("%s %s can't serve: %s", bundle.name, bundle.version, error)
            return False
        return True

    def activate(self, name: str, checked: str | None = None) -> None:
        """Serve what the database says is current: load it beside the old, switch, let the old drain; ``checked`` as `Server.activate` has it.

        Raises `EngineError` or `IntegrityError`; the old bundle serves on then.
        """
        with self._loading:
            deployment = self.device.state.deployment(name)
            if deployment is None or deployment.current is None:
                self.table.remove(name)
                self.monitors.end(name)
                self._checked.pop(name, None)
                return
            served = self.table.get(name)
            if served is None or served.bundle != deployment.current.digest:
                self._serve(deployment.current, checked)

    def _serve(self, bundle: InstalledBundle, checked: str | None = None) -> None:
        session, state = self._load(bundle, checked)
        monitor = self.monitors.monitor(bundle.directory)
        model = ServedModel(bundle.name, bundle.version, bundle.digest, session, monitor)
        self.table.activate(model)
        self._checked[bundle.name] = (bundle.digest, state)
        self.monitors.begin(Monitored(bundle.name, bundle.version, bundle.digest, monitor))
        logger.info("serving %s %s", bundle.name, bundle.version)

    def _load(self, bundle: InstalledBundle, checked: str | None) -> tuple[ModelSession, str]:
        """A bundle, loaded while its weights are hashed; all else is checked before. What isn't as it was signed is dropped, whatever loaded."""
        check = InstalledCheck(self.device.store, bundle, checked)
        with ThreadPoolExecutor(1, thread_name_prefix="check") as beside:
            weights = beside.submit(check.check_weights)
            try:
                session = ModelSession.open(bundle.directory)
            finally:
                weights.result()
        return session, check.finish()

    def tick(self) -> None:
        """What is due every `TICK_S`."""
        self.monitors.tick()
        self.measuring.tick()

    def counters(self, name: str) -> ServingCounters | None:
        """What a served model did since it was loaded, as the updater judges it."""
        watched = self.monitors.get(name)
        if watched is None:
            return None
        total = watched.monitor.counters()
        failures = sum(count for kind, count in total.failures.items() if kind not in CLIENT_FAILURES)
        return ServingCounters(
            requests=total.requests + failures,
            failures=failures,
            nonfinite=total.nonfinite,
            latency_counts=total.latency_counts,
            memory_bytes=resident_bytes(),
        )


def resident_bytes() -> int:
    """The memory that this process holds, in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def serve(device: Device, host: str, port: int) -> None:
    """Load, listen, and serve until told to stop."""
    plane = DataPlane(device)
    server = InferenceServer(
        plane.table,
        routes=measuring_routes(plane.measuring),
        local_routes=admin_routes(plane),
        metrics=lambda: plane.monitors.metrics,
        host_names=device.config.hosts,
    )
    bound = await server.start_tcp(host, port)
    with short_path(device.home.socket) as path:
        await server.start_unix(path)
        await asyncio.to_thread(plane.start)
        announce(device.home, host, bound)
        await _until_stopped(plane)
        await server.stop(DRAIN_S)
    device.home.server_info.unlink(missing_ok=True)
    plane.monitors.put_away()


def announce(home: Home, host: str, port: int) -> None:
    """Tell people and the other commands where the server listens."""
    url = f"http://{host}:{port}"
    durable.write_bytes(home.server_info, canonical_json({"url": url, "pid": os.getpid()}))
    say(f"Serving the Open Inference Protocol on {url}")


async def _until_stopped(plane: DataPlane) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set if number == signal.SIGTERM else _ignore)
    leave_with_parent(functools.partial(loop.call_soon_threadsafe, stopped.set))
    while not stopped.is_set():
        await asyncio.to_thread(plane.tick)
        try:
            await asyncio.wait_for(stopped.wait(), TICK_S)
        except TimeoutError:
            continue


def _ignore() -> None:
    """The supervisor, who got the same Ctrl-C, stops us in order."""


def main() -> None:
    """Entry point of the process: ``python -m sealift_runtime.agent.data_plane HOME HOST PORT``."""
    set_up_logging("server")
    home, host, port = Home(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    device = Device(home)
    try:
        with one_of_its_kind(home.run / "server.lock", "data plane", wait_s=DRAIN_S + 5):
            run(serve(device, host, port))
    except SealiftError as error:
        say_error(error)
        sys.exit(exit_code(error))
    finally:
        device.close()


if __name__ == "__main__":
    main()
