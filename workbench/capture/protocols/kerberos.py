"""Kerberos requests, replies and errors. Source: RFC 4120 sections 5.4, 5.9, 7.5; X.690 for DER."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.capture.protocols.reading import latin
from workbench.model.spoken import Act, Said

_AS_REQ, _AS_REP, _TGS_REQ, _TGS_REP, _ERROR = 0x6A, 0x6B, 0x6C, 0x6D, 0x7E
_PROOFS = {2, 16, 17, 136, 138}
"""Pre-authentication: encrypted time stamp, PKINIT, FAST, encrypted challenge (RFC 6113)."""
_REFUSALS = {6, 18, 23, 24}
_MOST = 64
"""Elements of a sequence that are looked at."""


@dataclass
class KerberosTalk:
    """One client port and its KDC: a reply is understood by the request before it."""

    who: str = ""
    proved: bool = False
    asked: bool = False
    _offered: tuple[int, ...] = field(default=(), repr=False)

    def request(self, data: bytes) -> Iterator[Said]:
        """A message of the client. Nothing is said before the answer."""
        tag, begin, end = _outer(data)
        if tag not in (_AS_REQ, _TGS_REQ):
            return
        parts = _parts(data, begin, end)
        body = _parts(data, *_inner(data, parts.get(4)))
        self.asked = tag == _AS_REQ
        self.who = _account(data, body.get(1), body.get(2))
        proofs = {_number(data, _parts(data, *one).get(1)) for one in _items(data, parts.get(3))}
        self.proved = bool(proofs & _PROOFS)
        yield from ()

    def answer(self, data: bytes) -> Iterator[Said]:
        """A message of the KDC."""
        tag, begin, end = _outer(data)
        parts = _parts(data, begin, end)
        if tag == _AS_REP:
            who = _account(data, parts.get(4), parts.get(3))
            if self.asked and not self.proved:
                yield Said(Act.ROASTABLE, "Kerberos", who, _encryption(data, parts.get(6)))
            elif self.asked:
                yield Said(Act.LOGIN, "Kerberos", who)
        elif tag == _TGS_REP:
            ticket = _parts(data, *_inner(data, _inner(data, parts.get(5))))
            name = _principal(data, ticket.get(2))
            who = _account(data, parts.get(4), parts.get(3))
            if name:
                yield Said(Act.TICKET, name, who, _encryption(data, ticket.get(3)))
        elif tag == _ERROR:
            code = _number(data, parts.get(6))
            if code in _REFUSALS and self.asked:
                yield Said(Act.REFUSED, "Kerberos", self.who, code)


Span = tuple[int, int]


def _tlv(data: bytes, at: int, end: int) -> tuple[int, int, int] | None:
    """Tag, begin and end of the contents of one element; cut short where the bytes end."""
    if at + 2 > end:
        return None
    tag, size, begin = data[at], data[at + 1], at + 2
    if size & 0x80:
        more = size & 0x7F
        if not 1 <= more <= 4 or begin + more > end:
            return None
        size = int.from_bytes(data[begin : begin + more], "big")
        begin += more
    return tag, begin, min(begin + size, end)


def _outer(data: bytes) -> tuple[int, int, int]:
    """Tag of the message, and its sequence."""
    found = _tlv(data, 0, len(data))
    if not found:
        return 0, 0, 0
    tag, begin, end = found
    return tag, begin, end


def _inner(data: bytes, span: Span | None) -> Span:
    """What is inside of the one element in a span."""
    found = _tlv(data, *span) if span else None
    return (found[1], found[2]) if found else (0, 0)


def _each(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    for _ in range(_MOST):
        found = _tlv(data, begin, end)
        if not found:
            return
        yield found
        begin = found[2]


def _parts(data: bytes, begin: int, end: int) -> dict[int, Span]:
    """Context tags of the sequence in a span → where their contents are."""
    found = _tlv(data, begin, end)
    if found and found[0] == 0x30:
        begin, end = found[1], found[2]
    return {tag & 0x1F: (first, last) for tag, first, last in _each(data, begin, end)
            if tag & 0xE0 == 0xA0}  # fmt: skip


def _items(data: bytes, span: Span | None) -> Iterator[Span]:
    """Elements of the sequence in a span, each without its own header."""
    for _, begin, end in _each(data, *_inner(data, span)):
        yield begin, end


def _number(data: bytes, span: Span | None) -> int:
    begin, end = _inner(data, span)
    return int.from_bytes(data[begin : min(end, begin + 8)], "big", signed=True)


def _principal(data: bytes, span: Span | None) -> str:
    """`HTTP/www`: the parts of a name."""
    if not span:
        return ""
    names = _items(data, _parts(data, *span).get(1))
    return "/".join(latin(data[begin:end]) for begin, end in names)[:120]


def _account(data: bytes, name: Span | None, realm: Span | None) -> str:
    user = _principal(data, name)
    begin, end = _inner(data, realm)
    return f"{user}@{latin(data[begin:end])}"[:120] if user else ""


def _encryption(data: bytes, span: Span | None) -> int:
    return _number(data, _parts(data, *span).get(0)) if span else 0
