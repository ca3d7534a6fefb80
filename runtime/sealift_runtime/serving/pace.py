"""Whether a client sends or reads quickly enough: by a rate, as a total would cut off who has much to send over a slow line. Pure."""

from __future__ import annotations


def is_too_slow(moved_bytes: int, age_s: float, *, grace_s: float, bytes_per_s: float) -> bool:
    """Whether a transfer is behind the least rate.

    Args:
        moved_bytes: How much has come or gone since it began.
        age_s: How long ago that was.
        grace_s: For how long nothing is expected.
        bytes_per_s: The rate from then on, on average.

    Returns:
        True if less has moved than the rate asks for.
    """
    return age_s > grace_s and moved_bytes < bytes_per_s * (age_s - grace_s)
