"""What doctor looks at: each check gives a finding, and none of them changes anything."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import stat
import urllib.parse
from collections.abc import Callable, Collection
from typing import Final

import requests

from sealift_core.clock import BUILD_TIME, format_time
from sealift_core.errors import DocumentError, IntegrityError, SealiftError
from sealift_core.http.hosts import is_loopback
from sealift_core.http.http_session import open_session
from sealift_core.http.urls import redacted
from sealift_core.messages.roles import TIMESTAMP
from sealift_core.onnxruntime_environment import SILENT, TELEMETRY_OFF
from sealift_core.process.probe import try_walls
from sealift_core.process.sandbox import describe_walls, missing_walls
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.config import MB
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.agent.health import clock_trouble, health
from sealift_runtime.agent.hub_trouble import hub_key_words, hub_trouble
from sealift_runtime.agent.private_home import exposed
from sealift_runtime.agent.server_info import server_url
from sealift_runtime.agent.standing import Condition, standings
from sealift_runtime.agent.telemetry import telemetry_here, telemetry_of
from sealift_runtime.agent.updating import policy_of, repository_of
from sealift_runtime.engine.facts import onnxruntime_version, providers
from sealift_runtime.engine.selftest import run_self_test
from sealift_runtime.transport.base import read_bounded
from sealift_runtime.trust.expiry import certain_time, check_expiry
from sealift_runtime.trust.metadata import MAX_BYTES
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.steps import SANDBOX_GAPS
from sealift_runtime.update.trust_folder import TrustFolder

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
#: From then on a hub that can't be reached is no short outage.
HUB_AWAY: Final = datetime.timedelta(days=1)
#: How many files are named; more are counted.
_SHOWN: Final = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: its verdict (`OK`, `WARNING` or `FAILED`) and a sentence."""

    check: str
    verdict: str
    detail: str


def run_checks(device: LocalDevice, only: Collection[str] = ()) -> list[Finding]:
    """Every check, in the order in which things build on each other; with ``only`` those of that name, which may be one that takes long."""
    checks = {name: check for name, check in (CHECKS | ON_REQUEST).items() if name in only} if only else CHECKS
    return [_finding(name, check, device) for name, check in checks.items()]


def _finding(name: str, check: Callable[[LocalDevice], tuple[str, str]], device: LocalDevice) -> Finding:
    try:
        verdict, detail = check(device)
    except SealiftError as error:
        verdict, detail = FAILED, str(error)
    return Finding(check=name, verdict=verdict, detail=detail)


def _key(device: LocalDevice) -> tuple[str, str]:
    mode = stat.S_IMODE(device.home.device_key.stat().st_mode) if device.home.device_key.is_file() else 0
    if mode & 0o077:
        return FAILED, f"other users can read {device.home.device_key}. Run chmod 600 on it."
    return OK, f"device {device.key.public_key.fingerprint[:16]}"


def _files(device: LocalDevice) -> tuple[str, str]:
    owners, modes = exposed(device.home.directory)
    troubles = [*owners, *modes]
    if not troubles:
        return OK, f"everything in {device.home.directory} is this user's alone"
    more = f", and {len(troubles) - _SHOWN} more" if len(troubles) > _SHOWN else ""
    advice = f"The home must be this user's alone: run chmod -R go= {device.home.directory}, and chown what belongs to others."
    return FAILED if owners else WARNING, f"{'; '.join(troubles[:_SHOWN])}{more}. {advice}"


def _engine(_: LocalDevice) -> tuple[str, str]:
    return OK, f"onnxruntime {onnxruntime_version()} with {', '.join(providers())}"


def _telemetry(device: LocalDevice) -> tuple[str, str]:
    """Whether onnxruntime sends anything from this process, or from the server that runs."""
    providers()  # imports onnxruntime, which decides then
    places = {"here": telemetry_here()}
    if server := DataPlaneClient(device.home.socket).process():
        try:
            places[f"in the data plane (process {server})"] = telemetry_of(server)
        except OSError as error:
            return WARNING, f"off here; the data plane (process {server}) can't be inspected ({error.strerror}). Run doctor as the agent's user."
    signs = [f"{place} {sign}" for place, signs in places.items() for sign in signs]
    if signs:
        return FAILED, f"may be on: {'; '.join(signs)}. Restart the agent with sealift-agent run."
    fact = f"{SILENT} was {TELEMETRY_OFF[SILENT]} when onnxruntime {onnxruntime_version()} was imported, and it holds no data to send"
    return OK, f"off {' and '.join(places)}: {fact}"


def _sandbox(device: LocalDevice) -> tuple[str, str]:
    """What confines a self-test started from here, tried out; and what the last one lacked, if the service has less."""
    if not device.config.sandbox:
        return WARNING, "switched off by sandbox.enabled in agent.toml: self-tests have limits of memory and time, but no sandbox"
    walls, leaks = try_walls(device.home.device_key)
    if leaks:
        return FAILED, f"{describe_walls(walls)}, but a process in it could {' and '.join(leaks)}"
    gaps = list(missing_walls(walls))
    if (last := device.state.setting(SANDBOX_GAPS)) and last not in " ".join(gaps):
        gaps.append(
            f"In the last self-test: {last} Add the system calls that docs/how-to/install-an-agent.md names to the service's SystemCallFilter."
        )
    return (WARNING, " ".join([f"{describe_walls(walls)}.", *gaps])) if gaps else (OK, describe_walls(walls))


def _disk(device: LocalDevice) -> tuple[str, str]:
    free_mb = shutil.disk_usage(device.home.directory).free // MB
    text = f"{free_mb} MB free, of which {device.config.reserve_mb} MB are kept in reserve"
    return (OK if free_mb > 2 * device.config.reserve_mb else FAILED), text


def _trust(device: LocalDevice) -> tuple[str, str]:
    loaded = TrustFolder(device.home.trust).load()
    if TIMESTAMP not in loaded.state.files:
        return WARNING, "there is a root of trust, but no metadata yet. Run sealift-agent sync."
    time = certain_time(loaded.state, device.clock.now(), BUILD_TIME)
    stale = check_expiry(loaded.state, time, policy_of(device.config).max_staleness)
    return (WARNING, stale) if stale else (OK, f"metadata is current at {format_time(time)}")


def _clock(device: LocalDevice) -> tuple[str, str]:
    trouble = clock_trouble(device)
    return (WARNING, f"{trouble[0].lower()}{trouble[1:]}") if trouble else (OK, format_time(device.clock.now()))


def _repository(device: LocalDevice) -> tuple[str, str]:
    transport = repository_of(device)
    read_bounded(transport, "metadata/timestamp.json", MAX_BYTES[TIMESTAMP])
    return OK, transport.describe()


def _hub(device: LocalDevice) -> tuple[str, str]:
    """Whether reports come to the hub. A refusal fails, since it lasts; so does a hub that has been away for long."""
    chain, trouble = device.spool.chain, hub_trouble(device.state)
    waiting = f"reports not yet acknowledged: {chain.number - chain.acknowledged}"
    if trouble and trouble.refused:
        return FAILED, f"reports aren't taken since {format_time(trouble.since)}: {trouble.reason} {waiting}"
    if not device.config.hub:
        return OK, f"no hub is configured; use sealift-agent export; {waiting}"
    verdict, detail = _reach(device, waiting)
    if trouble and device.clock.now() - trouble.since > HUB_AWAY:
        return FAILED, f"no report came to the hub since {format_time(trouble.since)}: {detail}"
    return verdict, detail


def _reach(device: LocalDevice, waiting: str) -> tuple[str, str]:
    try:
        with open_session(device.config.hub, certain_time=device.certain_time) as http, http.within(10):
            http.verify = device.config.ca_file or True
            with http.get(f"{device.config.hub}/healthz", timeout=5, allow_redirects=False, stream=True) as answer:
                answer.raise_for_status()
                if answer.is_redirect:
                    return (
                        WARNING,
                        f"{device.config.hub} redirects to {redacted(answer.headers['Location'])}, and redirects aren't followed; {waiting}",
                    )
    except requests.RequestException as error:
        return WARNING, f"{device.config.hub} doesn't answer ({type(error).__name__}); {waiting}; they are sent later"
    key = device.hub_key
    words = f"{device.config.hub}; {hub_key_words(key)}; {waiting}"
    address = urllib.parse.urlsplit(device.config.hub)
    if key.first_use and key.fingerprint and address.scheme != "https" and not is_loopback(address.hostname or ""):
        return WARNING, f"{words}. The key came over plain http: compare it with sealift-hub init, and pass it to sealift-agent init --hub-key."
    return OK, words


def _installed(device: LocalDevice) -> tuple[str, str]:
    bundles = [deployment.current for deployment in device.state.deployments() if deployment.current]
    for bundle in bundles:
        check_installed(device.store, bundle)
    return OK, ", ".join(f"{bundle.name} {bundle.version}" for bundle in bundles) or "nothing yet"


def _updates(device: LocalDevice) -> tuple[str, str]:
    """How the models stand to the channel, in the words of status and sync."""
    stands = standings(device)
    lines = [line for standing in stands for line in standing.lines()]
    if lines and all(standing.condition is Condition.LEFT_OUT for standing in stands if standing.sentence):
        return OK, " ".join(lines)
    return (WARNING, " ".join(lines)) if lines else (OK, f"every model is as channel {device.config.channel} says")


def _ledger(device: LocalDevice) -> tuple[str, str]:
    device.state.verify_ledger()
    return OK, f"{len(device.state.events())} events; their hash chain is intact"


def _server(device: LocalDevice) -> tuple[str, str]:
    data_plane = DataPlaneClient(device.home.socket)
    if not data_plane.running():
        return WARNING, "not running. Start it with sealift-agent run."
    if absences := data_plane.absences():
        reasons = "; ".join(f"{name} doesn't serve: {reason}" for name, reason in absences.items())
        return FAILED, f"serving on {server_url(device.home)}, but {reasons}"
    return OK, f"serving on {server_url(device.home)}"


def _self_test(device: LocalDevice) -> tuple[str, str]:
    """Whether this agent, with its libraries, computes what each installed bundle must give; what is damaged is for the check ``installed``."""
    policy, passed = policy_of(device.config), []
    for bundle in (deployment.current for deployment in device.state.deployments() if deployment.current):
        try:
            check_installed(device.store, bundle)
        except (IntegrityError, DocumentError):
            continue
        run_self_test(
            bundle.directory,
            memory_bytes=policy.self_test_memory_bytes,
            timeout_s=policy.self_test_timeout_s,
            slowdown_limit=None,
            sandbox=policy.sandbox,
        )
        passed.append(f"{bundle.name} {bundle.version}")
    return OK, f"passed by {', '.join(passed)}" if passed else "no model is installed"


def _health(device: LocalDevice) -> tuple[str, str]:
    """The device as a whole, by the definition that the hub and /metrics have, too."""
    problems = health(device, DataPlaneClient(device.home.socket))
    if not problems:
        return OK, "well"
    verdict = FAILED if any(problem.severe for problem in problems) else WARNING
    return verdict, " ".join(f"{problem.trouble}: {problem.sentence}" for problem in problems)


CHECKS: Final[dict[str, Callable[[LocalDevice], tuple[str, str]]]] = {
    "key": _key,
    "files": _files,
    "engine": _engine,
    "telemetry": _telemetry,
    "sandbox": _sandbox,
    "disk": _disk,
    "trust": _trust,
    "clock": _clock,
    "repository": _repository,
    "hub": _hub,
    "installed": _installed,
    "updates": _updates,
    "ledger": _ledger,
    "server": _server,
    "health": _health,
}
#: Checks that take long, and are run if they are named.
ON_REQUEST: Final[dict[str, Callable[[LocalDevice], tuple[str, str]]]] = {"self-test": _self_test}
