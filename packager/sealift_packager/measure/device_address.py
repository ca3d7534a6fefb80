"""The address of a device that measures for us, and which profiles are measured there. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final

from sealift_core.hardware.profile import PROFILE_NAME
from sealift_core.http.urls import MAX_URL_CHARACTERS, check_url, redacted
from sealift_core.messages.report import DEVICE_ID
from sealift_packager.errors import PackagerError

OPTION: Final = "--measure-on"
_NO_LOGIN: Final = "Remove it: an agent needs no password, because it trusts the key that signs the job."
_ADDRESS: Final = re.compile(rf"(?:(?P<profile>{PROFILE_NAME})=)?(?P<url>https?://[^\s/?#]+[^\s?#]*?)/?(?:#(?P<device>[^\s#]*))?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAddress:
    """Where an agent listens; ``device`` is the id of the device that must answer there, ``profile`` the one that it is for (None: any)."""

    url: str
    device: str
    profile: str | None = None

    @classmethod
    def parse(cls, text: str) -> DeviceAddress:
        """Read ``[PROFILE=]http(s)://HOST:PORT#DEVICE-ID``.

        The id must be complete: anyone can make keys until the id of one begins as another does.
        """
        match = _ADDRESS.fullmatch(text) if len(text) <= MAX_URL_CHARACTERS else None
        if match is None:
            expected = "[PROFILE=]http://HOST:PORT#DEVICE-ID"
            raise PackagerError("not the address of an agent", where=OPTION, expected=expected, found=repr(redacted(text)))
        check_url(match["url"], where=OPTION, what="an agent", advice=_NO_LOGIN)
        if re.fullmatch(DEVICE_ID, match["device"] or "") is None:
            raise PackagerError(
                "the device's full id is missing; the model is sent to that device only",
                where=f"{OPTION} {match['url']}",
                expected=f"{match['url']}#DEVICE-ID, 64 hex digits",
                found=repr(match["device"]) if match["device"] else "none",
                advice="`sealift-agent status` shows it on the device, and the hub shows it beside the device's name.",
            )
        return cls(url=match["url"], device=match["device"], profile=match["profile"])


def device_for(addresses: Sequence[DeviceAddress], profile: str, *, measured_here: bool) -> DeviceAddress | None:
    """The device that a profile is measured on: the profile's own, or else one for all profiles if this machine can't measure it."""
    for_profile = [address for address in addresses if address.profile == profile]
    for_any = [address for address in addresses if address.profile is None and not measured_here]
    return next(iter([*for_profile, *for_any]), None)


def notes_on_unused(addresses: Sequence[DeviceAddress], measured_here: Mapping[str, bool]) -> tuple[str, ...]:
    """A sentence for each device that measures nothing, given which profiles this machine measures."""
    used = {device_for(addresses, profile, measured_here=measures) for profile, measures in measured_here.items()}
    return tuple(
        f"{address.url} measured nothing, because this machine or another device can measure. To measure there, pass {OPTION} "
        f"{next(iter(measured_here))}={address.url}#{address.device}."
        for address in addresses
        if address not in used
    )
