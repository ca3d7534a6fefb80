"""The model card shows what others wrote as text: no markup, no HTML, no link, nothing that hides."""

from __future__ import annotations

import dataclasses
import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.texts import NASTY
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.terminal.printable import printable
from sealift_packager.assemble.markdown import code, paragraphs, plain, table
from sealift_packager.assemble.model_card import model_card
from support.models import make_manifest

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARKUP = [
    "# heading", "## 2", "a\n===", "a\n---", "- list", "+ list", "1. list", "12) list", "> quoted", "    code", "```\ncode\n```", "~~~\ncode\n~~~",
    "*a*", "**a**", "_a_", "__a__", "~~a~~", "`a`", "![a](b)", "[a](http://evil.example)", "[a]: http://evil.example\n\n[a]", "<b>a</b>",
    "<script>alert(1)</script>", "<!-- a -->", "<http://evil.example>", "<?php ?>", "&lt;b&gt;", "&#x1b;", "a  \nb", "a\\\nb",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
    "***", "\\*a*", "![x][y]", "[^1]: note", "- [ ] task", "a|b", "a\\|b", "``a`b``", "$x$", "-", "=", "1.", "\t# x", "  # x", "a\n    b", "a <b",
]  # fmt: skip
TEXTS = st.text(
    st.one_of(st.sampled_from("#*_-+=>|`~[]()<>!&;:\\/.1 \nab$@w"), st.characters(exclude_categories=["Cs"])), max_size=40
) | st.sampled_from(MARKUP)


def shown(markdown: str) -> tuple[set[str], str]:
    """The tags of the page that Markdown makes, and the text on it with its spaces made one."""
    page = RENDERER.render(markdown)
    tags = set(re.findall(r"<(/?\w+)", page))
    return tags, " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def words(text: str) -> str:
    return " ".join(printable(" ".join(text.split("\n"))).split())


@given(TEXTS)
def test_a_text_inside_a_line_is_shown_as_it_is(text: str) -> None:
    assert shown(f"Text {plain(text)} end") == ({"p", "/p"}, " ".join(f"Text {words(text)} end".split()))


@given(TEXTS)
def test_paragraphs_stay_and_nothing_else_of_a_text_means_anything(text: str) -> None:
    tags, page = shown(paragraphs(text))
    assert tags <= {"p", "/p"}
    assert page == words(text)


@given(st.lists(TEXTS, min_size=2, max_size=2))
def test_a_cell_is_one_cell_and_shown_as_it_is(cells: list[str]) -> None:
    tags, page = shown(table(("a", "b"), [[cells[0], code(cells[1])]]))
    assert tags - {"code", "/code"} == {f"{end}{tag}" for tag in ("table", "thead", "tbody", "tr", "th", "td") for end in ("", "/")}
    assert page.replace(" ", "") == f"ab{words(cells[0])}{words(cells[1])}".replace(" ", "")


@pytest.mark.parametrize("name", NASTY)
def test_a_control_is_shown_as_an_escape(name: str) -> None:
    text, escaped = NASTY[name]
    if "\n" not in text:
        assert shown(f"x {plain(text)}")[1] == " ".join(f"x {escaped}".split())


@pytest.mark.parametrize("evil", [*MARKUP, *(text for text, _ in NASTY.values())])
def test_the_card_has_the_same_structure_whatever_others_wrote_into_its_manifest(evil: str) -> None:
    harmless = re.sub(r"<p>.*?</p>", "", re.sub(r">[^<]*<", "><", RENDERER.render(model_card(with_texts("word")))))
    page = RENDERER.render(model_card(with_texts(evil)))
    assert re.sub(r"</?code>", "", re.sub(r"<p>.*?</p>", "", re.sub(r">[^<]*<", "><", page))) == re.sub(r"</?code>", "", harmless)
    assert printable(model_card(with_texts(evil)), lines=True) == model_card(with_texts(evil))


def with_texts(text: str) -> BundleManifest:
    """A manifest whose free texts are all this one."""
    manifest = make_manifest()
    spec = manifest.inputs[0]
    inputs = (
        dataclasses.replace(spec, name=text[:500], description=text, unit=text),
        TensorSpec(name="x", dtype="float32", shape=(text, 3), columns=("a", text, "b")),
    )
    outputs = (TensorSpec(name="y", dtype="string", shape=("batch",), classes=(text, 3, "b")),)
    return dataclasses.replace(
        manifest,
        description=text,
        license=text,
        inputs=inputs,
        outputs=outputs,
        owners=dataclasses.replace(manifest.owners, model=text, deployment=text, site=text),
        profile=dataclasses.replace(manifest.profile, summary=text),
        lineage=dataclasses.replace(manifest.lineage, annotations={"data_notes": [text, "b"]}),
    )
