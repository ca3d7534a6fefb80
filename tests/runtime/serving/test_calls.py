"""Each failure of an inference has its HTTP status and its words."""

from __future__ import annotations

import json

import pytest

from sealift_runtime.inference.messages import Failure, FailureReason
from sealift_runtime.serving.calls import STATUSES, failure_response
from sealift_runtime.serving.limits import ServingLimits


@pytest.mark.parametrize("reason", FailureReason)
def test_every_failure_has_a_status_and_says_its_words(reason: FailureReason) -> None:
    response = failure_response(Failure(reason, "no reply"), ServingLimits())
    assert response.status == STATUSES[reason] >= 400
    assert json.loads(response.body)["error"].startswith("no reply")


def test_a_full_queue_says_when_to_come_back() -> None:
    response = failure_response(Failure(FailureReason.OVERLOAD, "the queue is full"), ServingLimits(retry_after_s=7))
    assert (response.status, response.headers) == (503, (("retry-after", "7"),))
    assert json.loads(response.body) == {"error": "the queue is full; try again in 7 s"}
