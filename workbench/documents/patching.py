"""New content into a text somebody wrote: what did not change keeps its comments and layout.

The text is cut into chunks, one an entry, each with the comments and blank lines above it. Chunks
of unchanged entries are copied, changed ones are entered (a block) or rewritten (a line).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from workbench.documents.nodes import Node, parse_yaml
from workbench.documents.writing import (
    Data,
    block_lines,
    dashed,
    field_lines,
    flow,
    item_lines,
    scalar,
    section_lines,
)
from workbench.model.errors import DocumentError

_COMMENT = re.compile(r"\s+#.*")
Fields = dict[str, Data]
T = TypeVar("T")


def patch(text: str, root: Node, old: Fields, new: Fields, *, blocks: Sequence[str] = ()) -> str:
    """`text`, which says `old`, made to say `new`; `root` is the tree of `text`.

    `old` and `new` are plain data as `render` takes it. The caller reads the result back: in texts
    of an unusual shape it may not say `new`.
    """
    crlf = "\r\n" in text
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    patcher = _Patcher(lines, blocks)
    result = patcher.mapping(root, 1, old, new, patcher.section) + lines[root.last_line :]
    return "\n".join(result).replace("\n", "\r\n" if crlf else "\n")


def updated(
    old_text: str,
    wanted: T,
    read: Callable[[Node], T],
    data: Callable[[T], Fields],
    error: type[DocumentError],
    *,
    blocks: Sequence[str] = (),
) -> str | None:
    """`old_text` made to say `wanted`, with everything kept where nothing changed.

    Reads back as exactly `wanted`; None for a text that cannot be kept. `read` raises `error`.
    """
    try:
        root = parse_yaml(old_text, "", error)
        old = read(root)
        if old == wanted:
            return old_text
        text = patch(old_text, root, data(old), data(wanted), blocks=blocks)
        return text if read(parse_yaml(text, "", error)) == wanted else None
    except error:  # the old text, or what became of it, is no such document
        return None


class _Unusual(Exception):
    """A layout that is not worth taking apart; the entry around it is rewritten."""


@dataclass(slots=True)
class _Chunk:
    """One entry of the text: lines above it and its own."""

    above: list[str]
    attached: list[str]
    """Comments right above the entry, at its indent: they go where it goes."""
    lines: list[str] = field(default_factory=list)

    def whole(self) -> list[str]:
        return [*self.above, *self.attached, *self.lines]


class _Patcher:
    def __init__(self, lines: list[str], blocks: Sequence[str]) -> None:
        self._lines = lines
        self._blocks = blocks

    def section(self, key: str, value: Data, _indent: int) -> list[str]:
        """A top-level key in the document's own layout."""
        return section_lines(key, value, as_blocks=key in self._blocks)

    def mapping(
        self,
        node: Node,
        start: int,
        old: Fields,
        new: Fields,
        fresh: Callable[[str, Data, int], list[str]] = field_lines,
    ) -> list[str]:
        """The lines of a block mapping, from line `start` on, made to say `new`."""
        names = [str(key.value) for key in node.keys]
        moved = _renamed([name for name in names if name in old], list(new))
        renamed = {was: now for was, now in moved.items() if _same(old[was], new[now])}
        chunks: dict[str, _Chunk] = {}
        for name, key, value in zip(names, node.keys, node.children, strict=True):
            chunk = self._chunk(start, key.line, node.column)
            start = value.last_line + 1
            wanted = renamed.get(name, name)
            if wanted in new:
                chunk.lines = self._field(key, value, old.get(name), new[wanted])
                if not chunk.lines:
                    chunk.lines = fresh(wanted, new[wanted], node.column)
                    chunk.lines[0] += self._comment(value)
                elif wanted != name:
                    line = chunk.lines[0]
                    chunk.lines[0] = line[: key.column] + scalar(wanted) + line[key.last_column :]
            elif name not in old:  # a default, spelt out
                chunk.lines = self._between(key.line, value.last_line)
            else:
                chunk.attached = []
            chunks[wanted] = chunk
        written = list(chunks)
        for name in new:
            if name not in chunks:
                chunks[name] = _Chunk([], [], fresh(name, new[name], node.column))
        canonical = [n for n in names if n in old] == [n for n in old if n in names]
        if canonical:
            return _joined(chunks, list(new), list(chunks))
        return _joined(chunks, written, list(new))

    def _field(self, key: Node, value: Node, old: Data | None, new: Data) -> list[str]:
        """The lines of one field; empty where it has to be rewritten."""
        if _same(old, new):
            return self._between(key.line, value.last_line)
        content = self._entered(value, key.line + 1, old, new)
        return [self._lines[key.line - 1], *content] if content else []

    def _entered(self, node: Node, start: int, old: Data | None, new: Data) -> list[str]:
        """A block taken apart; empty where it has to be rewritten."""
        if node.flow or node.line < start or not new:
            return []
        try:
            if node.kind == "mapping" and isinstance(old, dict) and isinstance(new, dict):
                return self.mapping(node, start, old, new)
            if node.kind == "sequence" and isinstance(old, list) and isinstance(new, list):
                return self._sequence(node, start, old, new)
        except _Unusual:
            pass
        return []

    def _sequence(
        self, node: Node, start: int, old: Sequence[Data], new: Sequence[Data]
    ) -> list[str]:
        """The lines of a block sequence, from line `start` on, made to say `new`."""
        before, after = list(map(_identity, old)), list(map(_identity, new))
        if len(set(before)) != len(node.children) or len(set(after)) != len(after):
            raise _Unusual
        values = dict(zip(after, new, strict=True))
        in_blocks = all(item.kind == "mapping" and not item.flow for item in node.children)
        renamed = _renamed(before, after)
        chunks: dict[str, _Chunk] = {}
        for name, item, value in zip(before, node.children, old, strict=True):
            if item.line < start or self._lines[item.line - 1][node.column :][:1] != "-":
                raise _Unusual
            chunk = self._chunk(start, item.line, node.column)
            start = item.last_line + 1
            wanted = renamed.get(name, name)
            if wanted in values:
                chunk.lines = self._item(item, node.column, value, values[wanted])
            else:
                chunk.attached = []
            chunks[wanted] = chunk
        for name, value in values.items():
            if name not in chunks:
                lines = _fresh_item(value, node.column, in_blocks)
                chunks[name] = _Chunk([], [], lines)
        return _joined(chunks, after, list(chunks))

    def _item(self, item: Node, dash: int, old: Data, new: Data) -> list[str]:
        if _same(old, new):
            return self._between(item.line, item.last_line)
        if item.kind == "mapping" and not item.flow:
            line = self._lines[item.line - 1]
            self._lines[item.line - 1] = f"{line[:dash]} {line[dash + 1 :]}"
            content = self._entered(item, item.line, old, new)
            if content:
                return dashed(content, dash)
        lines = _fresh_item(new, dash, item.kind == "mapping" and not item.flow)
        lines[0] += self._comment(item)
        return lines

    def _chunk(self, start: int, line: int, column: int) -> _Chunk:
        above = self._between(start, line - 1)
        comment = f"{' ' * column}#"
        at = len(above)
        while at and above[at - 1].startswith(comment):
            at -= 1
        return _Chunk(above[:at], above[at:])

    def _between(self, first: int, last: int) -> list[str]:
        return self._lines[first - 1 : last]

    def _comment(self, node: Node) -> str:
        """The comment behind the node, on its last line."""
        rest = self._lines[node.last_line - 1][node.last_column :]
        return rest.rstrip() if _COMMENT.fullmatch(rest) and node.last_column else ""


def _same(old: Data | None, new: Data) -> bool:
    """Equal, and in the same order."""
    if old != new:
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        return list(old) == list(new) and all(map(_same, old.values(), new.values()))
    if isinstance(old, list) and isinstance(new, list):
        return all(map(_same, old, new))
    return True


def _identity(item: Data) -> str:
    """What an item of a list is known by, whatever else about it changes."""
    named = item.get("id") or item.get("name") if isinstance(item, dict) else None
    return flow(named or item)


def _renamed(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """Old name → new name, where exactly the names differ that stand at equal places."""
    if len(before) != len(after):
        return {}
    gone, come = set(before) - set(after), set(after) - set(before)
    return {old: new for old, new in zip(before, after, strict=True) if old in gone and new in come}


def _fresh_item(value: Data, indent: int, in_blocks: bool) -> list[str]:
    if in_blocks and isinstance(value, dict):
        return dashed(block_lines(value, indent + 2), indent)
    return item_lines(value, indent)


def _joined(chunks: Mapping[str, _Chunk], order: Sequence[str], rest: Sequence[str]) -> list[str]:
    """All chunks in `order`; those only in `rest` behind their predecessor there."""
    names = _woven([name for name in order if name in chunks], rest)
    first = next(iter(chunks), None)
    lines: list[str] = []
    if first is not None:  # what opens the section stays there
        lines, chunks[first].above = chunks[first].above, []
    for name in names:
        chunk = chunks[name]
        if not chunk.lines:  # removed: loose comments above it stay
            while chunk.above and not chunk.above[-1].strip():
                chunk.above.pop()
        lines += chunk.whole()
    return lines


def _woven(names: Sequence[str], rest: Sequence[str]) -> list[str]:
    """`names`, with those only in `rest` behind the name they follow there."""
    known = set(names)
    behind: dict[str, list[str]] = {}
    before = ""
    for name in rest:
        if name in known:
            before = name
        else:
            behind.setdefault(before, []).append(name)
    woven = behind.get("", [])
    for name in names:
        woven += [name, *behind.get(name, ())]
    return woven
