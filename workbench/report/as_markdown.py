"""A document as Markdown with GitHub's tables: to paste into a ticket or a change request."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from workbench.report.document import (
    MARK_LINE,
    NUMBERS,
    Bars,
    Block,
    Chain,
    Commands,
    Document,
    Facts,
    Figures,
    Grid,
    Points,
    Section,
    Signatures,
    Table,
    Text,
)
from workbench.report.values import safe, told

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~#&@!$^{}()]|(?<=www)\.|:(?=//)|^[-+=.]|^\d+(?=[.)])")
"""What Markdown would take for more than text, links that nobody wrote among it."""


def markdown_page(document: Document) -> str:
    """The whole file."""
    lines = [
        f"<!-- {MARK_LINE} -->",
        f"# {_text(document.title)}",
        "",
        _text(document.subtitle),
        "",
        _text(document.made),
    ]
    for at, one in enumerate((document.summary, *document.sections), 1):
        lines += _section(str(at), one, "##")
    return "\n".join(lines) + "\n"


def _text(text: str, limit: int = 4000) -> str:
    """Text that stays text. A number at the start of a line would begin a list: it is escaped."""
    return _SPECIAL.sub(_escaped, safe(text, limit))


def _escaped(found: re.Match[str]) -> str:
    taken = found.group()
    return taken + "\\" if taken[0].isdigit() else "\\" + taken


def _section(number: str, section: Section, level: str) -> Iterator[str]:
    yield from ("", f"{level} {number} {_text(section.title)}")
    for block in section.blocks:
        yield ""
        yield from _BLOCKS[type(block)](block)
    for at, part in enumerate(section.parts, 1):
        yield from _section(f"{number}.{at}", part, level + "#")


def _paragraph(block: Text) -> Iterator[str]:
    yield _text(block.text)


def _facts(block: Facts) -> Iterator[str]:
    for name, text in block.pairs:
        yield f"- {_text(name)}: {_text(text)}" if name else f"- {_text(text)}"


def _figures(block: Figures) -> Iterator[str]:
    for one in block.figures:
        yield f"- **{_text(one.value)}** {_text(one.label)}: {_text(one.detail)}"


def _points(block: Points) -> Iterator[str]:
    for one in block.points:
        yield f"- {_text(one.mark.text)}: {_text(one.text)}"


def _bars(block: Bars) -> Iterator[str]:
    yield from (_text(block.title), "")
    for one in block.bars:
        yield f"- {_text(one.label)}: {_text(one.text)}"


def _chain(block: Chain) -> Iterator[str]:
    yield from (_text(block.title), "")
    yield f"1. {_text(block.start)}"
    for one in block.steps:
        yield f"1. by {_text(one.by)}, because {_text(one.because)}, to {_text(one.to)}"


def _commands(block: Commands) -> Iterator[str]:
    yield "```sh"
    yield from (safe(line, 4000) for line in block.lines)
    yield "```"


def _signatures(block: Signatures) -> Iterator[str]:
    yield from ("| who | decision | name, date, signature |", "|---|---|---|")
    for role in block.roles:
        yield f"| {_text(role)} | | |"


def _grid(block: Grid) -> Iterator[str]:
    yield _row([block.corner, *block.columns])
    yield "|---" * (1 + len(block.columns)) + "|"
    for at, name in enumerate(block.rows):
        marks = [block.cells.get((at, to)) for to in range(len(block.columns))]
        yield _row([name, *(mark.glyph + mark.word if mark else "·" for mark in marks)])
    yield from ("", _text(block.note))


def _table(block: Table) -> Iterator[str]:
    if not block.rows:
        yield f"**{_text(block.title)}**: {_text(block.empty)}. {block.rest}".rstrip()
        return
    yield from (f"**{_text(block.title)}**", "")
    yield _row([column.title for column in block.columns])
    rules = ("---:" if column.kind in NUMBERS else "---" for column in block.columns)
    yield f"|{'|'.join(rules)}|"
    for row in block.page_rows:
        yield _row(
            [told(value, column.kind) for value, column in zip(row, block.columns, strict=True)]
        )
    for line in (block.rest, block.note):
        if line:
            yield from ("", _text(line))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


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
