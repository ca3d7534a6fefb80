"""A folder of images with labels: DIR/<label>/image.png, or any folder with a labels.csv that names files and labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.errors import nearest
from sealift_packager.archives.directory import Names
from sealift_packager.archives.own_copy import taken
from sealift_packager.data.csv import read_table
from sealift_packager.errors import DataError
from sealift_packager.graph.content import content_digest
from sealift_packager.model.source import Array

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
LABELS: Final = "labels.csv"
FILE_COLUMN: Final = "file"
LABEL_COLUMN: Final = "label"
MAX_IMAGES: Final = 1_000_000
_EXPECTED: Final = f"DIR/<label>/image.png, or images with a {LABELS} that has the columns {FILE_COLUMN} and {LABEL_COLUMN}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """Images that are decoded once a model says how it takes them. ``labels`` [rows] are whole numbers.

    Labels that are text are numbered in alphabetic order from 0, as torchvision and Keras do with folders: these are ``classes``, and a folder
    without images is one of them.
    """

    path: Path
    digest: Digest
    files: tuple[Path, ...]
    labels: Array
    classes: tuple[str, ...] = ()

    @property
    def arrays(self) -> dict[str, Array]:
        """Nothing yet: see `data.pixels`."""
        return {}


def list_images(folder: Path) -> ImageFolder:
    """The images of a folder and their labels, in the order of their names; `DataError`."""
    listed = (folder / LABELS).is_file()
    labelled = _from_csv(folder) if listed else _from_folders(folder)
    if not labelled:
        raise DataError("no images", where=str(folder), expected=_EXPECTED, found="none that end in " + ", ".join(SUFFIXES))
    if len(labelled) > MAX_IMAGES:
        raise DataError("too many images", where=str(folder), expected=f"at most {MAX_IMAGES:,}", found=f"{len(labelled):,}")
    files, labels = zip(*sorted(labelled), strict=True)
    _refuse_links(folder, files)
    _check_names(folder, files)
    folders = () if listed else _label_folders(folder)
    _check_names(folder, folders)
    names = sorted({*labels} if listed else {path.name for path in folders})
    if all(name.isascii() and name.isdigit() and len(name) < 10 for name in labels):
        return ImageFolder(path=folder, digest=content_digest(folder), files=files, labels=np.array([int(label) for label in labels], np.int64))
    order = {name: at for at, name in enumerate(names)}
    numbers = np.array([order[label] for label in labels], np.int64)
    return ImageFolder(path=folder, digest=content_digest(folder), files=files, labels=numbers, classes=tuple(names))


def _refuse_links(folder: Path, files: tuple[Path, ...]) -> None:
    """The digest does not follow a folder that is a link, so what is behind it could change unseen."""
    between = {parent for file in files for parent in file.parents if parent != folder and parent.is_relative_to(folder)}
    link = next((path for path in sorted(between) if path.is_symlink()), None)
    if link is not None:
        advice = "Put the images themselves, or a link to each image, into the folder."
        raise DataError("a folder is a symbolic link", where=str(link), expected="folders with images", found=str(link.readlink()), advice=advice)


def _check_names(folder: Path, files: Iterable[Path]) -> None:
    """Labels end up in documents, and file names in errors: both are text."""
    for file in files:
        name = str(file.relative_to(folder))
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DataError("a name that isn't UTF-8", where=str(folder), expected="names that are text", found=ascii(name)[:300]) from error


def _label_folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _from_folders(folder: Path) -> list[tuple[Path, str]]:
    loose = next((path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES), None)
    if loose is not None:
        raise DataError("an image has no label", where=str(loose), expected=_EXPECTED)
    return [(path, label.name) for label in _label_folders(folder) for path in label.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES]


def _from_csv(folder: Path) -> list[tuple[Path, str]]:
    where = folder / LABELS
    with taken(where, None, DataError, Names.LABELS) as copy:
        table = read_table(copy.path, dtype=str, keep_default_na=False)
    for name in (FILE_COLUMN, LABEL_COLUMN):
        if name not in table.columns:
            columns = [str(column) for column in table.columns]
            raise DataError("a column is missing", where=str(where), expected=name, found=", ".join(columns)[:300], advice=nearest(name, columns))
    return [(_inside(folder, file, where), label) for file, label in zip(table[FILE_COLUMN], table[LABEL_COLUMN], strict=True)]


def _inside(folder: Path, name: str, where: Path) -> Path:
    path = folder / name
    try:
        inside, is_file = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, links in a circle, NUL
        raise DataError("not the name of a file", where=str(where), expected="a file in the folder", found=repr(name)[:300]) from error
    if not name or not inside:
        raise DataError("a path leads outside the folder", where=str(where), expected="paths inside the folder", found=repr(name)[:300])
    if not is_file:
        raise DataError("no such image", where=str(where), expected="a file in the folder", found=repr(name)[:300])
    return path
