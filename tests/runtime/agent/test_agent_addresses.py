"""Nothing that could be a secret stands in a device's configuration, and none of it is shown."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import ConfigurationError, DocumentError
from sealift_runtime.agent.config import AgentConfig
from sealift_runtime.agent.data_plane import announce
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.server_info import server_url
from support.agents import AgentUnderTest, device
from support.repositories import Repository
from support.static_server import serve_directory

SECRET = "s3cret"
ADDRESSES = (
    f"https://me:{SECRET}@host.example/x",
    f"https://{SECRET}@host.example",
    f"https://host.example/x?token={SECRET}",
    f"s3://{SECRET}@x/?{SECRET}",
)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentUnderTest]:
    repository = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    with device(tmp_path / "device") as made:
        made.init(repository.directory, repository.metadata / "1.root.json")
        yield made


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(("table", "field"), [("source", "repository"), ("hub", "url")])
def test_a_secret_in_an_address_is_refused_by_every_command_and_shown_by_none(agent: AgentUnderTest, table: str, field: str, address: str) -> None:
    path = agent.home / "agent.toml"
    old = path.read_text()
    lines = [f'{field} = "{address}"' if line.startswith(f"{field} = ") else line for line in old.splitlines()]
    path.write_text("\n".join(lines))
    for words in (["doctor"], ["doctor", "--json"], ["status"], ["sync"], ["init", "--repo", address, "--root", "no.json"]):
        ran = agent.command(*words)
        assert ran.code != 0
        assert SECRET not in ran.out + ran.err
        assert f"{table}.{field}" in ran.err or words[0] == "init"
    assert SECRET not in agent.log.read_text() if agent.log.exists() else True


def test_doctor_names_a_hub_that_redirects_and_does_not_follow(agent: AgentUnderTest, tmp_path: Path) -> None:
    with serve_directory(tmp_path) as elsewhere, serve_directory(tmp_path) as hub:
        hub.faults.redirect_to = f"{elsewhere.url}/there?token={SECRET}&"
        config = AgentConfig.load(agent.home / "agent.toml").to_toml().replace('url = ""', f'url = "{hub.url}"')
        (agent.home / "agent.toml").write_text(config)
        out = agent.command("doctor").out
        assert f"{hub.url} redirects to {elsewhere.url}/there?…, and redirects aren't followed" in out
        assert SECRET not in out
        assert elsewhere.faults.requests == []


def test_names_of_the_server_are_read_and_checked(agent: AgentUnderTest) -> None:
    text = AgentConfig.load(agent.home / "agent.toml").to_toml()
    assert "hosts = []" in text
    assert AgentConfig.parse(text.replace("hosts = []", 'hosts = ["a.example", "*"]').encode(), where="x").hosts == ("a.example", "*")
    with pytest.raises(ConfigurationError, match=r"x: serving\.hosts: not the name of a host"):
        AgentConfig.parse(text.replace("hosts = []", 'hosts = ["a.example:80"]').encode(), where="x")


@pytest.mark.parametrize("section", ["timing", "limits", "measuring"])
def test_no_number_is_too_large_to_be_worked_with_unnoticed(agent: AgentUnderTest, section: str) -> None:
    text = AgentConfig.load(agent.home / "agent.toml").to_toml()
    numbers = [line for line in text.partition(f"[{section}]\n")[2].partition("\n\n")[0].splitlines() if line.rpartition(" ")[2][0].isdigit()]
    assert numbers
    for line in numbers:
        name, value = line.split(" = ")
        absurd = "1e300" if "." in value else str(2**62)
        if name == "window_rows":  # it is only ever compared
            continue
        with pytest.raises(DocumentError, match=rf"x: {section}\.{name}: out of range"):
            AgentConfig.parse(text.replace(line, f"{name} = {absurd}").encode(), where="x")


def test_a_configuration_from_before_there_were_names_is_read(agent: AgentUnderTest) -> None:
    text = AgentConfig.load(agent.home / "agent.toml").to_toml()
    assert AgentConfig.parse(text.replace("hosts = []\n", "").encode(), where="x").hosts == ()


def test_an_address_of_ipv6_is_told_as_a_url(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    announce(home, "::1", 8470)
    assert server_url(home) == "http://[::1]:8470"
