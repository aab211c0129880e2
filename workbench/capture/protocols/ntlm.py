"""NTLM messages, wherever they are carried. Source: [MS-NLMP] sections 2.2.1.2 and 2.2.1.3."""

from collections.abc import Iterator

from workbench.capture.protocols.reading import latin, little, utf16
from workbench.model.spoken import Act, Said

_SIGNATURE = b"NTLMSSP\0"
_UNICODE = 1


def ntlm(data: bytes) -> Iterator[Said]:
    """The first NTLM message in some bytes: a challenge, or the client's answer to one."""
    at = data.find(_SIGNATURE)
    if at < 0:
        return
    data = data[at:]
    kind = little(data, 8, 4)
    if kind == 2 and len(data) >= 32:
        yield Said(Act.CHALLENGE, data[24:32].hex(), _text(data, 12))
    if kind == 3 and len(data) >= 64:
        domain, user = _text(data, 28), _text(data, 36)
        if user:  # none: an anonymous session
            yield Said(Act.RESPONSE, _text(data, 44), f"{domain}\\{user}" if domain else user)


def _text(data: bytes, field: int) -> str:
    """A text by its length and offset."""
    flags = little(data, 20 if little(data, 8, 4) == 2 else 60, 4)
    size, at = little(data, field, 2), little(data, field + 4, 4)
    if not at or at + size > len(data):
        return ""
    return utf16(data, at, size) if flags & _UNICODE else latin(data[at : at + size])
