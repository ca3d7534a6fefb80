"""``sealift-hub init``: a new hub, or the key of one that is there."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.terminal import commandline
from sealift_hub.cli.data import data_line, data_option


@click.command(short_help="Make a hub's data directory and key, or show the key of one.")
@data_option
@click.option("--new-key", is_flag=True, help="Replace the hub's key, which was lost or stolen. Every device must then be given the new fingerprint.")
@commandline.json_option
def init(data: Path, *, new_key: bool, as_json: bool) -> None:
    """Make the hub's database, its hub.toml and the key that signs its receipts, if they aren't there, and print the key's fingerprint.

    Pass the fingerprint to `sealift-agent init --hub-key` and `sealift kit build --hub-key`: devices then take no other hub's receipts. Keep a copy
    of hub-key.pem in a safe place, apart from copies of the database.
    """
    from sealift_hub.configuration import HubConfig
    from sealift_hub.storage.data_directory import KEY_NAME, hub_key, opened

    with opened(data, create=True) as database:
        HubConfig().save_new(data)
        fingerprint = hub_key(data, database, replace=new_key).public_key.fingerprint
    path = (data / KEY_NAME).absolute()
    lines = [data_line(data), f"Key: {fingerprint}", f"The private key is {path}: keep a copy of it in a safe place, apart from the database."]
    commandline.show({"data": str(data.absolute()), "key": fingerprint, "key_file": str(path)}, lines, as_json=as_json)
