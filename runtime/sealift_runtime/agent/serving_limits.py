"""From what agent.toml says of clients to the limits of the server."""

from __future__ import annotations

import dataclasses

from sealift_runtime.inference.limits import InferenceLimits
from sealift_runtime.serving.limits import ServingLimits
from sealift_runtime.update.client_limits import ClientLimits

MB = 2**20


def serving_limits(limits: ClientLimits) -> ServingLimits:
    """The server's limits, all others as they are by default."""
    return ServingLimits(
        body_bytes=limits.body_mb * MB,
        in_flight_bytes=limits.in_flight_mb * MB,
        connections=limits.connections,
        header_timeout_s=limits.header_s,
        body_grace_s=limits.body_s,
        answer_grace_s=limits.answer_s,
        bytes_per_s=limits.min_kb_per_s * 1024,
        idle_timeout_s=limits.idle_s,
        inference=dataclasses.replace(InferenceLimits(), queued_requests=limits.queue, execution_s=limits.execution_s),
    )
