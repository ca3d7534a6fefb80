"""The project file: ``[defaults]`` for all models, and a table ``[models.NAME]`` for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sealift_core import beneath
from sealift_core.errors import nearest
from sealift_core.schema.documents import Document
from sealift_packager.errors import ProjectError
from sealift_packager.project.job import PackJob
from sealift_packager.project.unasked import refuse_unasked

DEFAULT: Final = Path("project.toml")
MAX_BYTES: Final = 2**20
#: Where releases and locks go, unless the file says.
_PLACES: Final = {"out": "releases", "locks": "locks"}


def read_project(path: Path, *, named: bool = True, locked: bool = False, force: bool = False, cache: bool = True) -> list[PackJob]:
    """The jobs of a project file, in its order; `ProjectError` or `DocumentError` names the field.

    Keys are those of sealift.toml. Relative paths start at the file's folder. A model's ``out`` is a folder that its release is put into,
    under the model's name, and ``locks`` one for the measurements that its choice rests on. A file that wasn't ``named`` by anybody may say less:
    `UntrustedProjectError` (see `unasked`).
    """
    try:
        data = beneath.read_bounded(path, MAX_BYTES)
    except OSError as error:
        advice = "Name the project file, or write one: see docs/how-to/build-many-models.md."
        raise ProjectError(f"the project file can't be read ({error.strerror})", where=str(path), advice=advice) from error
    document = Document.parse_toml(data, where=str(path), max_bytes=MAX_BYTES)
    defaults, models = document.document("defaults", {}).raw(), document.document("models")
    document.refuse_unknown()
    if not models.names():
        raise ProjectError("no models", where=str(path), expected="a table [models.NAME] for each model")
    tables = {name: Document(defaults | models.document(name).raw(), f"{path}: models.{name}") for name in models.names()}
    folder = path.absolute().parent
    jobs = [_job(name, table, folder, locked=locked, force=force, cache=cache) for name, table in tables.items()]
    for table in () if named else tables.values():
        refuse_unasked(_PLACES | table.raw(), path, where=table.where, consent=f"its name (sealift build {path})")
    return jobs


def pick(jobs: Sequence[PackJob], names: Sequence[str]) -> list[PackJob]:
    """The jobs with these names (all if there are none); `ProjectError` for a name that there is not."""
    available = [job.name for job in jobs]
    for name in names:
        if name not in available:
            raise ProjectError("no such model", where="--only", expected=", ".join(available), found=repr(name), advice=nearest(name, available))
    return [job for job in jobs if not names or job.name in names]


def _job(name: str, table: Document, folder: Path, *, locked: bool, force: bool, cache: bool) -> PackJob:
    places = {field: folder / table.text(field, default) for field, default in _PLACES.items()}
    job = PackJob(
        name=name,
        folder=str(folder),
        model=table.text("model"),
        version=table.text("version"),
        profiles=table.texts("profile"),
        objective=table.texts("objective", ()),
        out=str(places["out"] / name),
        lock=str(places["locks"] / f"{name}.lock"),
        data=table.text("data", None),
        target=table.text("target", "target"),
        metric=table.text("metric", None),
        output=table.text("output", None),
        max_drop=table.number("max-drop", None, minimum=0.0),
        key=table.text("key", None),
        trust_pickle=table.boolean("trust-pickle", default=False),
        format=table.text("format", None),
        golden_from=table.text("golden-from", None),
        factory=table.text("factory", None),
        state_key=table.text("state-key", None),
        allow_extra=table.boolean("allow-extra", default=False),
        dynamic=table.texts("dynamic", ()),
        shape=table.texts("shape", ()),
        example=table.texts("example", ()),
        inputs=table.text("inputs", None),
        image_mean=table.numbers("image-mean", ()),
        image_std=table.numbers("image-std", ()),
        description=table.text("description", ""),
        license=table.text("license", ""),
        measure_on=table.texts("measure-on", ()),
        seed=table.integer("seed", 0, minimum=0),
        measure_seconds=table.number("measure-seconds", 4.0),
        model_timeout=table.number("model-timeout", 120.0),
        no_sandbox=table.boolean("no-sandbox", default=False),
        locked=locked,
        force=force,
        cache=cache,
    )
    table.refuse_unknown()
    return job
