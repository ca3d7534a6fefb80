"""Every bound on what clients may send over HTTP, in one place, with units."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.schema.strict_json import JsonBudget
from sealift_runtime.inference.limits import LIMITS as INFERENCE_LIMITS
from sealift_runtime.inference.limits import InferenceLimits

#: A piece of a body that holds less is a small one.
SMALL_PIECE_BYTES: Final = 256
REQUEST_BUDGET: Final = JsonBudget(values=2**24, structures=2**20)
#: What a large body may hold beside long lists of numbers: so much is parsed at once, and nothing else runs meanwhile.
REST_BUDGET: Final = JsonBudget(values=2**17, structures=2**17)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServingLimits:
    """Bounds of one server.

    ``body_bytes`` holds before and after decompression. ``body_pieces`` is in how many small pieces (`SMALL_PIECE_BYTES`) a body may come: a
    chunk costs the same time whatever it holds. A compressed body has at most ``gzip_members`` members (bgzip writes one for each 64 KiB),
    and becomes at most ``gzip_ratio`` times as large, where that is more than ``gzip_free_bytes``. ``in_flight_bytes`` is what all bodies, what
    they are decoded to, and unread answers take together (0: a part of the memory); above, clients get 503. A client that has
    ``waiting_bytes`` of bodies in the queue of its connection isn't read any further.

    A body has to come, and an answer to be read, at ``bytes_per_s`` on average, once ``body_grace_s`` or ``answer_grace_s`` are over.
    ``json_budget`` is what the JSON of a request may hold. Clients who are refused for want of room are asked to come back after
    ``retry_after_s``. ``inference`` bounds what the models get.
    """

    body_bytes: int = 64 * 2**20
    body_pieces: int = 65_536
    in_flight_bytes: int = 0
    waiting_bytes: int = 64 * 1024
    header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    body_grace_s: float = 10.0
    answer_grace_s: float = 60.0
    bytes_per_s: float = 16 * 1024.0
    idle_timeout_s: float = 75.0
    connections: int = 1000
    pipelined_requests: int = 32
    json_depth: int = 32
    json_budget: JsonBudget = REQUEST_BUDGET
    gzip_members: int = 4096
    gzip_ratio: int = 200
    gzip_free_bytes: int = 4 * 2**20
    retry_after_s: int = 1
    inference: InferenceLimits = INFERENCE_LIMITS


LIMITS: Final = ServingLimits()
