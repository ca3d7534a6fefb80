"""Why the hub doesn't take this device's reports, and since when: kept from one try to the next, for `status`, `doctor` and the ledger."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any, Final

from sealift_core.clock import format_time, parse_time
from sealift_core.errors import DocumentError, IntegrityError, LimitError, ReportError, ReportsRefusedError, SealiftError
from sealift_runtime.agent.device import LocalDevice
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.update.context import same_trouble
from sealift_runtime.update.state import StateDatabase

#: The hub takes no reports, or we don't take its receipt: that won't end by itself. Anything else (a hub that is away) may.
REFUSALS: Final = (ReportsRefusedError, IntegrityError, DocumentError, ReportError, LimitError)
_SETTING: Final = "hub-trouble"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HubTrouble:
    """``since`` when reports didn't come to the hub, the latest ``reason``, and whether the hub (or we its receipt) ``refused``."""

    since: datetime.datetime
    reason: str
    refused: bool


def hub_trouble(state: StateDatabase) -> HubTrouble | None:
    """What keeps reports from the hub; None if the latest ones came there, or none was sent yet."""
    text = state.setting(_SETTING)
    if not text:
        return None
    fields = json.loads(text)
    return HubTrouble(since=parse_time(fields["since"]), reason=str(fields["reason"]), refused=bool(fields["refused"]))


def note_taken(state: StateDatabase) -> None:
    """Note that the hub has reports."""
    if hub_trouble(state) is not None:
        state.set_setting(_SETTING, None)


def note_trouble(state: StateDatabase, error: SealiftError, now: datetime.datetime) -> None:
    """Note why reports didn't come to the hub. A refusal is an event, once as long as it says the same."""
    before, refused, reason = hub_trouble(state), isinstance(error, REFUSALS), str(error)
    if before is not None and before.refused == refused and before.reason == reason:
        return
    since = before.since if before is not None else now
    state.set_setting(_SETTING, json.dumps({"since": format_time(since), "reason": reason, "refused": refused}))
    if refused and not (before is not None and before.refused and same_trouble(before.reason, reason)):
        state.record("reports-refused", detail=reason, now=now)


def hub_key_words(key: HubKey) -> str:
    """How the hub's key is pinned, for people."""
    try:
        fingerprint = key.fingerprint
    except SealiftError as error:
        return str(error)
    if fingerprint is None:
        return "no key pinned yet"
    return f"key {fingerprint}, {'trusted on first use' if key.first_use else 'as configured'}"


def hub_facts(device: LocalDevice) -> dict[str, Any]:
    """What `status` tells of the hub: its address, its key, and why it doesn't take reports."""
    trouble = hub_trouble(device.state)
    told = {"since": format_time(trouble.since), "reason": trouble.reason, "refused": trouble.refused} if trouble else None
    return {"url": device.config.hub, "pinned": hub_key_words(device.hub_key), "trouble": told}
