"""``sealift-hub serve``: the hub as a service."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from sealift_core.terminal.logging_options import asked_for
from sealift_hub.cli.data import data_line, data_option


@click.command(short_help="Serve the dashboard, the API and the repository.")
@data_option
@click.option("--repo", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Repository to serve under /repository/.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--host-name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Another host name that clients use for the hub; * allows every name. May be repeated.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8480, show_default=True, help="Port to listen on; 0 picks a free one.")
def serve(data: Path, repo: Path | None, host: str, names: tuple[str, ...], port: int) -> None:
    """Serve the dashboard, the API and the repository until stopped by SIGTERM or Ctrl-C.

    There is no login yet: anyone who can reach the address can read the pages and enrol a device. Listen on 127.0.0.1, or put
    a proxy with TLS and a login in front of the hub, and set --host-name to the name that people use.
    """
    from sealift_core.http.hosts import AllowedHosts, check_names
    from sealift_hub.api import server
    from sealift_hub.api.app import make_app
    from sealift_hub.api.pruning import pruning
    from sealift_hub.configuration import HubConfig
    from sealift_hub.storage.data_directory import hub_key, opened

    check_names(names, where="--host-name")
    asked_for().for_service("%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with server.listen(host, port) as listener, opened(data, create=True) as database:
        signer, config = hub_key(data, database), HubConfig.load(data)
        words = (data_line(data), f"key {signer.public_key.fingerprint}")
        app = make_app(database, repo, signer=signer, hosts=AllowedHosts(host, names), limits=config.limits)
        with pruning(database, config.retention_days):
            server.run(app, listener, words)
