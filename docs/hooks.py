"""What the site adds to mkdocs: the order of its sections, lists of their pages, and pages that stand outside of docs/.

A section's page list comes from its folder, so that a new page appears without an entry anywhere else. Links stay as GitHub shows them: those that
leave ``docs/`` lead to a page of the site where it has one, and are plain text where it doesn't (source code).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File

ROOT: Final = Path(__file__).parents[1]
#: The folders of docs/ in the order of the site, each with its title.
SECTIONS: Final = {"tutorial": "Tutorial", "how-to": "How-to", "reference": "Reference", "explanation": "Explanation", "adr": "Decisions"}
#: Pages at the root of the repository that the site shows too, under "Project".
PROJECT: Final = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#:]*)(#[^)\s]*)?\)")
#: Where a list of a folder's pages goes.
LIST: Final = "<!-- pages of this folder -->"


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
        section.children.sort(key=lambda item: 0 if item.is_page and item.is_index else 1)
    pages = [item for item in nav.items if not item.is_section]
    nav.items = [*pages, *sorted(sections.values(), key=lambda section: order.index(_folder(section)))]
    return nav


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where the site has their pages, and fill in the list of a folder's pages."""
    source = page.file.src_uri
    if LIST in markdown:
        markdown = markdown.replace(LIST, "\n".join(list_pages(posixpath.dirname(source))))
    folder = "" if source.startswith("project/") else f"docs/{posixpath.dirname(source)}"
    here = posixpath.dirname(source)
    return _outside_code(markdown, lambda text: LINK.sub(lambda match: _link(match, folder, here), text))


def list_pages(folder: str) -> list[str]:
    """A line for each page and folder in a folder of docs/: its title, and what its first sentence says."""
    entries = sorted((ROOT / "docs" / folder).iterdir())
    pages = [path / "index.md" if path.is_dir() else path for path in entries if path.name != "index.md"]
    return [_entry(page, page.relative_to(ROOT / "docs" / folder).as_posix()) for page in pages if page.suffix == ".md" and page.exists()]


def _entry(page: Path, target: str) -> str:
    title, _, rest = page.read_text(encoding="utf-8").removeprefix("# ").partition("\n")
    first = " ".join(rest.strip().split("\n\n", 1)[0].split())
    plain = LINK.sub(lambda match: match[2], first)
    sentence = re.split(r"(?<=[.?]) ", plain, maxsplit=1)[0]
    return f"- [{title}]({target})" + (f": {sentence}" if re.match(r"\w", sentence) else "")


def _folder(section: Any) -> str:
    """The folder of docs/ that a section is of."""
    first = next(item for item in _pages(section))
    return str(first.file.src_uri).split("/", 1)[0]


def _pages(section: Any) -> Any:
    for item in section.children:
        yield from _pages(item) if item.is_section else [item]


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
