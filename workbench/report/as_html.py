"""A document as one HTML file that needs nothing else: no script, no network, one style sheet.

The file is well-formed XML too. Its content security policy allows that one style sheet, by its
hash, and nothing more. Every text goes through `_text`, and nothing else makes text.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from workbench.report.document import (
    MARK_LINE,
    NUMBERS,
    Bars,
    Block,
    Cell,
    Chain,
    Column,
    Commands,
    Document,
    Facts,
    Figures,
    Grid,
    Kind,
    Mark,
    Points,
    Section,
    Signatures,
    Table,
    Text,
)
from workbench.report.values import safe, told

SHORT = 8
"""Characters of a figure that fits beside its bar on a telephone."""
DECISIONS = ("approve", "approve with conditions", "reject")


def html_page(document: Document) -> str:
    """The whole file."""
    style = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    sections = [document.summary, *document.sections]
    numbered = [(str(at), one) for at, one in enumerate(sections, 1)]
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{_text(policy)}"/>',
        f'<meta name="generator" content="{MARK_LINE}"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        '<meta name="color-scheme" content="light dark"/>',
        '<meta name="referrer" content="no-referrer"/>',
        f"<title>{_text(document.title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        '<main class="page">',
        "<header>",
        f"<h1>{_text(document.title)}</h1>",
        f'<p class="subtitle">{_text(document.subtitle)}</p>',
        f'<p class="made">{_text(document.made)}</p>',
        "</header>",
        *_section(*numbered[0], level=2),
        *_contents(numbered),
        *(line for number, one in numbered[1:] for line in _section(number, one, level=2)),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _text(text: str, limit: int = 4000) -> str:
    """The only way from text to HTML, for content and for attributes in double quotes."""
    return escape(safe(text, limit), quote=True)


def _contents(sections: Sequence[tuple[str, Section]]) -> Iterator[str]:
    yield '<nav aria-label="Contents">'
    yield "<h2>Contents</h2>"
    yield "<ol>"
    for number, one in sections:
        yield f'<li><a href="#{one.id}"><span class="no">{number}</span> {_text(one.title)}</a>'
        if one.parts:
            yield "<ol>"
            for part in one.parts:
                yield f'<li><a href="#{part.id}">{_text(part.title)}</a></li>'
            yield "</ol>"
        yield "</li>"
    yield "</ol>"
    yield "</nav>"


def _section(number: str, section: Section, level: int) -> Iterator[str]:
    yield f'<section id="{section.id}">'
    yield f'<h{level}><span class="no">{number}</span> {_text(section.title)}</h{level}>'
    for block in section.blocks:
        yield from _BLOCKS[type(block)](block)
    for at, part in enumerate(section.parts, 1):
        yield from _section(f"{number}.{at}", part, level + 1)
    yield "</section>"


# ── blocks ─────────────────────────────────────────────────────────────────────────────────────


def _paragraph(block: Text) -> Iterator[str]:
    kind = ' class="aside"' if block.aside else ""
    yield f"<p{kind}>{_text(block.text)}</p>"


def _facts(block: Facts) -> Iterator[str]:
    yield '<dl class="facts">'
    for name, text in block.pairs:
        yield f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>"
    yield "</dl>"


def _figures(block: Figures) -> Iterator[str]:
    yield '<ul class="figures">'
    for one in block.figures:
        yield (
            f'<li><span class="value">{_text(one.value)}</span>'
            f'<span class="label">{_text(one.label)}</span>'
            f'<span class="detail">{_text(one.detail)}</span></li>'
        )
    yield "</ul>"


def _points(block: Points) -> Iterator[str]:
    yield '<ul class="points">'
    for one in block.points:
        yield f'<li>{_mark(one.mark)} <a href="#{one.section}">{_text(one.text)}</a></li>'
    yield "</ul>"


def _bars(block: Bars) -> Iterator[str]:
    yield '<figure class="bars">'
    yield f"<figcaption>{_text(block.title)}</figcaption>"
    short = all(len(one.text) <= SHORT for one in block.bars)
    yield '<ul class="short">' if short else "<ul>"
    for one in block.bars:
        length = max(0.0, min(100.0, 100 * one.value / block.top))
        drawn = max(length, 0.4) if one.value else 0
        yield (
            f'<li><span class="label">{_text(one.label)}</span>'
            '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="track" width="100" height="8"/>'
            f'<rect class="fill {one.tone}" width="{drawn:.2f}" height="8"/></svg>'
            f'<span class="figure">{_text(one.text)}</span></li>'
        )
    yield "</ul>"
    yield "</figure>"


def _chain(block: Chain) -> Iterator[str]:
    yield '<figure class="chain">'
    yield f"<figcaption>{_text(block.title)}</figcaption>"
    yield f'<ol><li><span class="node">{_text(block.start)}</span></li>'
    for one in block.steps:
        yield (
            f'<li><span class="hop"><span class="by">{_text(one.by)}</span> '
            f'<span class="because">{_text(one.because)}</span></span> '
            f'<span class="node">{_text(one.to)}</span></li>'
        )
    yield "</ol>"
    yield "</figure>"


def _commands(block: Commands) -> Iterator[str]:
    lines = "\n".join(_text(line) for line in block.lines)
    yield f'<pre class="commands" aria-label="commands">{lines}</pre>'


def _signatures(block: Signatures) -> Iterator[str]:
    boxes = " ".join(f'<span class="box">☐ {_text(one)}</span>' for one in DECISIONS)
    yield '<ul class="signatures">'
    for role in block.roles:
        yield (
            f'<li><span class="role">{_text(role)}</span> <span class="boxes">{boxes}</span> '
            '<span class="line">name, date, signature</span></li>'
        )
    yield "</ul>"


def _grid(block: Grid) -> Iterator[str]:
    if not block.rows:
        yield "<p>Nothing was seen.</p>"
        return
    yield from _open(block.title, "matrix")
    heads = "".join(f'<th scope="col"><span>{_text(one, 80)}</span></th>' for one in block.columns)
    corner = f'<th scope="col" class="corner">{_text(block.corner)}</th>'
    yield f"<thead><tr>{corner}{heads}</tr></thead>"
    yield "<tbody>"
    for at, name in enumerate(block.rows):
        cells = "".join(_meeting(block.cells.get((at, to))) for to in range(len(block.columns)))
        yield f'<tr><th scope="row">{_text(name, 80)}</th>{cells}</tr>'
    yield "</tbody>"
    yield from _close()
    yield f'<p class="aside">{_text(block.note)}</p>'


def _meeting(mark: Mark | None) -> str:
    if mark is None:
        return '<td class="none">·</td>'
    return f'<td class="{mark.tone}">{_text(mark.glyph)}{_text(mark.word)}</td>'


# ── tables ─────────────────────────────────────────────────────────────────────────────────────


def _open(title: str, kind: str, anchor: str = "") -> Iterator[str]:
    """A wide table scrolls in its own frame, never the page."""
    name = f' id="{anchor}"' if anchor else ""
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{_text(title)}"{name}>'
    yield f'<table class="{kind}">'
    yield f"<caption><span>{_text(title)}</span></caption>"


def _close() -> Iterator[str]:
    yield "</table>"
    yield "</div>"


def _table(block: Table) -> Iterator[str]:
    if not block.rows:
        yield (
            f'<p class="empty" id="{block.id}"><strong>{_text(block.title)}</strong>: '
            f"{_text(block.empty)} {block.rest}</p>"
        )
        return
    rows = block.page_rows
    shown = [
        at
        for at, column in enumerate(block.columns)
        if not at or (not column.under and any(row[at] is not None for row in rows))
    ]
    under = [at for at, column in enumerate(block.columns) if column.under]
    yield from _open(block.title, "list", block.id)
    heads = "".join(_head(block.columns[at], first=not at) for at in shown)
    yield f"<thead><tr>{heads}</tr></thead>"
    for row in rows:
        first, *rest = (_cell(block.columns[at], row[at]) for at in shown)
        first = first.replace("<td", '<th scope="row"').replace("</td>", "</th>")
        first = first.replace(' class="n"', "")  # it names the row, whatever it is
        yield f"<tbody><tr>{first}{''.join(rest)}</tr>"
        yield from _under([(block.columns[at], row[at]) for at in under], len(shown))
        yield "</tbody>"
    yield from _close()
    for line in (block.rest, block.note):
        if line:
            yield f'<p class="aside">{_text(line)}</p>'


def _head(column: Column, *, first: bool) -> str:
    kind = ' class="n"' if column.kind in NUMBERS and not first else ""
    return f'<th scope="col"{kind}>{_text(column.title)}</th>'


_KINDS = {
    Kind.CODE: ' class="code"',
    Kind.DIGEST: ' class="digest"',
    Kind.TIME: ' class="time"',
    Kind.DAY: ' class="time"',
}


_LONG = re.compile(r"\S{25}")
"""Text that must be broken within a word, or it would push its table off the page."""


def _cell(column: Column, value: Cell) -> str:
    if isinstance(value, Mark):
        return f'<td class="m">{_mark(value)}</td>'
    text = _text(told(value, column.kind))
    if column.kind in NUMBERS:
        exact = f' title="{value:,}"' if column.kind is Kind.BYTES and value is not None else ""
        return f'<td class="n{"" if value else " zero"}"{exact}>{text}</td>'
    kind = _KINDS.get(column.kind, ' class="long"' if _LONG.search(text) else "")
    return f"<td{kind}>{text}</td>"


def _under(found: Sequence[tuple[Column, Cell]], width: int) -> Iterator[str]:
    lines = [
        f"<div><dt>{_text(column.title)}</dt> <dd>{_text(told(value, column.kind))}</dd></div>"
        for column, value in found
        if value is not None and told(value, column.kind)
    ]
    if lines:
        yield f'<tr class="under"><td colspan="{width}"><dl>{"".join(lines)}</dl></td></tr>'


def _mark(mark: Mark) -> str:
    return (
        f'<span class="mark {mark.tone}"><span class="glyph">{_text(mark.glyph)}</span> '
        f"{_text(mark.word)}</span>"
    )


_BLOCKS: dict[type[Block], Callable[[Any], Iterator[str]]] = {
    Bars: _bars,
    Chain: _chain,
    Commands: _commands,
    Facts: _facts,
    Figures: _figures,
    Grid: _grid,
    Points: _points,
    Signatures: _signatures,
    Table: _table,
    Text: _paragraph,
}
