"""The built documentation site loads nothing from elsewhere. Run as a script with the site's folder, it names what does, and fails."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

#: Attributes by which a page loads something at once; a link that a reader follows isn't one.
LOADING = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src",),
    "object": ("data",),
}
#: Links in a page's head that load nothing.
QUIET = {"canonical", "prev", "next", "alternate", "edit"}
#: What makes the theme's own script fetch a library or facts about a repository.
FETCHING = re.compile(r'class="[^"]*\bmermaid\b|data-md-component="source"')
ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
STYLE = re.compile(r"""(?:@import\s+|url\()\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and values.get("rel") in QUIET:
            return
        self.loads += [f"<{tag} {name}={values[name]}>" for name in LOADING.get(tag, ()) if ELSEWHERE.match(values.get(name, ""))]


def loads(html: str) -> list[str]:
    """What a page loads from another host."""
    page = _Page()
    page.feed(html)
    return [*page.loads, *STYLE.findall(html), *FETCHING.findall(html)]


def faults(site: Path) -> Iterator[str]:
    """Each page or style sheet of a site that loads something from elsewhere, with what it loads."""
    for path in sorted(site.rglob("*")):
        if path.suffix in {".html", ".svg"}:
            yield from (f"{path.relative_to(site)} loads {what}" for what in loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".css":
            yield from (f"{path.relative_to(site)} loads {what}" for what in STYLE.findall(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    site = Path(sys.argv[1])
    problems = list(faults(site))
    pages = sum(1 for _ in site.rglob("*.html"))
    print("\n".join(problems) or f"{pages} pages in {site}; none of them loads anything from elsewhere")
    sys.exit(1 if problems or not pages else 0)
