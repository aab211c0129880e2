"""Text with line numbers, coloured line by line as it comes into view: any length is cheap."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from workbench.model.packets import printable

_LONGEST = 2000
"""Characters of a line that are drawn."""
_WORDS = (
    "table|chain|set|map|type|hook|priority|policy|flags|elements|interval|accept|drop|reject|"
    "counter|jump|goto|return|vmap|ct|state|meta|ip|ip6|tcp|udp|icmp|icmpv6|inet|add|delete|flush|"
    "comment|log|prefix|limit|rate|true|false|null|any"
)
_TOKENS = re.compile(
    rf"(?P<comment>(?:^|(?<=\s))#.*$)|(?P<string>\"[^\"]*\"|'[^']*')"
    rf"|(?P<key>^[ \t]*(?:- )?[\w./-]+(?=:(?:\s|$)))|(?P<name>[@$][\w-]+)"
    rf"|(?P<number>\b[0-9][0-9a-fA-F.:/-]*\b)|(?P<word>\b(?:{_WORDS})\b)"
)


class CodeView(ScrollView, can_focus=True):
    """Takes lines of nftables or YAML, or of a unified diff of them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "code--number-column",
        "code--comment",
        "code--string",
        "code--key",
        "code--name",
        "code--number",
        "code--word",
        "code--added",
        "code--removed",
        "code--hunk",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False, id="code.down"),
        Binding("k", "scroll_up", "up", show=False, id="code.up"),
        Binding("G", "scroll_end", "last line", show=False, id="code.end"),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: Sequence[str] = ()
        self._diff = False

    def show(self, lines: Sequence[str], *, diff: bool = False) -> None:
        """Begin at the top with other text; the same text stays where it is."""
        if (lines, diff) == (self.lines, self._diff):
            return
        self.lines, self._diff = lines, diff
        widest = max((len(line) for line in lines), default=0)
        self.virtual_size = Size(min(widest, _LONGEST) + self._gutter, len(lines))
        self.scroll_to(0, 0, animate=False)
        self.refresh()

    @property
    def _gutter(self) -> int:
        return 0 if self._diff else len(str(len(self.lines))) + 2

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"code--{name}", partial=True)

    def render_line(self, y: int) -> Strip:
        x, top = self.scroll_offset
        at = top + y
        if at >= len(self.lines):
            return Strip.blank(self.size.width, self.rich_style)
        text = printable(self.lines[at].replace("\t", "    "), _LONGEST)
        segments = list(self._diff_line(text) if self._diff else self._code_line(at, text))
        return Strip(segments).crop_extend(x, x + self.size.width, self.rich_style)

    def _diff_line(self, text: str) -> Iterator[Segment]:
        name = {"+": "added", "-": "removed", "@": "hunk"}.get(text[:1])
        yield Segment(text, self.rich_style + (self._style(name) if name else Style()))

    def _code_line(self, at: int, text: str) -> Iterator[Segment]:
        number = f"{at + 1:>{self._gutter - 1}} "
        yield Segment(number, self.rich_style + self._style("number-column"))
        for piece, name in tokens(text):
            yield Segment(piece, self.rich_style + (self._style(name) if name else Style()))


@lru_cache(4096)
def tokens(text: str) -> tuple[tuple[str, str], ...]:
    """(piece, kind) over the whole line; kind is empty for plain text."""
    found, done = [], 0
    for match in _TOKENS.finditer(text):
        if match.start() > done:
            found.append((text[done : match.start()], ""))
        found.append((match.group(), match.lastgroup or ""))
        done = match.end()
    return (*found, (text[done:], ""))
