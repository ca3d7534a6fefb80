"""One device's parts, put together from its home and its configuration."""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import socket
from collections.abc import Iterator

from sealift_core.clock import BUILD_TIME, Clock, SystemClock
from sealift_core.errors import SealiftError
from sealift_core.hardware.machine import Machine, detect_machine
from sealift_core.signing.keys import PrivateKey, PublicKey
from sealift_runtime.agent.config import MB, AgentConfig
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.private_home import PRIVATE_UMASK, close, umask
from sealift_runtime.engine.facts import machine_providers
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.reports.spool import ReportSpool
from sealift_runtime.store.device_store import DeviceStore
from sealift_runtime.trust.expiry import certain_time
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.trust_folder import TrustFolder

_LOG = logging.getLogger("sealift.agent")


class LocalDevice:
    """The parts of this device; each is made when it is first used."""

    def __init__(self, home: Home, clock: Clock | None = None) -> None:
        self.home = home.require()
        self.clock: Clock = clock or SystemClock()
        self._config_stamp = self._stamp()
        self.config = AgentConfig.load(home.config)

    def reload(self) -> bool:
        """Read agent.toml again if the file was replaced or changed; whether it says something else now. `ConfigurationError` or `DocumentError`."""
        if (stamp := self._stamp()) == self._config_stamp:
            return False
        self._config_stamp = stamp
        before, self.config = self.config, AgentConfig.load(self.home.config)
        if self.config != before:
            self.__dict__.pop("store", None)  # it is made with the reserve of the configuration
        return self.config != before

    def _stamp(self) -> tuple[int, ...]:
        """What tells whether agent.toml was replaced or changed; nothing where it can't be looked at, which reading it will say."""
        try:
            status = self.home.config.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns

    @functools.cached_property
    def key(self) -> PrivateKey:
        """The device's key."""
        return PrivateKey.load(self.home.device_key)

    @functools.cached_property
    def state(self) -> StateDatabase:
        """Deployments, updates, events."""
        return StateDatabase(self.home.state)

    @functools.cached_property
    def store(self) -> DeviceStore:
        """Blobs and bundles."""
        return DeviceStore(self.home.directory, reserve_bytes=self.config.reserve_mb * MB)

    @functools.cached_property
    def spool(self) -> ReportSpool:
        """Reports on their way."""
        return ReportSpool(self.home.reports, self.key, self.clock)

    @property
    def hub_key(self) -> HubKey:
        """The hub's key, as far as it is pinned; one that is pinned now is logged and becomes an event."""
        return HubKey(self.home.hub_key, self.config.hub_key, self._record_pin)

    def _record_pin(self, key: PublicKey) -> None:
        detail = f"{self.config.hub} signs its receipts with the key {key.fingerprint}. It is trusted on first use: compare it with sealift-hub init."
        _LOG.warning("%s", detail)
        self.state.record("hub-key-pinned", detail=detail, now=self.clock.now())

    @functools.cached_property
    def machine(self) -> Machine:
        """What this device is."""
        return detect_machine(providers=machine_providers())

    def certain_time(self) -> datetime.datetime:
        """A time that has surely passed, whatever the clock says."""
        try:
            return certain_time(TrustFolder(self.home.trust).load().state, BUILD_TIME, BUILD_TIME)
        except SealiftError:  # an update says what is wrong with it
            return BUILD_TIME

    def host(self) -> dict[str, str]:
        """What reports tell of this machine."""
        machine = self.machine
        name = self.config.name or socket.gethostname()
        return {"name": name, "arch": machine.arch, "cpu": machine.cpu_model, "os": machine.os, "channel": self.config.channel}

    def close(self) -> None:
        """Close what was opened."""
        if "state" in self.__dict__:
            self.state.close()


@contextlib.contextmanager
def opened(home: Home) -> Iterator[LocalDevice]:
    """A device for the length of a block; what is made meanwhile is this user's alone."""
    with umask(PRIVATE_UMASK):
        device = LocalDevice(home)
        close(home.directory)
        try:
            yield device
        finally:
            device.close()
