"""YAML as a tree of nodes that know their line and path.

A strict dialect: one document, no anchors, aliases or tags, no duplicate keys. Scalars are text
exactly as written (`no`, `010` and `1e3` are not numbers here); the reader of a field decides.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal

import yaml

from workbench.documents.writing import unprintable
from workbench.model.errors import DocumentError

MAX_DEPTH = 12
"""Levels of nesting; our documents need five."""
MAX_CHARACTERS = 16_000_000
"""Size of a document: a site of 100,000 hosts fits."""
MAX_NODES = 2_500_000
"""Values and keys in a document: a wall of brackets would fill the memory otherwise."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster

Kind = Literal["mapping", "sequence", "scalar"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document comes from and how its errors are called."""

    file: str
    error: type[DocumentError]


@dataclass(slots=True, eq=False)
class Node:
    """One YAML node. Lines are 1-based, columns 0-based characters."""

    source: Source
    parent: "Node | None"
    step: str
    """How the parent reaches this node: `.name` or `[3]`."""
    kind: Kind
    line: int
    column: int
    flow: bool = False
    """Written with braces or brackets (collections), or quoted (scalars)."""
    value: str | None = None
    """A scalar's text; None for null and for collections."""
    keys: "Sequence[Node]" = ()
    """Keys of a mapping, in the order of `children`."""
    children: "Sequence[Node]" = ()
    last_line: int = 0
    """The last line with content of this node."""
    last_column: int = 0
    """Column just behind the content, on the last line."""
    told_line: int = 0
    """The line to name in errors: the key's, where there is one."""

    @property
    def where(self) -> str:
        """Path inside the document, such as `rules[3].services[0]`."""
        steps: list[str] = []
        node: Node | None = self
        while node:
            steps.append(node.step)
            node = node.parent
        return "".join(reversed(steps)).removeprefix(".")

    def wrong(self, problem: str, *, where: str | None = None) -> DocumentError:
        """The error to raise about this node."""
        place = self.where if where is None else where
        line = self.told_line or self.line
        return self.source.error(problem, file=self.source.file, line=line, where=place)

    def walk(self) -> Iterator["Node"]:
        """This node and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def at(self, where: str) -> "Node":
        """The node at a path, or the nearest node around it that was written."""
        places = {node.where: node for node in self.walk()}
        while where and where not in places:
            where = where[: max(where.rfind("."), where.rfind("["), 0)]
        return places.get(where, self)

    def entries(self) -> list[tuple[str, "Node"]]:
        """Key, value pairs of a mapping, in order. Null counts as empty."""
        if self.kind == "mapping":
            return [
                (str(key.value), node) for key, node in zip(self.keys, self.children, strict=True)
            ]
        if self.kind == "scalar" and self.value is None:
            return []
        raise self.wrong(f"expected `key: value` pairs, found {self._found()}")

    def fields(self, known: Sequence[str], required: Sequence[str] = ()) -> dict[str, "Node"]:
        """A mapping with a fixed set of keys; null fields count as absent."""
        found = dict(self.entries())
        for name, node in found.items():
            if name not in known:
                raise node.wrong(f"unknown key{suggestion(name, known)}")
        found = {name: node for name, node in found.items() if not node.is_null}
        for name in required:
            if name not in found:
                raise self.wrong(f"needs `{name}`")
        return found

    def items(self) -> Sequence["Node"]:
        """Items of a sequence. Null counts as empty."""
        if self.kind == "sequence":
            return self.children
        if self.kind == "scalar" and self.value is None:
            return []
        raise self.wrong(f"expected a list, found {self._found()}")

    def text(self) -> str:
        """A scalar's text on one line."""
        if self.kind != "scalar" or self.value is None:
            raise self.wrong(f"expected text, found {self._found()}")
        text = self.value.rstrip("\n")
        if problem := unprintable(text):
            raise self.wrong(problem)
        return text

    def date(self) -> date:
        """A day, written as 2027-03-31 and in no other way."""
        text = self.text()
        try:
            if not _DATE.fullmatch(text):
                raise ValueError(text)
            return date.fromisoformat(text)
        except ValueError:
            raise self.wrong(f"{text[:40]!r} is not a date such as 2027-03-31") from None

    def texts(self) -> tuple[str, ...]:
        """A list of scalars."""
        return tuple(item.text() for item in self.items())

    def values(self) -> tuple[str, ...]:
        """A list of scalars, or one scalar standing for a list of one."""
        return (self.text(),) if self.kind == "scalar" and self.value is not None else self.texts()

    @property
    def is_null(self) -> bool:
        """Nothing was written here, or `null`."""
        return self.kind == "scalar" and self.value is None

    def _found(self) -> str:
        if self.kind != "scalar":
            return "a list" if self.kind == "sequence" else "`key: value` pairs"
        return "nothing" if self.value is None else f"the text {self.value[:40]!r}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """` 'modbos'; did you mean 'modbus'?`, to be put behind the problem."""
    close = get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return f" {word[:80]!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def parse_yaml(text: str, file: str, error: type[DocumentError]) -> Node:
    """The root of the one document in `text`. Raises `error` with file, line and path."""
    source = Source(file, error)
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        raise error(f"larger than {MAX_CHARACTERS // 1_000_000} MB", file=file)
    for number, line in enumerate(text.split("\n"), 1):
        if problem := unprintable(line.replace("\t", " ").removesuffix("\r")):
            raise error(problem, file=file, line=number)
    try:
        return _Composer(text, source).document()
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        problem = " ".join(str(wrong.problem or wrong.context or "not YAML").split())
        raise error(problem, file=file, line=mark.line + 1 if mark else None) from wrong
    except yaml.YAMLError as wrong:
        raise error(" ".join(str(wrong).split()), file=file) from wrong


class _Composer:
    """Builds nodes from parser events, so that what we refuse never takes effect."""

    def __init__(self, text: str, source: Source) -> None:
        self._source = source
        self._parser = _PARSER(text)
        self._nodes = 0

    def document(self) -> Node:
        self._next()  # the stream starts
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise self._source.error("the document is empty", file=self._source.file)
        root = self._node(self._next(), None, "", 0)
        self._next()
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._wrong(after, "more than one document in the file")
        return root

    def _next(self) -> Any:
        return self._parser.get_event()

    def _wrong(self, event: Any, problem: str) -> DocumentError:
        return self._source.error(problem, file=self._source.file, line=event.start_mark.line + 1)

    def _node(self, event: Any, parent: Node | None, step: str, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._wrong(
                event, "anchors and aliases (& and *) are not supported; quote the text"
            )
        if event.tag is not None:
            raise self._wrong(event, "tags (!) are not supported; quote the text")
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            wide = f"more than {MAX_NODES} values in the document"
            deep = f"nested more than {MAX_DEPTH} levels deep"
            raise self._wrong(event, deep if depth > MAX_DEPTH else wide)
        mark = event.start_mark
        node = Node(self._source, parent, step, "scalar", mark.line + 1, mark.column)
        if isinstance(event, yaml.ScalarEvent):
            plain = bool(event.implicit[0])
            node.flow = not plain
            node.value = None if plain and event.value in _NULLS else event.value
        else:
            node.flow = bool(event.flow_style)
            node.kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
            event = self._fill(node, depth)
        self._measure(node, event.end_mark)
        return node

    def _fill(self, node: Node, depth: int) -> Any:
        """Read the children; returns the event that ends the collection."""
        keys: list[Node] = []
        children: list[Node] = []
        seen: set[str] = set()
        while not isinstance(event := self._next(), yaml.CollectionEndEvent):
            if node.kind == "sequence":
                children.append(self._node(event, node, f"[{len(children)}]", depth + 1))
                continue
            key = self._node(event, node, "", depth + 1)
            if key.kind != "scalar" or key.value is None:
                raise key.wrong("keys must be plain text")
            key.step = f".{key.value}"
            if key.value in seen:
                raise key.wrong(f"{key.value[:80]!r} is written twice")
            seen.add(key.value)
            keys.append(key)
            children.append(self._node(self._next(), node, key.step, depth + 1))
            children[-1].told_line = key.line
        node.keys, node.children = keys, children
        return event

    @staticmethod
    def _measure(node: Node, end: Any) -> None:
        """Where the content ends; a block collection ends where its last child does."""
        if node.children and not node.flow:
            last = node.children[-1]
            node.last_line, node.last_column = last.last_line, last.last_column
        elif end.column == 0 and end.line >= node.line:  # a block scalar ends on the next line
            node.last_line, node.last_column = end.line, 0
        else:
            node.last_line, node.last_column = end.line + 1, end.column
