"""What the site adds to mkdocs: the order of its sections and of their pages, and pages that stand outside of docs/.

A section's pages come in the order in which its ``index.md`` links to them. Links stay as GitHub shows them: those that leave ``docs/`` lead to a
page of the site where it has one, and are plain text where it doesn't (source code).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File

ROOT: Final = Path(__file__).parents[1]
#: The folders of docs/ in the order of the site, each with its title.
SECTIONS: Final = {"tutorial": "Tutorial", "how-to": "How-to", "reference": "Reference", "explanation": "Explanation", "adr": "Decisions"}
#: Pages at the root of the repository that the site shows too, under "Project".
PROJECT: Final = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#:]*)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the project's own pages, below ``project/``."""
    for name in PROJECT:
        if (ROOT / name).exists():
            files.append(File.generated(config, f"project/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_nav(nav: Any, **_: Any) -> Any:
    """Sort the sections by what a reader wants, and give them their titles."""
    order = [*SECTIONS, "project"]
    sections = {_folder(item): item for item in nav.items if item.is_section}
    for name, section in sections.items():
        section.title = SECTIONS.get(name, name.capitalize())
        _sort(section)
    pages = [item for item in nav.items if not item.is_section]
    nav.items = [*pages, *sorted(sections.values(), key=lambda section: order.index(_folder(section)))]
    return nav


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where the site has their pages."""
    source = page.file.src_uri
    folder = "" if source.startswith("project/") else f"docs/{posixpath.dirname(source)}"
    here = posixpath.dirname(source)
    return _outside_code(markdown, lambda text: LINK.sub(lambda match: _link(match, folder, here), text))


def _sort(section: Any) -> None:
    """Put a section's index first, then its pages and folders in the order in which the index links to them."""
    for item in section.children:
        if item.is_section:
            _sort(item)
            item.title = _title(item)
    index = next((item.file for item in section.children if item.is_page and item.is_index), None)
    if index is None:
        return
    folder = posixpath.dirname(index.src_uri)
    links = re.findall(r"\]\(([^)#:]+)\)", Path(index.abs_src_path).read_text(encoding="utf-8"))
    order = [index.src_uri, *(posixpath.normpath(posixpath.join(folder, link)) for link in links)]
    section.children.sort(key=lambda item: order.index(uri) if (uri := next(_pages(item)).file.src_uri) in order else len(order))


def _folder(section: Any) -> str:
    """The folder of docs/ that a section is of."""
    return str(next(_pages(section)).file.src_uri).split("/", 1)[0]


def _title(section: Any) -> str:
    """A folder's title: that of its index."""
    return Path(next(_pages(section)).file.abs_src_path).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _pages(item: Any) -> Iterator[Any]:
    """A page itself, or a section's pages."""
    if item.is_page:
        yield item
    else:
        for child in item.children:
            yield from _pages(child)


def _link(match: re.Match[str], folder: str, here: str) -> str:
    image, text, target, anchor = match[1], match[2], match[3], match[4] or ""
    if not target:
        return match[0]
    path = posixpath.normpath(posixpath.join(folder, target))
    if path in PROJECT:
        path = f"docs/project/{path}"
    if path == "docs" or path.startswith("docs/"):
        inside = posixpath.relpath(path, "docs")
        if (ROOT / path).is_dir():
            inside = posixpath.normpath(posixpath.join(inside, "index.md"))
        return f"{image}[{text}]({posixpath.relpath(inside, here or '.')}{anchor})"
    if path == "README.md":
        return f"{image}[{text}]({posixpath.relpath('index.md', here or '.')})"
    return f"{text} (`{path}`)" if path not in text else text


def _outside_code(markdown: str, change: Any) -> str:
    """The text with what is outside of fenced blocks changed."""
    parts = re.split(r"(?ms)(^ *```.*?^ *```$)", markdown)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))
