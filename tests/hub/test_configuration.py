from __future__ import annotations

from pathlib import Path

import pytest

from sealift_core.errors import DocumentError
from sealift_hub.configuration import FILE_NAME, HubConfig


def test_what_init_writes_is_what_holds_without_a_file(tmp_path: Path) -> None:
    HubConfig().save_new(tmp_path)
    assert HubConfig.load(tmp_path) == HubConfig.load(tmp_path / "none") == HubConfig()
    (tmp_path / FILE_NAME).write_text("[enrolment]\ndevices = 3\n\n[retention]\ndays = 30\n")
    HubConfig().save_new(tmp_path)
    assert HubConfig.load(tmp_path) == HubConfig(devices=3, retention_days=30)
    assert HubConfig.load(tmp_path).limits.devices == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[enrolment]\ndevice = 3", r"hub\.toml: enrolment\.device.*Did you mean 'devices'"),
        ("[enrolment]\ndevices = -1", "enrolment.devices: out of range"),
        ("[retention]\ndays = 'x'", "retention.days: wrong type"),
        ("[other]", "hub.toml: other"),
        ("[", "hub.toml: not valid TOML"),
    ],
)
def test_a_file_that_is_wrong_names_the_field(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(DocumentError, match=words):
        HubConfig.load(tmp_path)
