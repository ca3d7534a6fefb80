"""A request, its reply, and why there is none, as values, apart from how they travel.

Named tuples, as there is one of each per request: a frozen dataclass takes five times as long to make.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sealift_core.bundle.golden import Array

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class InferRequest(NamedTuple):
    """What is asked of a model.

    Attributes:
        model: The model's name.
        version: Its version; None for the one that serves.
        inputs: An array for each of the model's inputs, of its dtype and shape; text is ``object`` of ``str``.
        outputs: The names of the wanted outputs, in order; None for all.
        id: Comes back in the reply; None for none.
        parameters: What the client sent beside.
    """

    model: str
    version: str | None
    inputs: Mapping[str, Array]
    outputs: tuple[str, ...] | None = None
    id: str | None = None
    parameters: Mapping[str, Any] = _NOTHING


class InferReply(NamedTuple):
    """What the model answers.

    Attributes:
        model_name: The model's name.
        model_version: The version that answered.
        id: The request's id.
        outputs: The arrays by output name, in the order that was asked for.
    """

    model_name: str
    model_version: str
    id: str | None
    outputs: Mapping[str, Array]


class FailureReason(enum.Enum):
    """Why a request has no reply.

    Attributes:
        UNKNOWN_MODEL: No such model serves, or not in this version.
        UNAVAILABLE: The model is to serve and doesn't: it is being loaded, or can't be.
        BAD_REQUEST: The request can't be read, or doesn't fit the model.
        TOO_LARGE: It is larger than a bound.
        OVERLOAD: Too many requests wait already.
        TIME_LIMIT: The model took longer than it may.
        MODEL: The model doesn't answer it.
        INTERNAL: A fault of ours, which is in the log.
    """

    UNKNOWN_MODEL = "unknown-model"
    UNAVAILABLE = "unavailable"
    BAD_REQUEST = "bad-request"
    TOO_LARGE = "too-large"
    OVERLOAD = "overload"
    TIME_LIMIT = "time-limit"
    MODEL = "model"
    INTERNAL = "internal"


class Failure(NamedTuple):
    """A request without a reply.

    Attributes:
        reason: Why, for programs.
        message: Why, in words for the client.
    """

    reason: FailureReason
    message: str
