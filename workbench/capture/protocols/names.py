"""LLMNR and NetBIOS name questions and answers. Sources: RFC 4795, RFC 1001 14, RFC 1002 4.2."""

from workbench.capture.protocols.reading import big, latin
from workbench.model.spoken import Act, Said


def llmnr(data: bytes) -> Said | None:
    """A question, or an answer to one."""
    if len(data) < 17 or big(data, 4, 2) != 1 or big(data, 2, 2) & 0x7800:
        return None
    at = 12
    labels: list[str] = []
    while at < len(data) and 0 < data[at] < 64 and len(labels) < 16:
        labels.append(latin(data[at + 1 : at + 1 + data[at]]))
        at += 1 + data[at]
    if not labels or at >= len(data) or data[at]:
        return None
    name = ".".join(labels).lower()[:120]
    if not big(data, 2, 2) & 0x8000:
        return Said(Act.ASKED, name, "LLMNR")
    answers = big(data, 6, 2) and not big(data, 2, 2) & 15
    return Said(Act.ANSWERED, name, "LLMNR") if answers else None


def nbns(data: bytes) -> Said | None:
    """The same for NetBIOS; node status and registrations are left out."""
    flags = big(data, 2, 2)
    if len(data) < 50 or data[12] != 32 or flags & 0x7800:
        return None
    half = bytes(one - 65 for one in data[13:45] if 65 <= one < 81)
    if len(half) != 32:
        return None
    whole = bytes(high << 4 | low for high, low in zip(half[::2], half[1::2], strict=True))
    name = latin(whole[:15]).strip().lower()
    if not name or name.startswith("*") or big(data, 46, 2) != 0x20 or whole[15] not in (0, 32):
        return None
    if not flags & 0x8000:
        return Said(Act.ASKED, name, "NBT-NS")
    return Said(Act.ANSWERED, name, "NBT-NS") if big(data, 6, 2) and not flags & 15 else None
