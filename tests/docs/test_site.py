"""What `make docs` checks of the built site: that no page of it loads anything from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.built_site import faults, loads


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="https://badges.example/build.svg">',
        "<style>@font-face { src: url('https://fonts.example/f.woff2') }</style>",
        '<pre class="mermaid">graph</pre>',
    ],
)
def test_what_a_page_loads_from_elsewhere_is_named(html: str) -> None:
    assert loads(html)


@pytest.mark.parametrize(
    "html",
    [
        '<script src="../assets/x.js"></script>',
        '<a href="https://theupdateframework.io">TUF</a>',
        '<link rel="canonical" href="https://docs.example/">',
    ],
)
def test_what_a_reader_follows_is_no_load(html: str) -> None:
    assert loads(html) == []


def test_every_page_and_style_sheet_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/page.html").write_text('<script src="https://cdn.example/x.js"></script>', encoding="utf-8")
    (tmp_path / "style.css").write_text('@import "https://fonts.example/css";', encoding="utf-8")
    assert [fault.split(" ")[0] for fault in faults(tmp_path)] == ["deep/page.html", "style.css"]
