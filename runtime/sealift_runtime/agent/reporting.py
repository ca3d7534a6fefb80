"""What a device tells: gathered from the state database and the data plane, sealed into the spool, sent."""

from __future__ import annotations

from collections.abc import Callable

from sealift_core.errors import SealiftError
from sealift_core.http.http_session import HttpSession, open_session
from sealift_core.messages.report import MAX_STANDING_CHARACTERS, InstalledModel
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.agent.hub_trouble import note_taken, note_trouble
from sealift_runtime.agent.standing import standings
from sealift_runtime.reports.sender import send_pending

MAX_EVENTS = 10_000


def installed_models(device: LocalDevice) -> list[InstalledModel]:
    """Every model of the device, with the state of its latest update, and how it stands to its channel."""
    models = []
    stands = {standing.name: standing for standing in standings(device)}
    for deployment in device.state.deployments():
        current, previous, update = deployment.current, deployment.previous, device.state.update(deployment.name)
        if current is None:
            continue
        ended = update is None or update.release != current.release
        models.append(
            InstalledModel(
                name=deployment.name,
                version=current.version,
                bundle=str(current.digest),
                profile=current.profile,
                state="committed" if ended or update is None else update.state,
                previous_version=previous.version if previous else "",
                channel_version=stands[deployment.name].named,
                condition=str(stands[deployment.name].condition),
                standing=" ".join(stands[deployment.name].lines())[:MAX_STANDING_CHARACTERS],
            )
        )
    return models


def seal(device: LocalDevice, data_plane: DataPlaneClient, *, wait: bool = False) -> int | None:
    """Seal what there is to tell into the spool; the newest report's number, None if the spool is full.

    With ``wait`` nothing is sealed while a report waits for its receipt: what there is to tell waits unsealed.
    """
    record_faults(device, data_plane)
    if newest := device.spool.take(data_plane.windows()):
        data_plane.acknowledge(newest)
    events = device.state.events(after=device.spool.last_event)[:MAX_EVENTS]
    return device.spool.add(device.host(), installed_models(device), [], events, wait=wait)


def record_faults(device: LocalDevice, data_plane: DataPlaneClient) -> None:
    """Make events of what failed beside the data plane's request path."""
    faults = data_plane.faults()
    for fault in faults:
        device.state.record("background-failed", model=fault.model, detail=fault.detail, now=device.clock.now())
    if faults:
        data_plane.acknowledge_faults(faults[-1].number)


def send(device: LocalDevice, opened: Callable[[HttpSession], None] = lambda _: None) -> int:
    """Send what is spooled to the hub; how many reports it newly has. `TransportError` if it can't be reached, or as `send_pending`.

    ``opened`` is given the session before it is used, so that somebody else can cut it.
    """
    try:
        with open_session(device.config.hub, certain_time=device.certain_time) as http:
            opened(http)
            if device.config.ca_file:
                http.verify = device.config.ca_file
            sent = send_pending(device.spool, device.config.hub, http, device.hub_key)
    except SealiftError as error:
        note_trouble(device.state, error, device.clock.now())
        raise
    if sent:
        note_taken(device.state)
    return sent
