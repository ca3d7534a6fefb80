"""Every error of the hub.

::

    HubError (a SealiftError)
    ├── DatabaseError         the database can't be opened, or is of a newer hub
    ├── EnrolmentError        a key doesn't make the id that it is offered for, or the fleet is full
    ├── UnknownDeviceError    nobody enrolled this device
    ├── UnknownReportError    a device has no report of this number here
    ├── RefusedReportError    a report can't join its device's chain
    │   ├── GapError             reports before it are missing
    │   └── ForkError            the device signed another report instead of this one
    ├── HubKeyError           the hub's key was lost, or is another than its database knows
    ├── DeviceNameError       a name that no device can have
    ├── MediumError           not a medium that a device exported to
    └── PortError             the address to listen on is taken or isn't ours
"""

from __future__ import annotations

from typing import ClassVar

from sealift_core.errors import ConfigurationError, SealiftError


class HubError(SealiftError):
    """Base of the hub's errors; exit code 3 unless a class says otherwise."""

    exit_code: ClassVar[int] = 3


class DatabaseError(HubError):
    """The database can't be opened, is busy for too long, or belongs to a newer hub."""

    exit_code: ClassVar[int] = 6


class EnrolmentError(HubError):
    """A key doesn't make the id that it is offered for, or the fleet is full."""


class UnknownDeviceError(HubError):
    """Nobody enrolled this device."""


class UnknownReportError(HubError):
    """A device has no report of this number here."""


class RefusedReportError(HubError):
    """A report can't join its device's chain."""

    exit_code: ClassVar[int] = 4


class GapError(RefusedReportError):
    """Reports before this one are missing; ``acknowledged`` is the newest number that is here."""

    def __init__(self, message: str, *, where: str, acknowledged: int, advice: str) -> None:
        super().__init__(message, where=where, advice=advice)
        self.acknowledged = acknowledged


class ForkError(RefusedReportError):
    """The device signed two reports that contradict each other: its key was copied, or its disk was restored."""


class HubKeyError(HubError):
    """The hub's key was lost, or is another than its database knows."""

    exit_code: ClassVar[int] = 4


class DeviceNameError(HubError):
    """A name that no device can have."""


class MediumError(HubError):
    """Not a medium that a device exported to."""


class PortError(HubError, ConfigurationError):
    """The address to listen on is taken or isn't this machine's."""

    exit_code: ClassVar[int] = 6
