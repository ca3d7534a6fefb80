"""What a build is doing, in memory that another process reads while it is written."""

from __future__ import annotations

import itertools
import math
import mmap
from collections.abc import Iterator

import pytest

from sealift_packager.sandbox.activity import ANSWERING, NOTHING, reading
from sealift_packager.sandbox.page import Page


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page.create()
    yield made
    made.close()


def test_a_note_is_read_as_it_was_written(page: Page) -> None:
    page.show(reading("onnx"), 3, 120.0, 77.5)
    note = page.read()
    assert (note.activity, note.rows, note.limit_s, note.deadline) == (reading("onnx"), 3, 120.0, 77.5)


def test_a_page_that_is_half_written_says_nothing_or_the_whole(page: Page) -> None:
    notes, images = [page.read()], []
    with mmap.mmap(page.descriptor, mmap.PAGESIZE) as memory:
        images.append(memory[:])
        for activity, rows, deadline in ((ANSWERING, 5, 10.0), (reading("onnx"), 0, math.inf), (ANSWERING, 70, 12.25)):
            page.show(activity, rows, 60.0, deadline)
            notes.append(page.read())
            images.append(memory[:])
        for before, after in ((bytes(mmap.PAGESIZE), images[1]), *itertools.pairwise(images)):
            for cut in range(600):
                memory[:] = after[:cut] + before[cut:]
                assert page.read() in notes
                memory[:] = bytes(min(cut, 32)) + before[min(cut, 32) :]
                assert page.read() in (*notes, NOTHING)


def test_nonsense_is_nothing_and_nothing_is_never_late(page: Page) -> None:
    with mmap.mmap(page.descriptor, mmap.PAGESIZE) as memory:
        for filler in (b"\x00", b"\xff", b"\x01"):
            memory[:] = filler * mmap.PAGESIZE
            assert page.read() == NOTHING
    assert page.read().deadline == math.inf
