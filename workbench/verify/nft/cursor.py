"""A place in a list of tokens, and the small words of the grammar."""

from workbench.model.net import parse_address
from workbench.verify.nft.lexer import CannotRead, Token
from workbench.verify.nft.ruleset import (
    CT_STATES,
    ICMP_NAMES,
    ICMPV6_NAMES,
    INET_PROTOS,
    NF_PROTOS,
    TOPS,
    Element,
    Interval,
    Verdict,
)

_NAMES = {
    "inet_proto": INET_PROTOS,
    "nf_proto": NF_PROTOS,
    "icmp_type": ICMP_NAMES,
    "icmpv6_type": ICMPV6_NAMES,
    "ct_state": CT_STATES,
}
LONGEST = 20
"""Digits of a number; counters go to 2^64."""
VERDICTS = ("accept", "drop", "return", "continue", "jump", "goto")


class Cursor:
    """Walks tokens. Every method raises CannotRead with the line when the text is not as hoped."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def line(self) -> int:
        return self._tokens[self._at].line

    @property
    def done(self) -> bool:
        return self._tokens[self._at].kind == "end"

    def sees(self, *texts: str) -> bool:
        """Is the next token one of these words or marks (not a quoted string)?"""
        token = self._tokens[self._at]
        return token.text in texts and token.kind in ("word", "mark", "newline")

    def takes(self, *texts: str) -> bool:
        """Step over the next token if it is one of these."""
        if self.sees(*texts):
            self._at += 1
            return True
        return False

    def next(self, *kinds: str) -> str:
        """The text of the next token, which must be of one of the kinds, if any are given."""
        token = self._tokens[self._at]
        if token.kind == "end" or (kinds and token.kind not in kinds):
            raise self.refuse(f"expected {' or '.join(kinds) or 'more'}, found {token.text!r}")
        self._at += 1
        return token.text

    def expect(self, text: str) -> None:
        if not self.takes(text):
            raise self.refuse(f"expected {text!r}, found {self._tokens[self._at].text!r}")

    def refuse(self, problem: str) -> CannotRead:
        return CannotRead(self.line, problem)

    def skip_blank(self) -> None:
        """Newlines and semicolons."""
        while self.takes("\n", ";"):
            pass

    def inside(self) -> bool:
        """Is there more in this block? The closing brace is stepped over."""
        self.skip_blank()
        if self.done:
            raise self.refuse("expected '}', found the end of the file")
        return not self.takes("}")

    def skip_newlines(self) -> None:
        while self.takes("\n"):
            pass

    def ends(self) -> bool:
        """At the end of a statement?"""
        return self.done or self.sees("\n", ";", "}")

    def end(self) -> None:
        if not self.ends():
            raise self.refuse(f"unknown {self._tokens[self._at].text!r}")

    def number(self) -> int:
        return self.whole(self.next("number"))

    def whole(self, text: str) -> int:
        """A decimal or 0x number. nft reads a leading zero as octal, people do not: refused."""
        if len(text) > LONGEST or (text[0] == "0" and text[1:].isdigit()):
            raise self.refuse(f"{text[:LONGEST]!r} is no number that is read here")
        return int(text, 0)

    def verdict(self) -> Verdict:
        kind = self.next("word")
        if kind not in VERDICTS:
            raise self.refuse(f"unknown verdict {kind!r}")
        return Verdict(kind, self.next("word", "string") if kind in ("jump", "goto") else "")

    def interval(self, datatype: str) -> Interval:
        """A value, a prefix or a range of one data type."""
        first = self._value(datatype)
        if datatype.endswith("_addr") and self.takes("/"):
            return self._prefix(datatype, first)
        if not self.takes("-"):
            return first, first
        last = self._value(datatype)
        if last < first:
            raise self.refuse("the range runs backwards")
        return first, last

    def _prefix(self, datatype: str, address: int) -> Interval:
        width = 32 if datatype == "ipv4_addr" else 128
        length = self.number()
        if length > width:
            raise self.refuse(f"/{length} is no prefix length")
        host = (1 << (width - length)) - 1
        return address & ~host, address | host

    def _value(self, datatype: str) -> int:
        if datatype in ("ipv4_addr", "ipv6_addr"):
            return self._address("v4" if datatype == "ipv4_addr" else "v6")
        names = _NAMES.get(datatype, {})
        text = self.next("word", "number") if names else self.next("number")
        if text in names:
            return names[text]
        if not text[0].isdigit():
            raise self.refuse(f"unknown {datatype} {text!r}")
        value = self.whole(text)
        if value > TOPS[datatype]:
            raise self.refuse(f"{value} is no {datatype}")
        return value

    def _address(self, kind: str) -> int:
        text = self.next(kind)
        try:
            return parse_address(text)
        except ValueError as error:
            raise self.refuse(str(error)) from error

    def box(self, types: tuple[str, ...]) -> tuple[Interval, ...]:
        """One key of a set: parts joined by ` . `."""
        parts = [self.interval(types[0])]
        for datatype in types[1:]:
            self.expect(".")
            parts.append(self.interval(datatype))
        return tuple(parts)

    def elements(self, types: tuple[str, ...], *, is_map: bool) -> list[Element]:
        """`{ key [comment …] [: verdict], … }`; sets inside sets are flattened as nft does."""
        self.expect("{")
        found: list[Element] = []
        self.skip_newlines()
        while not self.takes("}"):
            if self.sees("{"):
                found += self.elements(types, is_map=is_map)
            else:
                found.append(self._element(types, is_map))
            self.skip_newlines()
            if not self.takes(","):
                self.expect("}")
                break
            self.skip_newlines()
        return found

    def _element(self, types: tuple[str, ...], is_map: bool) -> Element:
        box = self.box(types)
        self._element_options()
        if not is_map:
            return Element(box)
        self.expect(":")
        return Element(box, self.verdict())

    def _element_options(self) -> None:
        while self.sees("comment", "counter"):
            if self.takes("comment"):
                self.next("string")
            else:
                self.counter()

    def counter(self) -> None:
        """`counter [packets N bytes N]` or `counter name NAME`: changes no verdict."""
        self.expect("counter")
        if self.takes("packets"):
            self.number()
            self.expect("bytes")
            self.number()
        elif self.takes("name"):
            self.next("word", "string")
