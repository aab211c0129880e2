"""SMB 2 and 3, and what is left of SMB 1: logins, shares, pipes, files written, RPC inside.

Sources: [MS-SMB2] section 2.2, [MS-CIFS] and [MS-SMB] section 2.2.4, RFC 1002 section 4.3 for the
length in front.
"""

from collections.abc import Iterator

from workbench.capture.protocols.ntlm import ntlm
from workbench.capture.protocols.reading import big, latin, little, utf16
from workbench.capture.protocols.rpc import PIPES, RpcTalk
from workbench.model.spoken import STATUS, Act, Said

NEW, OLD, SEALED = b"\xfeSMB", b"\xffSMB", b"\xfdSMB"
_SETUP, _TREE, _CREATE, _WRITE, _IOCTL = 1, 3, 5, 9, 11
_TRANSCEIVE = 0x0011C017
_SAME = b"\xff" * 16
_MOST = 512
"""Of anything that is remembered of one connection."""
_CHAIN = 32


def size_of(head: bytes) -> int:
    """Bytes of a message by its first 4; 0 for what is none."""
    if len(head) < 4 or head[0] not in (0, 0x81, 0x82, 0x83, 0x84, 0x85):
        return 0
    return 4 + big(head, 1, 3)


class SmbTalk:
    """One connection: answers are understood by the requests of the same number."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[int, str]] = {}  # message → command, name
        self._shares: dict[int, str] = {}  # tree → share
        self._open: dict[bytes, str] = {}  # file → share\path
        self._written: set[bytes] = set()
        self._pipes: dict[bytes, RpcTalk] = {}
        self._last = b""
        self._who = ""

    def request(self, data: bytes) -> Iterator[Said]:
        """A message of the client, with its length in front."""
        for one in self._each(data):
            yield from self._old(one, False) if one[:4] == OLD else self._ask(one)

    def answer(self, data: bytes) -> Iterator[Said]:
        """A message of the server."""
        for one in self._each(data):
            yield from self._old(one, True) if one[:4] == OLD else self._reply(one)
        if data[4:8] == SEALED:
            yield Said(Act.SEALED, "SMB 3")

    def _each(self, data: bytes) -> Iterator[bytes]:
        data = data[4:]
        for _ in range(_CHAIN):
            if data[:4] == OLD and len(data) >= 32:
                yield data
                return
            if data[:4] != NEW or len(data) < 66:
                return
            following = little(data, 20, 4)
            yield data[:following] if following else data
            if following < 64:
                return
            data = data[following:]

    def _ask(self, data: bytes) -> Iterator[Said]:
        command, number = little(data, 12, 2), little(data, 24, 8)
        if command == _SETUP:
            for said in ntlm(data[64:]):
                self._who = said.who if said.act is Act.RESPONSE else self._who
                yield said
            self._note(number, command, self._who)
        elif command == _TREE:
            path = utf16(data, little(data, 68, 2), little(data, 70, 2))
            self._note(number, command, path.rsplit("\\", 1)[-1].upper())
        elif command == _CREATE:
            share = self._shares.get(little(data, 36, 4), "?")
            name = utf16(data, little(data, 108, 2), little(data, 110, 2))
            self._note(number, command, f"{share}\\{name}"[:120])
        elif command == _WRITE:
            at = little(data, 66, 2)
            yield from self._wrote(data[80:96], data[at:] if at >= 64 else b"")
        elif command == _IOCTL and little(data, 68, 4) == _TRANSCEIVE:
            at = little(data, 88, 4)
            yield from self._called(data[72:88], data[at:] if at >= 64 else b"")

    def _note(self, number: int, command: int, name: str) -> None:
        if len(self._asked) >= _MOST:  # never answered
            self._asked.clear()
        self._asked[number] = command, name

    def _reply(self, data: bytes) -> Iterator[Said]:
        command, status = little(data, 12, 2), little(data, 8, 4)
        asked, name = self._asked.pop(little(data, 24, 8), (-1, ""))
        if command == _SETUP:
            yield from ntlm(data[64:])
            yield from _let_in(status, name)
        if asked != command:
            return
        if command == _TREE and name:
            yield Said(Act.SHARE, name, self._who, status)
            if not status and len(self._shares) < _MOST:
                self._shares[little(data, 36, 4)] = name
        elif command == _CREATE and not status and len(data) >= 144:
            yield from self._opened(data[128:144], name)

    def _opened(self, handle: bytes, name: str) -> Iterator[Said]:
        if len(self._open) >= _MOST:
            self._open.clear()
            self._pipes.clear()
            self._written.clear()
        self._open[handle], self._last = name, handle
        self._written.discard(handle)
        self._pipes.pop(handle, None)
        share, _, path = name.partition("\\")
        if share == "IPC$" or (share == "?" and path.lower() in PIPES):
            yield Said(Act.PIPE, path.lower())
            self._pipes[handle] = RpcTalk(PIPES.get(path.lower(), ""))

    def _wrote(self, handle: bytes, payload: bytes) -> Iterator[Said]:
        handle = self._last if handle == _SAME else handle
        if handle in self._pipes:
            yield from self._called(handle, payload)
        elif handle in self._open and handle not in self._written:
            self._written.add(handle)
            yield Said(Act.FILE, self._open[handle], self._who)

    def _called(self, handle: bytes, payload: bytes) -> Iterator[Said]:
        handle = self._last if handle == _SAME else handle
        if handle in self._pipes:
            yield from self._pipes[handle].request(payload)

    # ── SMB 1 ──────────────────────────────────────────────────────────────────────────────

    def _old(self, data: bytes, answer: bool) -> Iterator[Said]:
        """Header of 32 bytes, words, bytes; AndX commands that follow are left alone."""
        command, number = data[4], little(data, 30, 2) | little(data, 26, 2) << 16
        wide = bool(little(data, 10, 2) & 0x8000)
        words = data[32] if len(data) > 32 else 0
        rest = data[35 + 2 * words :]
        if command == 0x73:
            for said in ntlm(data):
                self._who = said.who if said.act is Act.RESPONSE else self._who
                yield said
            if answer:
                yield from _let_in(little(data, 5, 4), self._who)
        elif command == 0x75 and not answer:
            rest = rest[little(data, 39, 2) :]  # behind the password
            name = _old_text(rest, wide).rsplit("\\", 1)[-1].upper()
            self._note(number, command, name)
        elif command == 0xA2 and not answer:
            share = self._shares.get(little(data, 24, 2), "?")
            self._note(number, command, f"{share}\\{_old_text(rest, wide).lstrip(chr(92))}"[:120])
        elif command in (0x75, 0xA2):
            asked, name = self._asked.pop(number, (-1, ""))
            status = little(data, 5, 4)
            if asked == 0x75 and command == 0x75 and name:
                yield Said(Act.SHARE, name, self._who, status)
                if not status and len(self._shares) < _MOST:
                    self._shares[little(data, 24, 2)] = name
            elif asked == command and not status and words:
                yield from self._opened(data[38:40], name)
        elif command == 0x2F and not answer:
            yield from self._wrote(data[37:39], data[little(data, 55, 2) or len(data) :])
        elif command == 0x25 and not answer:
            yield from self._called(data[63:65], data[little(data, 57, 2) or len(data) :])


def _old_text(data: bytes, wide: bool) -> str:
    """A text up to its zero; UTF-16 may have a byte of padding in front."""
    if not wide:
        return latin(data.split(b"\0", 1)[0])
    data = data[1:] if data[:1] == b"\0" else data
    size = next((at for at in range(0, min(len(data) - 1, 512), 2) if data[at : at + 2] == b"\0\0"),
                len(data) & ~1)  # fmt: skip
    return utf16(data, 0, size)


def _let_in(status: int, who: str) -> Iterator[Said]:
    if not status:
        yield Said(Act.LOGIN, "SMB", who)
    elif status in STATUS:
        yield Said(Act.REFUSED, "SMB", who, status)
