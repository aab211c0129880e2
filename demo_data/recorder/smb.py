"""SMB2 (MS-SMB2): negotiate, session, tree, create, read, write; fields in protocol order."""

import struct

from recorder.formats import filler

NEGOTIATE, SESSION, TREE, CREATE, READ, WRITE = 0, 1, 3, 5, 8, 9
_FILE_ID = bytes(range(16))
_NTLM = b"NTLMSSP\0\1\0\0\0" + bytes.fromhex("97820862") + bytes(16)


def _packet(command: int, number: int, body: bytes, *, reply: bool = False) -> bytes:
    """Direct-TCP length, then the 64-byte SMB2 header, then the body."""
    tree, session = int(command > TREE or reply), 0x1122 if command > NEGOTIATE else 0
    head = struct.pack(
        "<4sHHIHHIIQIIQ16s",
        b"\xfeSMB", 64, 1, 0, command, 31, int(reply), 0, number, 0, tree, session, bytes(16),
    )  # fmt: skip
    return struct.pack(">I", len(head) + len(body)) + head + body


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def opening(server: str, share: str, file: str) -> tuple[bytes, ...]:
    """Everything up to an open file."""
    dialects = struct.pack("<2H", 0x0210, 0x0311)
    tree, name = _utf16(rf"\\{server}\{share}"), _utf16(file)
    negotiate = struct.pack("<4HI16s8s", 36, 2, 1, 0, 0x7F, bytes(16), bytes(8)) + dialects
    session = struct.pack("<HBBIIHHQ", 25, 0, 1, 1, 0, 88, len(_NTLM), 0) + _NTLM
    create = struct.pack(
        "<HBBI8s8sIIIIIHHII", 57, 0, 0, 2, bytes(8), bytes(8), 0x12019F, 0x80, 7, 3, 0x40,
        120, len(name), 0, 0,
    )  # fmt: skip
    return (
        _packet(NEGOTIATE, 0, negotiate),
        _packet(SESSION, 1, session),
        _packet(TREE, 2, struct.pack("<4H", 9, 0, 72, len(tree)) + tree),
        _packet(CREATE, 3, create + name),
    )


def read(number: int, size: int, offset: int = 0) -> bytes:
    """Asks for `size` bytes, at most 65,000."""
    body = struct.pack("<HBBIQ16sIIIHHB", 49, 80, 0, size, offset, _FILE_ID, 0, 0, 0, 0, 0, 0)
    return _packet(READ, number, body)


def write(number: int, size: int, offset: int = 0) -> bytes:
    data = filler(b"smb" + bytes((number & 255,)), size)
    body = struct.pack("<HHIQ16sIIHHI", 49, 112, size, offset, _FILE_ID, 0, 0, 0, 0, 0)
    return _packet(WRITE, number, body + data)


def answer(message: bytes) -> bytes:
    command, number = struct.unpack_from("<H10xQ", message, 16)
    asked = message[68:]
    if command == NEGOTIATE:
        body = struct.pack(
            "<4H16sIIII8s8sHHI", 65, 1, 0x0311, 0, bytes(16), 0x2F, 1 << 20, 1 << 20, 1 << 20,
            bytes(8), bytes(8), 128, 0, 0,
        )  # fmt: skip
    elif command == SESSION:
        body = struct.pack("<4H", 9, 0, 72, 0)
    elif command == TREE:
        body = struct.pack("<HBBIII", 16, 1, 0, 0, 0, 0x1F01FF)
    elif command == CREATE:
        body = struct.pack(
            "<HBBI32sQQII16sII", 89, 0, 0, 1, bytes(32), 4096, 4096, 32, 0, _FILE_ID, 0, 0
        )
    elif command == READ:
        data = filler(message, struct.unpack_from("<I", asked, 4)[0])
        body = struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0) + data
    else:
        body = struct.pack("<HHIIHH", 17, 0, struct.unpack_from("<I", asked, 4)[0], 0, 0, 0)
    return _packet(command, number, body, reply=True)
