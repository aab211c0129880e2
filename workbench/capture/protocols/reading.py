"""Numbers and texts out of bytes that nobody vouches for: nothing here raises."""

from workbench.model.spoken import clean


def little(data: bytes, at: int, size: int) -> int:
    """An unsigned little-endian number; 0 where the bytes are not there."""
    piece = data[at : at + size] if at >= 0 else b""
    return int.from_bytes(piece, "little") if len(piece) == size else 0


def big(data: bytes, at: int, size: int) -> int:
    """The same in network order."""
    piece = data[at : at + size] if at >= 0 else b""
    return int.from_bytes(piece, "big") if len(piece) == size else 0


def utf16(data: bytes, at: int, size: int) -> str:
    """Little-endian UTF-16 text, cleaned; empty where it is not all there."""
    piece = data[at : at + min(size, 2048)]
    if at < 0 or len(piece) < min(size, 2048):
        return ""
    return clean(piece.decode("utf-16-le", "replace").rstrip("\0"))


def latin(data: bytes) -> str:
    """Text of one byte a character, cleaned."""
    return clean(data[:512].decode("utf-8", "replace").rstrip("\0"))
