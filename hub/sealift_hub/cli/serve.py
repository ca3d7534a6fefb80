"""``sealift-hub serve``: the hub as a service."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import uvicorn

from sealift_hub.api.app import make_app
from sealift_hub.cli.data import data_option
from sealift_hub.errors import PortError
from sealift_hub.storage.database import Database

GRACE_S = 10
IDLE_CONNECTION_S = 30
MAX_CONNECTIONS = 1000


@click.command()
@data_option
@click.option("--repo", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository to serve under /repository/.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8480, show_default=True, help="The port to listen on; 0 takes a free one.")
def serve(data: Path, repo: Path | None, host: str, port: int) -> None:
    """Serve the pages, the API and the repository until told to stop.

    There is no login yet: whoever reaches the address can read the pages and enrol a device. Listen on 127.0.0.1, or put a
    proxy with TLS and a login in front.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with listen(host, port) as listener, contextlib.closing(Database.in_directory(data)) as database:
        config = uvicorn.Config(
            make_app(database, repo),
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=IDLE_CONNECTION_S,
            timeout_graceful_shutdown=GRACE_S,
        )
        _Server(config, _url(listener)).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `PortError` with advice if there can't be one."""
    where = f"{host}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = str(error.strerror).split(" (")[0].lower()
        raise PortError(
            f"can't listen here ({reason})", where=where, advice="Stop what listens there, or give another --port (0 takes a free one) or --host."
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if listener.family == socket.AF_INET6 else f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    """Says where it listens once it does, and ends with exit code 0 when it is told to stop."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address."""
        await super().startup(sockets)
        click.echo(f"listening on {self._url}")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on SIGTERM and SIGINT; uvicorn's own would then end the process by that signal."""
        handlers = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
