"""XML from elsewhere, read as a stream of records in bounded memory."""

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

from workbench.model.errors import ScanError
from workbench.model.packets import printable

BLOCK = 1 << 16
MAX_BYTES = 4_000_000_000
"""Size of a report."""
MAX_TOKEN = 4_000_000
"""Bytes of one tag with its attributes: what the parser itself has to hold."""
MAX_DEPTH = 64
"""Levels of nesting; the formats need about ten."""
MAX_NODES = 300_000
"""Elements of one record: a host with all its ports and their scripts fits."""
MAX_TEXT = 4_000
"""Characters kept of one element's text; nobody needs more of them."""

Tick = Callable[[int], None]
"""Told how many bytes were read; raises to stop."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a format is worth keeping."""

    heads: Collection[str] = ()
    """Elements given as soon as they open, with nothing but their attributes."""
    records: Collection[str] = ()
    """Elements given when they close, with everything inside."""


Record = tuple[int, Element]
"""The line where it began, and the element."""


def read_records(
    stream: BinaryIO, file: str, shapes: Mapping[str, Shape], tick: Tick
) -> Generator[Record, None, None]:
    """The root of the document without its content, then its records in order.

    `shapes` says for each known root what its records are. Entities, external references, internal
    document types and whatever is too deep or too large are refused. Raises ScanError with file and
    line, OSError.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, XMLParser

    collector = _Collector(file, shapes)
    parser = XMLParser(target=collector)
    collector.watch(parser.parser)
    done = 0
    try:
        while block := stream.read(BLOCK):
            done += len(block)
            tick(done)
            parser.feed(block)
            if done > MAX_BYTES:
                raise collector.wrong(f"larger than {MAX_BYTES // 1_000_000_000} GB")
            if done - parser.parser.CurrentByteIndex > MAX_TOKEN:
                raise collector.wrong(f"a tag longer than {MAX_TOKEN // 1_000_000} MB")
            yield from collector.take()
        parser.close()
        yield from collector.take()
    except DefusedXmlException as error:
        problem = "declares entities or refers to other files, which no scanner does: refused"
        raise collector.wrong(problem) from error
    except ParseError as error:
        line, column = error.position
        problem = f"not well-formed XML at column {column + 1}: {_told(error)}"
        raise ScanError(problem, file=file, line=line) from error
    except (ValueError, LookupError) as error:  # an encoding that Python or expat cannot read
        raise collector.wrong(f"not XML text: {printable(str(error), 100)}") from error


def _told(error: Any) -> str:
    return printable(str(error).partition(":")[0], 100)


class _Collector:
    """The parser's target: keeps the record being read, and those that are complete."""

    def __init__(self, file: str, shapes: Mapping[str, Shape]) -> None:
        self._file = file
        self._shapes = shapes
        self._shape: Shape | None = None
        self._depth = 0
        self._open: list[Element] = []
        """From the record down to the element being read."""
        self._nodes = 0
        self._text: list[str] = []
        self._length = 0
        self._line = 0
        self._ready: list[Record] = []
        self._expat: Any = None

    def watch(self, expat: Any) -> None:
        """The parser that knows the line; internal document types are refused in it."""
        self._expat = expat
        expat.StartDoctypeDeclHandler = self._doctype

    def wrong(self, problem: str) -> ScanError:
        """The error to raise about the present place."""
        return ScanError(problem, file=self._file, line=self._expat.CurrentLineNumber)

    def take(self) -> list[Record]:
        """What became complete since the last time."""
        ready, self._ready = self._ready, []
        return ready

    def _doctype(self, _name: str, _system: str, _public: str, internal: int) -> None:
        if internal:  # default attributes can be as large as any entity
            raise self.wrong("carries a document type of its own, which no scanner does: refused")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.wrong(f"nested more than {MAX_DEPTH} levels deep")
        if self._shape is None:
            self._shape = self._shape_of(tag)
            self._ready.append((self._expat.CurrentLineNumber, Element(tag, attributes)))
        elif self._open or tag in self._shape.records:
            self._begin(Element(tag, attributes))
        elif tag in self._shape.heads:
            self._ready.append((self._expat.CurrentLineNumber, Element(tag, attributes)))

    def _shape_of(self, root: str) -> Shape:
        if root not in self._shapes:
            known = ", ".join(self._shapes)
            named = printable(root, 60)
            raise self.wrong(f"XML that begins with <{named}> is no report known here ({known})")
        return self._shapes[root]

    def _begin(self, element: Element) -> None:
        self._keep_text()
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self.wrong(f"more than {MAX_NODES} elements in one <{self._open[0].tag}>")
        if self._open:
            self._open[-1].append(element)
        else:
            self._line = self._expat.CurrentLineNumber
        self._open.append(element)

    def _keep_text(self) -> None:
        """Text before the first child; what comes between children is layout."""
        if self._open and not len(self._open[-1]):
            self._open[-1].text = "".join(self._text)
        self._text, self._length = [], 0

    def data(self, text: str) -> None:
        if self._open and self._length < MAX_TEXT:
            self._text.append(text[: MAX_TEXT - self._length])
            self._length += len(text)

    def end(self, _tag: str) -> None:
        self._depth -= 1
        if self._open:
            self._keep_text()
            element = self._open.pop()
            if not self._open:
                self._ready.append((self._line, element))
                self._nodes = 0

    def close(self) -> None:
        """Nothing is left to do: the parser has checked that every element is closed."""
