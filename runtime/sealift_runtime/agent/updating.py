"""The updater of a device, as its agent.toml says."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sealift_core.errors import BusyError
from sealift_runtime.agent.config import MB, AgentConfig
from sealift_runtime.agent.device import Device
from sealift_runtime.transport.base import Transport
from sealift_runtime.transport.locate import open_transport
from sealift_runtime.update.policy import ProbationPolicy, Subscription, UpdatePolicy
from sealift_runtime.update.server import Server
from sealift_runtime.update.updater import Updater

T = TypeVar("T")
BUSY_WAIT_S: Final = 120.0


def repository_of(config: AgentConfig) -> Transport:
    """The transport to the configured repository."""
    return open_transport(config.repository, ca_file=Path(config.ca_file) if config.ca_file else None)


def updater_of(device: Device, server: Server, repository: str | None = None) -> Updater:
    """The updater, on the configured repository or another place that holds it (a medium)."""
    transport = functools.partial(repository_of, device.config) if repository is None else functools.partial(open_transport, repository)
    return Updater(
        home=device.home.directory,
        transport=transport,
        machine=device.machine,
        state=device.state,
        store=device.store,
        subscription=Subscription(channel=device.config.channel),
        policy=policy_of(device.config),
        server=server,
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


def policy_of(config: AgentConfig) -> UpdatePolicy:
    """What agent.toml says of updates."""
    return UpdatePolicy(
        probation=ProbationPolicy(duration_s=config.probation_s),
        max_staleness=datetime.timedelta(days=config.stale_days),
        reserve_bytes=config.reserve_mb * MB,
        self_test_timeout_s=config.self_test_s,
        self_test_memory_bytes=config.self_test_memory_mb * MB,
        sandbox=config.sandbox,
    )
