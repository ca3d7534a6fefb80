"""agent.toml: where this device gets its models from, whom it reports to, and how patient it is."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import tomllib
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.errors import ConfigurationError
from sealift_core.http.hosts import MAX_NAMES, check_names
from sealift_core.http.urls import check_location, check_url
from sealift_core.messages.channel import CHANNEL_NAME
from sealift_core.schema.documents import Document
from sealift_runtime.update.client_limits import NAMES, ClientLimits, read_client_limits
from sealift_runtime.update.desired import FINGERPRINT, MAX_TIME_S, MAX_TRUSTED_KEYS
from sealift_runtime.update.policy import DEFAULT_POLICY

MAX_CONFIG_BYTES: Final = 64 * 1024
MB: Final = 2**20
#: An update waits while something is measured.
MAX_MEASURING_S: Final = 3600
MAX_STALE_DAYS: Final = 36_500
#: A pebibyte, in MiB: in bytes, it is still a number that the kernel's limits take.
MAX_MB: Final = 2**30
#: What people call the device: printable, on one line, no blank at its ends.
DEVICE_NAME: Final = r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?"
SECTIONS: Final = {
    "device": ("name",),
    "source": ("repository", "channel", "ca_file"),
    "hub": ("url", "key"),
    "serving": ("host", "port", "hosts", *NAMES),
    "timing": ("poll_s", "report_s", "window_s", "probation_s"),
    "limits": ("window_rows", "self_test_s", "self_test_memory_mb", "reserve_mb", "stale_days"),
    "measuring": ("enabled", "trusted_keys", "max_mb", "max_s"),
    "sandbox": ("enabled",),
}
_FIELD_NAMES: Final = {
    "device.name": "name",
    "hub.key": "hub_key",
    "hub.url": "hub",
    "measuring.enabled": "measuring",
    "measuring.max_mb": "measuring_mb",
    "measuring.max_s": "measuring_s",
    "sandbox.enabled": "sandbox",
}
#: ``SECTION.NAME`` in the file → the field of `AgentConfig`.
FIELDS: Final = {key: _FIELD_NAMES.get(key, name) for section, names in SECTIONS.items() for name in names if (key := f"{section}.{name}")}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig(ClientLimits):
    """agent.toml as a value.

    ``name`` is what people call the device, empty for the machine's own name.
    ``hub`` is empty for a device that reports by medium only; ``hub_key`` is the fingerprint of the key that signs the hub's receipts, empty to pin
    the one of the first receipt over the network. Times are in seconds; ``window_rows`` is how many rows a
    drift verdict needs; ``stale_days`` is how long after its expiry the repository's timestamp is still accepted (an
    air-gapped site wants a longer time than an online one). ``hosts`` are names that the server is asked under beside its own
    (`sealift_core.http.hosts`). ``measuring`` is whether packagers with one of the ``trusted_keys`` (fingerprints)
    may have candidates measured here, of ``measuring_mb`` MiB and within ``measuring_s``. ``sandbox`` is whether self-tests and measurements run
    behind the walls of `sealift_core.process`. The fields of `ClientLimits` are of the section ``serving``.
    """

    repository: str
    channel: str
    name: str = ""
    hub: str = ""
    hub_key: str = ""
    ca_file: str = ""
    host: str = "127.0.0.1"
    port: int = 8470
    hosts: tuple[str, ...] = ()
    poll_s: float = 60.0
    report_s: float = 60.0
    window_s: float = 3600.0
    probation_s: float = DEFAULT_POLICY.probation.duration_s
    window_rows: int = 200
    self_test_s: float = DEFAULT_POLICY.self_test_timeout_s
    self_test_memory_mb: int = (DEFAULT_POLICY.self_test_memory_bytes or 0) // MB
    reserve_mb: int = DEFAULT_POLICY.reserve_bytes // MB
    stale_days: float = DEFAULT_POLICY.max_staleness / datetime.timedelta(days=1)
    measuring: bool = False
    trusted_keys: tuple[str, ...] = ()
    measuring_mb: int = 512
    measuring_s: float = 300.0
    sandbox: bool = True

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> AgentConfig:
        """Read agent.toml; unknown fields are refused with the nearest spelling."""
        document = Document.parse_toml(data, where=where, max_bytes=MAX_CONFIG_BYTES)
        source, hub, device = document.document("source"), document.document("hub", {}), document.document("device", {})
        serving, timing, limits = document.document("serving", {}), document.document("timing", {}), document.document("limits", {})
        measuring, sandbox = document.document("measuring", {}), document.document("sandbox", {})
        default = cls(repository="", channel="stable")
        config = cls(
            repository=source.text("repository"),
            channel=source.text("channel", pattern=CHANNEL_NAME),
            name=device.text("name", "", pattern=f"({DEVICE_NAME})?"),
            ca_file=source.text("ca_file", ""),
            hub=hub.text("url", ""),
            hub_key=hub.text("key", ""),
            host=serving.text("host", default.host),
            port=serving.integer("port", default.port, minimum=0, maximum=65535),
            hosts=serving.texts("hosts", default.hosts, max_items=MAX_NAMES),
            poll_s=timing.number("poll_s", default.poll_s, minimum=0.05, maximum=MAX_TIME_S),
            report_s=timing.number("report_s", default.report_s, minimum=0.05, maximum=MAX_TIME_S),
            window_s=timing.number("window_s", default.window_s, minimum=0.05, maximum=MAX_TIME_S),
            probation_s=timing.number("probation_s", default.probation_s, minimum=0, maximum=MAX_TIME_S),
            window_rows=limits.integer("window_rows", default.window_rows, minimum=1),
            self_test_s=limits.number("self_test_s", default.self_test_s, minimum=0.1, maximum=MAX_TIME_S),
            self_test_memory_mb=limits.integer("self_test_memory_mb", default.self_test_memory_mb, minimum=64, maximum=MAX_MB),
            reserve_mb=limits.integer("reserve_mb", default.reserve_mb, minimum=0, maximum=MAX_MB),
            stale_days=limits.number("stale_days", default.stale_days, minimum=0, maximum=MAX_STALE_DAYS),
            measuring=measuring.boolean("enabled", default.measuring),
            trusted_keys=measuring.texts("trusted_keys", default.trusted_keys, max_items=MAX_TRUSTED_KEYS),
            measuring_mb=measuring.integer("max_mb", default.measuring_mb, minimum=1, maximum=MAX_MB),
            measuring_s=measuring.number("max_s", default.measuring_s, minimum=1, maximum=MAX_MEASURING_S),
            sandbox=sandbox.boolean("enabled", default.sandbox),
            **dataclasses.asdict(read_client_limits(serving)),
        )
        for table in (source, hub, device, serving, timing, limits, measuring, sandbox, document):
            table.refuse_unknown()
        config.check(where=where)
        return config

    @property
    def clients(self) -> ClientLimits:
        """The limits on clients alone."""
        return ClientLimits(**{name: getattr(self, name) for name in NAMES})

    def check(self, *, where: str) -> None:
        """Raise `ConfigurationError` if an address, a host name or a fingerprint is malformed, or limits contradict each other.

        ``where`` names the file.
        """
        if self.hub:
            check_url(self.hub, where=f"{where}: hub.url", what="a hub")
        if "://" in self.repository:
            check_location(self.repository, where=f"{where}: source.repository")
        check_names(self.hosts, where=f"{where}: serving.hosts")
        if 0 < self.in_flight_mb < self.body_mb:
            expected, found = f"at most serving.in_flight_mb, {self.in_flight_mb}", str(self.body_mb)
            raise ConfigurationError("one body would have more than all may have", where=f"{where}: serving.body_mb", expected=expected, found=found)
        for key in self.trusted_keys:
            _check_fingerprint(key, where=f"{where}: measuring.trusted_keys", printed_by="sealift keys generate")
        if self.hub_key:
            _check_fingerprint(self.hub_key, where=f"{where}: hub.key", printed_by="sealift-hub init")

    @classmethod
    def load(cls, path: Path) -> AgentConfig:
        """Read the file."""
        try:
            return cls.parse(beneath.read_own(path, MAX_CONFIG_BYTES), where=str(path))
        except OSError as error:
            raise ConfigurationError(f"can't be read ({error.strerror})", where=str(path)) from error

    def to_toml(self) -> str:
        """agent.toml's text, every field with its value, so that whoever edits it sees what there is."""
        fields = dataclasses.asdict(self)
        lines: list[str] = []
        for section, names in SECTIONS.items():
            lines.append(f"[{section}]")
            lines += [f"{name} = {json.dumps(fields[FIELDS[f'{section}.{name}']], ensure_ascii=False)}" for name in names]
            lines.append("")
        text = "\n".join(lines)
        tomllib.loads(text)
        return text

    def save(self, path: Path) -> None:
        """Write the file, durably."""
        durable.write_bytes(path, self.to_toml().encode(), mode=durable.PRIVATE_MODE)


def _check_fingerprint(text: str, *, where: str, printed_by: str) -> None:
    if not re.fullmatch(FINGERPRINT, text):
        expected = f"64 hex digits, as `{printed_by}` prints them"
        raise ConfigurationError("not the fingerprint of a key", where=where, expected=expected, found=repr(text))
