"""A server answers under its own names, so that no page from elsewhere can make it answer under that page's name."""

from __future__ import annotations

import socket
import time

import pytest

from sealift_core.errors import ConfigurationError
from sealift_core.http.hosts import AllowedHosts, check_names

LOCAL = AllowedHosts("127.0.0.1")
EVERYWHERE = AllowedHosts("0.0.0.0")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8470", "127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:8470", "192.168.1.5:80", "app.localhost", "localhost.", "gateway:1"]
)
def test_addresses_and_loopback_names_are_answered(host: str) -> None:
    assert host.encode() in LOCAL
    assert host.encode() in EVERYWHERE


@pytest.mark.parametrize("hosts", [LOCAL, EVERYWHERE])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8470",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1:8470@evil.example",
        "evil.example#127.0.0.1",
        "",
        ":80",
        "[::1",
        "[]:80",
        "127.0.0.1:80:80",
        "127.0.0.1:port",
        "a" * 300,
        "evil.example, localhost",
        "\xe9vil.example",
    ],
)
def test_other_names_are_not(hosts: AllowedHosts, host: str) -> None:
    assert host.encode("latin-1") not in hosts


def test_names_that_nobody_can_register_are_answered_by_a_server_that_others_reach() -> None:
    for name in (b"gateway.local", b"gateway.local:8470", b"sealift.models.svc.cluster.local", b"gw.internal", b"gw.home.arpa"):
        assert name in EVERYWHERE
        assert name not in LOCAL


def test_this_machine_is_known_by_its_name() -> None:
    assert socket.gethostname().encode() in LOCAL


def test_names_of_the_operator_are_answered_and_a_star_stands_for_all() -> None:
    hosts = AllowedHosts("127.0.0.1", ("Models.Example.org",))
    assert b"models.example.org:443" in hosts
    assert b"MODELS.example.org." in hosts
    assert b"other.example.org" not in hosts
    assert b"evil.example" in AllowedHosts("127.0.0.1", ("*",))


def test_a_server_that_listens_under_a_name_answers_to_it() -> None:
    assert b"models.example.org:8470" in AllowedHosts("models.example.org")


@pytest.mark.parametrize("name", ["http://models.example.org", "models.example.org:80", "*.example.org", "a b", "", "a" * 64, "\xe9.example"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"not the name of a host: expected like models\.example\.org"):
        check_names([name], where="agent.toml: serving.hosts")


def test_names_and_addresses_are_taken() -> None:
    check_names(["models.example.org", "Gateway", "my_service", "192.0.2.1", "2001:db8::1", "*"], where="agent.toml: serving.hosts")


def test_many_names_of_strangers_take_no_memory_and_a_known_one_no_time() -> None:
    hosts = AllowedHosts("127.0.0.1")
    for number in range(10_000):
        assert f"10.0.{number // 256}.{number % 256}".encode() in hosts
    assert len(hosts.accepted) <= 256
    assert b"127.0.0.1:8470" in AllowedHosts("127.0.0.1")
    begun = time.perf_counter()
    for _ in range(100_000):
        assert b"10.0.0.1" in hosts
    assert time.perf_counter() - begun < 1
