"""The HTTP answers for repository files.

A blob never changes: its name is its ETag, it may be cached for ever, and a download goes on where it stopped. The
other documents are small and replaced at each publication; each is read in one go, so an answer is never a mixture.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from sealift_core import beneath
from sealift_core.bundle.digest import Digest
from sealift_core.errors import LimitError
from sealift_hub.answers import PrintableJson
from sealift_hub.repository.files import UnsatisfiableRangeError, blob_digest, byte_range, open_public

CHUNK_BYTES: Final = 2**20
#: Metadata and index.json; the largest that a repository may have.
MAX_DOCUMENT_BYTES: Final = 64 * 2**20
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def answer(root: Path, path: str, request: Request) -> Response:
    """The answer to GET or HEAD of a repository path."""
    digest = blob_digest(path)
    try:
        file = open_public(root, path)
        if file is None:
            return PrintableJson({"error": f"{path[:300]}: the repository has no such file"}, 404)
        return _blob(file, digest, request) if digest else _document(file, request)
    except OSError as error:
        return PrintableJson({"error": f"{path}: the repository's file can't be read ({error.strerror})"}, 503)
    except LimitError as error:
        return PrintableJson({"error": f"{path}: the repository's file is {error.message}, {error.expected} are served"}, 503)


def _document(file: io.BufferedReader, request: Request) -> Response:
    with file:
        data = beneath.read_open(file, MAX_DOCUMENT_BYTES, where="repository")
    headers = {"etag": f'"{Digest.of(data).hex}"', "cache-control": "no-cache"}
    if _is_known(request, headers):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/json", headers=headers)


def _blob(file: io.BufferedReader, digest: str, request: Request) -> Response:
    """The answer for a blob, of the size that it has now: what is appended to it later isn't sent."""
    with contextlib.ExitStack() as closing:
        closing.enter_context(file)
        size = beneath.size_bytes(file)
        headers = {"etag": f'"{digest}"', "cache-control": _FOR_EVER, "accept-ranges": "bytes"}
        if _is_known(request, headers):
            return Response(status_code=304, headers=headers)
        try:
            requested = byte_range(_range_header(request, headers), size)
        except UnsatisfiableRangeError as error:
            return PrintableJson({"error": "the range begins after the end of the file"}, 416, headers={"content-range": str(error)})
        part = requested if requested is not None else range(size)
        headers["content-length"] = str(len(part))
        if requested is not None:
            headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        status = 200 if requested is None else 206
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type="application/octet-stream")
        closing.pop_all()
        return StreamingResponse(_chunks(file, part), status, headers, "application/octet-stream")


def _chunks(file: io.BufferedReader, part: range) -> Iterator[bytes]:
    with file:
        file.seek(part.start)
        left = len(part)
        while left:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                return  # the file was cut off meanwhile; the server ends the connection, as the length doesn't hold
            left -= len(chunk)
            yield chunk


def _is_known(request: Request, headers: Mapping[str, str]) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return headers["etag"] in tags or "*" in tags


def _range_header(request: Request, headers: Mapping[str, str]) -> str | None:
    if request.headers.get("if-range", headers["etag"]) != headers["etag"]:
        return None
    return request.headers.get("range")
