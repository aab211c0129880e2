"""Documents as HTML, Markdown and CSV: nothing in them is more than text, and nothing is lost."""

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from workbench.model.report import Some
from workbench.report import csv_files, html_page, markdown_page
from workbench.report.document import (
    Bar,
    Bars,
    Block,
    Chain,
    Column,
    Commands,
    Document,
    Facts,
    Figure,
    Figures,
    Grid,
    Kind,
    Mark,
    Point,
    Points,
    Section,
    Signatures,
    Step,
    Table,
    Text,
    Tone,
)
from workbench.report.values import safe

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "&lt;b&gt; &amp; &#60;",
    "]]> --> <!-- <![CDATA[",
    "\x00\x07\x1b[31mred\x7f\x9b",
    "line\nbreak\r\n# heading\n- item",
    "\u202egnp.exe\u2066x\u2069\u061c\u200e",
    "\ufeff\ufffe\uffff\u200b\ud800",
    "| a | b |",
    "[x](javascript:alert(1)) ![y](https://evil.example/y.png)",
    "https://evil.example/ www.evil.example a@evil.example <https://evil.example>",
    "`code` ```fence``` **bold** ~~gone~~ $x$",
    "=cmd|' /C calc'!A0",
    "+1",
    "-2",
    "@SUM(1)",
    "1. first",
    "\\",
    "שלום مرحبا",
    "x" * 100_000,
)
WORDS = ("plain", *HOSTILE)


def everything(text: str) -> Document:
    """A document that says the same in every place that can say something."""
    mark = Mark("✗", text, Tone.BAD)
    columns = (
        Column("name", text),
        Column("mark", text, Kind.MARK),
        Column("names", text, Kind.NAMES),
        Column("some", text, Kind.NAMES),
        Column("code", text, Kind.CODE),
        Column("bytes", text, Kind.BYTES),
        Column("time", text, Kind.TIME),
        Column("day", text, Kind.DAY),
        Column("share", text, Kind.SHARE),
        Column("nothing", text),
        Column("long", text, under=True),
    )
    row = (text, mark, (text, text), Some((text,), 7), text, 1234, 0, date(2026, 7, 1), 0.5, None,
           text)  # fmt: skip
    blocks: tuple[Block, ...] = (
        Text(text),
        Facts(((text, text),)),
        Figures((Figure(text, text, text),)),
        Points((Point(mark, text, "inner"),)),
        Bars(text, (Bar(text, 1, text), Bar(text, 0, text)), 2),
        Grid(text, text, (text, "b"), (text,), {(0, 0): mark}, text),
        Chain(text, text, (Step(text, text, text),)),
        Commands((f"workbench {text}",)),
        Signatures((text,)),
        Table("list", text, columns, [row, row], 5, note=text),
        Table("none", text, columns, [], empty=text),
    )
    inner = Section("inner", text, blocks)
    summary = Section("summary", text, (Text(text), Points((Point(mark, text, "inner"),))))
    return Document(text, text, text, summary, (Section("outer", text, (Text(text),), (inner,)),))


class Reader(HTMLParser):
    """What a lenient reader finds: elements, attributes, text, the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.style = ""
        self._in = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "style":
            self.style += data
        elif data.strip():
            self.text.append(data.strip())


TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "nav", "section", "h1",
    "h2", "h3", "p", "a", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "figure",
    "figcaption", "svg", "rect", "table", "caption", "thead", "tbody", "tr", "th", "td", "pre",
    "strong",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "id", "class", "href", "role", "tabindex",
    "aria-label", "aria-hidden", "scope", "colspan", "title", "viewbox", "preserveaspectratio",
    "width", "height",
}  # fmt: skip
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069"
                    "\ufeff\ufffe\uffff\ud800-\udfff]")  # fmt: skip


@pytest.mark.parametrize("text", WORDS, ids=lambda text: repr(text[:24]))
def test_html_holds_text_and_nothing_else(text: str) -> None:
    page = html_page(everything(text))
    found = Reader(page)
    assert found.tags <= TAGS, found.tags - TAGS
    assert {name for name, _ in found.attributes} <= ATTRIBUTES
    links = [value for name, value in found.attributes if name == "href"]
    anchors = [value for name, value in found.attributes if name == "id"]
    assert links and all(link[0] == "#" and link[1:] in anchors for link in links)
    assert len(set(anchors)) == len(anchors)
    assert sum(safe(text).strip() in one for one in found.text) > 20
    assert not UNSEEN.search(page)
    assert len(page) < 300_000  # some 60 texts of 4,000 characters at most


@pytest.mark.parametrize("text", WORDS, ids=lambda text: repr(text[:24]))
def test_a_strict_reader_finds_the_same_in_the_html(text: str) -> None:
    page = html_page(everything(text))
    root = ElementTree.fromstring(page)
    style = "".join(root.find("head/style").itertext())  # type: ignore[union-attr]
    words = [one.strip() for one in root.itertext() if one.strip() and one != style]
    assert words == Reader(page).text


def test_the_page_allows_one_style_sheet_and_nothing_else() -> None:
    found = Reader(html_page(everything("plain")))
    [policy] = [
        value for name, value in found.attributes if name == "content" and "default-src" in value
    ]
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    parts = [part.strip() for part in policy.split(";")]
    assert parts[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert not re.search(r"url\(|@import|expression|[<&\\]", found.style)


def test_what_is_left_out_is_counted() -> None:
    rows = [(f"host-{number}", number) for number in range(10)]
    columns = (Column("name", "host"), Column("flows", "flows", Kind.COUNT))
    table = Table("hosts", "Hosts", columns, rows, more=19_990, page=3)
    document = Document("t", "s", "m", Section("summary", "Summary", (table,)))
    for page in (html_page(document), markdown_page(document)):
        assert "host-2" in page and "host-3" not in page
        assert "19,997 more, 20,000 in all" in page.replace("\\", "")


# ── Markdown ───────────────────────────────────────────────────────────────────────────────────


def tokens(page: str) -> Iterator[tuple[str, str]]:
    """Type and text of everything a Markdown reader finds."""
    for block in MarkdownIt("commonmark", {"linkify": False}).enable(["table"]).parse(page):
        yield block.type, block.content
        for inline in block.children or ():
            yield inline.type, inline.content


KNOWN = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text",
    "strong_open", "strong_close", "softbreak", "bullet_list_open", "bullet_list_close",
    "ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close", "fence",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
    "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close", "text_special",
}  # fmt: skip


@pytest.mark.parametrize("text", WORDS, ids=lambda text: repr(text[:24]))
def test_markdown_holds_text_and_nothing_else(text: str) -> None:
    page = markdown_page(everything(text))
    first, *rest = tokens(page)
    assert first == ("html_block", "<!-- Segmentation Workbench report -->\n")
    assert {kind for kind, _ in rest} <= KNOWN
    assert not UNSEEN.search(page)
    assert not re.search(r"(?<!\\)://|(?<!\\)@|www\.", page.split("```")[0])  # links of GitHub's


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_markdown_and_csv_tables_read_back(text: str) -> None:
    columns = (Column("name", "name"), Column("flows", "flows", Kind.COUNT))
    table = Table("hosts", "Hosts", columns, [(text, 1234)])
    document = Document("t", "s", "m", Section("summary", "S", ()), (Section("a", "A", (table,)),))
    row = markdown_page(document).splitlines()[-1]
    found = MarkdownIt("commonmark").enable(["table"]).parse(f"| a | b |\n|---|---|\n{row}\n")
    cells = [
        "".join(child.content for child in one.children or ())
        for one in found
        if one.type == "inline"
    ]
    assert [cell.strip() for cell in cells[2:]] == [safe(text).strip(), "1,234"]
    [head, values] = csv.reader(io.StringIO(csv_files(document)["hosts.csv"], newline=""))
    assert head == ["name", "flows"]
    guard = "'" if values[0] != safe(text) else ""
    assert values == [f"{guard}{safe(text)}", "1234"]


# ── CSV ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", WORDS, ids=lambda text: repr(text[:24]))
def test_csv_holds_raw_values_and_no_formula(text: str) -> None:
    files = csv_files(everything(text))
    assert set(files) == {"about.csv", "summary.csv", "list.csv", "none.csv"}
    rows = list(csv.DictReader(io.StringIO(files["list.csv"])))
    assert len(rows) == 2 and rows[0] == rows[1]
    assert rows[0]["bytes"] == "1234" and rows[0]["share"] == "0.5"
    assert rows[0]["time"] == "1970-01-01T00:00:00.000000Z" and rows[0]["day"] == "2026-07-01"
    assert rows[0]["name"].removeprefix("'") == safe(text, 100_000)
    assert not any(value.startswith(("=", "+", "-", "@")) for value in rows[0].values())
    assert files["none.csv"].count("\n") == 1


def test_numbers_below_zero_stay_numbers() -> None:
    table = Table("t", "T", (Column("n", "n", Kind.COUNT),), [(-5,)])
    document = Document("t", "s", "m", Section("summary", "S", ()), (Section("a", "A", (table,)),))
    assert csv_files(document)["t.csv"] == "n\n-5\n"
