from __future__ import annotations

import pytest

from sealift_core.errors import DocumentError
from sealift_core.messages.channel import Channel, channel_target, release_target


def test_a_channel_survives_the_round_trip() -> None:
    channel = Channel(models={"wear": "1.2.0", "speech": "0.3.1-rc.1"})
    assert Channel.parse(channel.to_bytes(), where="c") == channel
    assert Channel.parse(Channel(models={}).to_bytes(), where="c") == Channel(models={})


@pytest.mark.parametrize(("name", "version", "words"), [("../etc", "1.0.0", "model name"), ("wear", "latest", "version: malformed")])
def test_names_and_versions_that_can_not_be_are_refused(name: str, version: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        Channel.parse(Channel(models={name: version}).to_bytes(), where="c")


def test_targets_are_named_by_role() -> None:
    assert (channel_target("stable"), release_target("wear", "1.2.0")) == ("channels/stable.json", "releases/wear/1.2.0")
