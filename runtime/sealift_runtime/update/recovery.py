"""What to do with an installed bundle that may be damaged."""

from __future__ import annotations

from collections.abc import Mapping

from sealift_core.bundle.digest import Digest
from sealift_core.errors import DocumentError, IntegrityError, LimitError
from sealift_runtime.update.context import Context
from sealift_runtime.update.installed import check_installed
from sealift_runtime.update.records import Deployment, InstalledBundle, Update
from sealift_runtime.update.table import State


def recover(context: Context, deployment: Deployment, checked: Mapping[Digest, str]) -> None:
    """Make sure that what the database says is current is whole; ``checked`` is what the data plane hashed already, with the states of its files.

    1. A previous bundle that is damaged is forgotten.
    2. A current bundle that is whole stays.
    3. A damaged one gives way to the previous one, if that is whole. Its release isn't refused: it will be fetched anew.
    4. Otherwise nothing can serve; the model's update is begun anew with the same release.

    Every damage is an event naming the file, and what is damaged is removed, so that it is never loaded.
    """
    previous = deployment.previous
    if previous and not _whole(context, previous, checked):  # 1
        previous = None
        context.state.set_deployment(deployment.name, deployment.current, None)
    current = deployment.current
    if current is None or _whole(context, current, checked):  # 2
        return
    with context.state.transaction():
        context.state.set_deployment(deployment.name, previous, None)  # 3
        if previous:
            context.record("fell-back", previous, f"version {current.version} is damaged")
            update = context.state.update(deployment.name)
            if update and update.release == current.release:
                context.state.drop_update(deployment.name)
        else:
            context.state.put(_anew(current))  # 4
    context.publisher.publish(deployment.name)


def _whole(context: Context, bundle: InstalledBundle, checked: Mapping[Digest, str]) -> bool:
    try:
        check_installed(context.store, bundle, checked.get(bundle.digest))
    except (IntegrityError, DocumentError, LimitError) as error:
        context.record("damaged", bundle, str(error))
        drop(context, bundle)
        return False
    return True


def drop(context: Context, bundle: InstalledBundle) -> list[Digest]:
    """Remove a bundle's directory, and every blob of it that isn't what its name says (hard links share their bytes): those, and what is missing."""
    context.checked.pop(bundle.digest, None)
    context.store.remove_bundle(bundle.digest)
    dropped = context.store.drop_damaged_documents([bundle.release, bundle.digest])
    if context.store.layout.has(bundle.digest):
        dropped += context.store.drop_damaged(context.store.bundle_files(bundle.digest).blobs())
    return dropped


def _anew(bundle: InstalledBundle) -> Update:
    size = bundle.release_size
    return Update(name=bundle.name, version=bundle.version, state=State.CHECKING, release=bundle.release, release_size=size, repair=True)
