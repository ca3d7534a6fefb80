"""The updater of a device, as its agent.toml says."""

from __future__ import annotations

import contextlib
import datetime
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sealift_core.errors import BusyError
from sealift_runtime.agent.config import MB, AgentConfig
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.locate import open_transport
from sealift_runtime.update.data_plane import DataPlaneLink, NoDataPlane
from sealift_runtime.update.desired import DataPlaneSettings
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.lock import HomeLock
from sealift_runtime.update.policy import ProbationPolicy, Subscription, UpdatePolicy
from sealift_runtime.update.publishing import Publisher
from sealift_runtime.update.updater import Updater

T = TypeVar("T")
BUSY_WAIT_S: Final = 120.0


def repository_of(device: LocalDevice) -> Transport:
    """The transport to the configured repository."""
    ca_file = device.config.ca_file
    return open_transport(device.config.repository, ca_file=Path(ca_file) if ca_file else None, certain_time=device.certain_time)


def updater_of(device: LocalDevice, data_plane: DataPlaneLink, repository: str | None = None) -> Updater:
    """The updater, on the configured repository or another place that holds it (a medium)."""
    transport = functools.partial(repository_of, device) if repository is None else functools.partial(open_transport, repository)
    return Updater(
        home=device.home.directory,
        transport=transport,
        machine=device.machine,
        state=device.state,
        store=device.store,
        subscription=Subscription(channel=device.config.channel),
        policy=policy_of(device.config),
        data_plane=data_plane,
        settings=settings_of(device.config),
        clock=device.clock,
    )


def when_free(act: Callable[[], T]) -> T:
    """``act``, once nobody else updates this device: the running agent holds it for a moment now and then.

    `BusyError` after `BUSY_WAIT_S`.
    """
    deadline = time.monotonic() + BUSY_WAIT_S
    while True:
        try:
            return act()
        except BusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)


def prepare(device: LocalDevice) -> None:
    """Before an agent starts: write down for its data plane what the database and agent.toml say now.

    Whoever updates this device at this moment writes it, too; only where there is no document yet is it waited for.
    """
    file = DesiredFile(device.home.directory)
    publisher = Publisher(device.state, file, NoDataPlane(), settings_of(device.config))

    def write() -> None:
        with HomeLock(device.home.update_lock).hold():
            publisher.publish(renew=True)

    if file.path.exists():
        with contextlib.suppress(BusyError):
            write()
    else:
        when_free(write)


def settings_of(config: AgentConfig) -> DataPlaneSettings:
    """What agent.toml says of the data plane's work."""
    measuring = MeasuringPolicy(
        enabled=config.measuring,
        trusted_keys=config.trusted_keys,
        max_bytes=config.measuring_mb * MB,
        max_s=config.measuring_s,
        memory_bytes=config.self_test_memory_mb * MB,
        reserve_bytes=config.reserve_mb * MB,
        sandbox=config.sandbox,
    )
    return DataPlaneSettings(
        window_s=config.window_s, window_rows=config.window_rows, hosts=config.hosts, clients=config.clients, measuring=measuring
    )


def policy_of(config: AgentConfig) -> UpdatePolicy:
    """What agent.toml says of updates."""
    return UpdatePolicy(
        probation=ProbationPolicy(duration_s=config.probation_s),
        max_staleness=datetime.timedelta(days=config.stale_days),
        reserve_bytes=config.reserve_mb * MB,
        self_test_timeout_s=config.self_test_s,
        self_test_memory_bytes=config.self_test_memory_mb * MB,
        sandbox=config.sandbox,
        retry_s=config.poll_s,
    )
