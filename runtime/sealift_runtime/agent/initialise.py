"""From an empty directory to a device with a key, a root of trust and a configuration."""

from __future__ import annotations

import dataclasses
import ssl
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sealift_core import beneath, durable
from sealift_core.clock import Clock
from sealift_core.errors import ConfigurationError, SealiftError, nearest
from sealift_core.messages.roles import ROOT
from sealift_core.signing.keys import PrivateKey
from sealift_runtime.agent.config import FIELDS, AgentConfig
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.private_home import PRIVATE_UMASK, check_owner, make_home, make_private, umask
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.transport.locate import open_transport
from sealift_runtime.trust.metadata import MAX_BYTES
from sealift_runtime.trust.workflow import start
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.trust_folder import TrustFolder


def initialise(home: Home, config: AgentConfig, root: bytes, clock: Clock, *, force: bool = False) -> tuple[PrivateKey, tuple[str, ...]]:
    """Make ``home`` a device; its key, and what of an earlier configuration was changed, in words.

    0. The home is this user's alone: its directory is made, and what is in it already is closed to others.
    1. The repository's location is one that we can read from.
    2. The root of trust signs itself; a home that already trusts another is refused.
    3. The device key is made, once.
    4. The configuration is written last, so a home that has one is complete. One that says something else is replaced only by ``force``; one that
       can't be used is made anew. To name the hub's key where none is known needs no ``force``: nothing is replaced.

    Run again with the same root it only replaces the configuration. Raises `ConfigurationError` or `TrustError`.
    """
    check_owner(home.directory)  # 0
    _check_ca(config.ca_file)  # 1
    open_transport(config.repository, ca_file=Path(config.ca_file) if config.ca_file else None)
    start(root)  # whatever is asked, it has to be a root
    make_home(home.directory)  # 0
    make_private(home.directory)
    with umask(PRIVATE_UMASK):
        enrol(home, root)  # 2
        key = _device_key(home)  # 3
        changes = _configure(home, config, clock, force=force)  # 4
    return key, changes


def _configure(home: Home, config: AgentConfig, clock: Clock, *, force: bool) -> tuple[str, ...]:
    """Write the configuration, and an event about it; what it changed, in words. `ConfigurationError` if it needs ``force`` for that."""
    damage = _damage(home)
    changes = (damage,) if damage else changed_settings(home, config)
    if changes and not damage and not force and not _only_names_hub_key(home, config, changes):
        raise ConfigurationError(
            "this device is already set up, and this would change its configuration",
            where=str(home.directory),
            found="; ".join(changes),
            advice="To change it, pass --force. To set up another device, pass another --home.",
        )
    first = not home.config.is_file()
    if first or changes:
        config.save(home.config)
        state = StateDatabase(home.state)
        event = "initialised" if first else "configuration-changed"
        detail = "; ".join((f"repository {config.repository}, channel {config.channel}", *changes))
        state.record(event, detail=detail, now=clock.now())
        state.close()
    return changes


def _only_names_hub_key(home: Home, config: AgentConfig, changes: tuple[str, ...]) -> bool:
    pinned = HubKey(home.hub_key).fingerprint
    return changes == (f"hub.key: nothing → {config.hub_key}",) and pinned in (None, config.hub_key)


def changed_settings(home: Home, config: AgentConfig) -> tuple[str, ...]:
    """Each setting of a home's agent.toml that a new configuration changes, like ``source.channel: stable → beta``; none for a new home."""
    if not home.config.is_file():
        return ()
    before, after = dataclasses.asdict(AgentConfig.load(home.config)), dataclasses.asdict(config)
    return tuple(f"{key}: {_shown(before[name])} → {_shown(after[name])}" for key, name in FIELDS.items() if before[name] != after[name])


def _damage(home: Home) -> str:
    """Why a home's agent.toml can't be used; empty if it can, or if there is none."""
    if home.config.is_file():
        try:
            AgentConfig.load(home.config)
        except SealiftError as error:
            return f"agent.toml, which can't be used, is made anew: {error}"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "nothing"
    return str(value) if value != "" else "nothing"


def enrol(home: Home, root: bytes) -> None:
    """Trust in ``root``, unless that's what this home began with."""
    folder, given = TrustFolder(home.trust), home.directory / "root.json"
    if not folder.enrolled():
        durable.write_bytes(given, root, mode=durable.PRIVATE_MODE)
        folder.enrol(root)
    elif not given.is_file() or read_root(given) != root:
        raise ConfigurationError(
            "this device already trusts another root",
            where=str(home.directory),
            advice="The agent follows newer roots of its repository by itself. To follow another repository, use another home.",
        )


def read_root(path: Path) -> bytes:
    """The root of trust in a file."""
    try:
        return beneath.read_own(path, MAX_BYTES[ROOT])
    except OSError as error:
        advice = "Pass metadata/root.json of the repository, obtained in a way that you trust."
        raise ConfigurationError(f"the root of trust can't be read ({error.strerror})", where=str(path), advice=advice) from error


def _check_ca(ca_file: str) -> None:
    if not ca_file:
        return
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ConfigurationError("not a CA certificate", where=ca_file, expected="certificates in PEM form") from error
    except OSError as error:
        raise ConfigurationError(f"the CA file can't be read ({error.strerror})", where=ca_file) from error


def _device_key(home: Home) -> PrivateKey:
    if home.device_key.is_file():
        return PrivateKey.load(home.device_key)
    key = PrivateKey.generate()
    key.save(home.device_key)
    return key


def parse_settings(entries: Iterable[str]) -> Mapping[str, Any]:
    """``SECTION.NAME=VALUE`` entries as fields of `AgentConfig`; values are TOML, or plain text."""
    fields: dict[str, Any] = {}
    for entry in entries:
        key, separator, text = entry.partition("=")
        if not separator and key in FIELDS:
            raise ConfigurationError("no value", where=f"--set {entry}", expected=f"{key}=VALUE")
        if key not in FIELDS:
            names = sorted(FIELDS)
            raise ConfigurationError("no such setting", where=f"--set {entry}", expected=f"one of {', '.join(names)}", advice=nearest(key, names))
        fields[FIELDS[key]] = _value(text)
    return fields


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def with_settings(config: AgentConfig, entries: Iterable[str]) -> AgentConfig:
    """The configuration with settings replaced, checked as agent.toml is."""
    changed = dataclasses.replace(config, **parse_settings(entries))
    return AgentConfig.parse(changed.to_toml().encode(), where="agent.toml")
