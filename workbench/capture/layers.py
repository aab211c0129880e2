"""One packet's headers, field by field, without tshark: what the screen shows where there is none.

For looking at single packets, not for bulk: plain Python that never trusts a length. A header that
is cut or makes no sense ends the list; what is left is shown as bytes.
"""

from collections.abc import Iterator
from dataclasses import replace

from workbench.capture.headers import HEADERS, Header
from workbench.capture.layout import WRAPPED
from workbench.capture.links import link_name
from workbench.model.packets import Field, Layer, printable
from workbench.model.text import plural

_LINKS = {
    0: "null", 108: "null", 1: "ethernet", 9: "ppp", 101: "ip", 113: "sll", 276: "sll2",
}  # fmt: skip
_DEEPEST = 32
"""Headers at most: hostile packets nest."""
_LONGEST = 200
"""Bytes of the payload that are shown as text."""


def layers_of(data: bytes, link: int, ip: int = 0) -> tuple[Layer, ...]:
    """The layers of a captured frame, the outermost first; every text is safe to show.

    `link` is a LINKTYPE number; `ip` is where the IP header begins, which counts behind a link
    header that is not read here, 0 for unknown. Offsets are within `data`.
    """
    return tuple(_layers(data, link, ip))


def _layers(data: bytes, link: int, ip: int) -> Iterator[Layer]:
    outer, end = link_name(link), len(data)
    at, link = WRAPPED.get(link, (0, link))
    at = min(at, end)
    kind = _LINKS.get(link, "")
    if not kind and ip:
        kind, at = "ip", ip
    if at:
        yield Layer(outer, (Field("header", f"{at} bytes", 0, at),), 0, at)
    for _ in range(_DEEPEST):
        header = _header(kind, data[at:end])
        if header is None:
            break
        here = data[at:end]
        kind, begins, ends = header.after(here)
        begins = min(begins, len(here))
        yield _layer(header, here, at, begins)
        at, end = at + begins, at + max(begins, ends)
    if at < end:
        yield _bytes("data", data, at, end)
    if end < len(data):  # padding, or the frame check sequence
        yield _bytes("trailer", data, end, len(data))


def _header(kind: str, data: bytes) -> Header | None:
    """What the bytes are; None where they are too few, or none of ours."""
    if kind == "ip":
        kind = {4: "ip4", 6: "ip6"}.get(data[0] >> 4, "") if data else ""
    header = HEADERS.get(kind)
    return header if header and len(data) >= header.least else None


def _layer(header: Header, data: bytes, at: int, size: int) -> Layer:
    parts = (
        Field(name, say(data[start : start + width]), start, width)
        for name, start, width, say in header.parts
    )
    fields = tuple(
        replace(field, value=printable(field.value, 300), start=at + field.start)
        for field in (*parts, *header.more(data))
    )
    return Layer(header.name, fields, at, size)


def _bytes(name: str, data: bytes, at: int, end: int) -> Layer:
    size = end - at
    text = "".join(chr(one) if 32 <= one < 127 else "·" for one in data[at:end][:_LONGEST])
    shown = Field("text", text + ("…" if size > _LONGEST else ""), at, size)
    return Layer(name, (Field("size", plural(size, "byte"), at, size), shown), at, size)
