"""Another user for a process that was started by root, and no capabilities for anyone.

Root's own user id reads root's files without any capability: the device key, /etc/shadow. So the process becomes `UID`. It then can't
read its bundle either, which lies in a folder of root's alone (mode 0700), so it keeps one capability, CAP_DAC_READ_SEARCH: reading
regardless of modes. That is safe only where something else says which paths can be reached: with Landlock. Without, the capability
would be worse than root's id, which reads only what root owns; then the process stays root's, without capabilities, and `doctor` says so.

Handing the bundle's files over as open descriptors, or copying them, was considered: onnxruntime opens the graph and each file of
weights by path, and weights are mapped, so copies would cost the memory that mapping saves.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import Final

from sealift_core.process.kernel import capset, prctl

#: The kernel's overflow id, "nobody" everywhere.
UID: Final = 65534
_CAP_DAC_READ_SEARCH: Final = 2
_LAST_CAPABILITY: Final = 63
_VERSION_3: Final = 0x20080522
_PR_CAPBSET_DROP, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 24, 28, 47, 4
#: Keeps capabilities where the user id changes, and has access(2) count them, which libraries ask whether a file is there.
_SECBIT_NO_SETUID_FIXUP: Final = 1 << 2


def become_nobody(*, may_read_all: bool, change_user: bool = True) -> bool:
    """Drop what root has: capabilities in any case, and the user id where that is safe. Source: capabilities(7).

    Args:
        may_read_all: Whether the process may keep the capability to read any file, because something else (Landlock) limits what can be reached.
            Without it the user stays.
        change_user: Whether root becomes another user; not where it needs device nodes or folders that may be root's alone.

    Returns:
        Whether the process has another user id now.

    Raises:
        OSError: If the kernel refuses to drop root's capabilities.
    """
    _forget_capabilities()
    changed = os.geteuid() == 0 and may_read_all and change_user and _change_user()
    _keep_capability(_CAP_DAC_READ_SEARCH if may_read_all and os.getuid() in (0, UID) else None)
    return changed


def _forget_capabilities() -> None:
    """Empty the bounding and ambient sets, as far as this process may."""
    with contextlib.suppress(OSError):  # EPERM without CAP_SETPCAP, EINVAL after the last one
        for capability in range(_LAST_CAPABILITY + 1):
            prctl(_PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def _change_user() -> bool:
    try:
        prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    except OSError:  # a container without CAP_SETUID, or whose user ids end before this one
        return False
    return True


def _keep_capability(kept: int | None) -> None:
    """Drop every capability but ``kept``, if the process has it."""
    bits = 0 if kept is None else 1 << kept
    header, none = struct.pack("=Ii", _VERSION_3, 0), struct.pack("=6I", 0, 0, 0, 0, 0, 0)
    try:
        capset(header, struct.pack("=6I", bits, bits, 0, 0, 0, 0))
    except PermissionError:  # it isn't there to be kept
        try:
            capset(header, none)
        except PermissionError:
            if os.geteuid() == 0:  # others have none to drop
                raise
