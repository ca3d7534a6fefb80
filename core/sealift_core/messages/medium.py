"""How a medium that somebody carries is laid out, for the site kit that fills it, the device, and the hub.

    repository/                       a folder repository, as `sealift kit build` copies it
    sealift-reports/<device id>/
        device.pub                    the device's public key
        0000000001.json …             sealed reports, named by number
        receipt.json                  what the hub wrote when it read them

Names are plain, so FAT holds them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

REPOSITORY: Final = "repository"
REPORTS: Final = "sealift-reports"
DEVICE_KEY: Final = "device.pub"
RECEIPT: Final = "receipt.json"
REPORT_FILE: Final = re.compile(r"[0-9]{10,19}\.json")


def device_folder(directory: Path, device: str) -> Path:
    """Locate a device's reports on a medium.

    Args:
        directory: Where the medium is mounted.
        device: The device's id.

    Returns:
        The folder's path.
    """
    return directory / REPORTS / device


def report_file(number: int) -> str:
    """Name the file of a report.

    Args:
        number: The report's number, from 1.

    Returns:
        The number in at least ten digits, and ``.json``.
    """
    return f"{number:010d}.json"
