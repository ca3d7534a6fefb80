"""Where everything of one device lives."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import platformdirs

from sealift_core.errors import ConfigurationError
from sealift_runtime.agent.private_home import check_owner

#: A unix socket's path may have 107 bytes; a home may lie deeper.
_LONGEST_PATH_BYTES: Final = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """The directory of one device; nothing outside it is written."""

    directory: Path

    @classmethod
    def locate(cls, option: Path | None) -> Home:
        """``--home``, else ``SEALIFT_HOME``, else ``/var/lib/sealift`` for root and the user's data directory for others."""
        if option is not None:
            return cls(option.absolute())
        if named := os.environ.get("SEALIFT_HOME"):
            return cls(Path(named).absolute())
        if os.geteuid() == 0:
            return cls(Path("/var/lib/sealift"))
        return cls(platformdirs.user_data_path("sealift-agent"))

    @property
    def config(self) -> Path:
        """agent.toml."""
        return self.directory / "agent.toml"

    @property
    def device_key(self) -> Path:
        """The device's private key."""
        return self.directory / "keys" / "device.pem"

    @property
    def hub_key(self) -> Path:
        """The hub's public key, if it was pinned on first use."""
        return self.directory / "keys" / "hub.pub"

    @property
    def trust(self) -> Path:
        """Verified TUF metadata."""
        return self.directory / "trust"

    @property
    def state(self) -> Path:
        """The database of deployments, updates and events."""
        return self.directory / "state.sqlite"

    @property
    def reports(self) -> Path:
        """The spool of reports."""
        return self.directory / "reports.sqlite"

    @property
    def run(self) -> Path:
        """What exists only while the agent runs."""
        return self.directory / "run"

    @property
    def socket(self) -> Path:
        """The data plane's private unix socket."""
        return self.run / "agent.sock"

    @property
    def server_info(self) -> Path:
        """Where the data plane listens, as JSON."""
        return self.run / "server.json"

    @property
    def measuring(self) -> Path:
        """What a packager sent to be measured, while that lasts."""
        return self.directory / "measuring"

    @property
    def update_lock(self) -> Path:
        """Held by whoever updates this device."""
        return self.directory / "update.lock"

    def require(self) -> Home:
        """This home, if it is this user's and was initialised; else `ConfigurationError`."""
        check_owner(self.directory)
        if not self.config.is_file():
            raise ConfigurationError(
                "not initialised",
                where=str(self.directory),
                expected="an agent.toml",
                advice="Run sealift-agent init --repo URL-or-DIR --root root.json, or pass another home with --home.",
            )
        return self


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[Path]:
    """``path``, or a shorter way to the same place that is valid in this process during the block."""
    if len(os.fsencode(path)) <= _LONGEST_PATH_BYTES:
        yield path
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}/{path.name}")
    finally:
        os.close(descriptor)
