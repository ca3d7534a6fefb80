"""What a site gets that decides nothing is written once."""

from __future__ import annotations

from sealift_runtime.agent.config import AgentConfig
from sealift_runtime.agent.updating import policy_of
from sealift_runtime.update.policy import UpdatePolicy


def test_an_agent_toml_that_says_nothing_gives_the_default_policy() -> None:
    assert policy_of(AgentConfig(repository="http://127.0.0.1", channel="stable")) == UpdatePolicy()


def test_an_update_without_a_policy_keeps_the_documented_times_and_reserves() -> None:
    policy = UpdatePolicy()
    assert (policy.probation.duration_s, policy.self_test_timeout_s, policy.max_staleness.days) == (60, 120, 365)
    assert (policy.reserve_bytes, policy.self_test_memory_bytes) == (256 * 2**20, 4096 * 2**20)
