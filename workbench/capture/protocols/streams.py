"""TCP segments to messages: in order of sequence numbers, in bounded memory. Source: RFC 9293."""

from collections.abc import Callable, Iterator

Size = Callable[[bytes], int]
"""Bytes of a message by its first ones; 0 for what is none."""
_AHEAD = 24
"""Segments that wait for one before them."""
_HALF, _ALL = 1 << 31, 1 << 32


class Stream:
    """One direction of a connection. A message's first `keep` bytes are kept, the rest counted."""

    def __init__(self, head: int, size: Size, begins: Callable[[bytes], bool], keep: int) -> None:
        """head: bytes that `size` needs. begins: whether a segment begins with a message."""
        self._head, self._size, self._begins, self._keep = head, size, begins, keep
        self._next: int | None = None
        self._waiting: dict[int, tuple[bytes, int]] = {}
        self._message = bytearray()
        self._left = 0  # bytes of the message still to come; 0: its head is not complete
        self._whole = True  # nothing of the message is missing so far
        self._lost = True  # not known where messages begin

    def add(self, sequence: int, data: bytes, size: int) -> Iterator[bytes]:
        """A segment of `size` bytes, of which `data` were captured."""
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) % _ALL
        if ahead >= _HALF:  # seen before, at least its beginning
            seen = _ALL - ahead
            if seen >= size:
                return
            data, size, ahead = data[seen:], size - seen, 0
        if ahead:
            self._waiting.setdefault(sequence, (data, size))
            if len(self._waiting) <= _AHEAD:
                return
            self._skip()
        else:
            yield from self._take(data, size)
        yield from self._followers()

    def _skip(self) -> None:
        """What is missing will not come: go on with the nearest segment."""
        here = self._next or 0
        self._next = min(self._waiting, key=lambda one: (one - here) % _ALL)
        self._lost, self._left = True, 0
        self._message.clear()

    def _followers(self) -> Iterator[bytes]:
        while self._waiting:
            found = self._waiting.pop(self._next or 0, None)
            if found is None:
                here = self._next or 0
                for one in [one for one in self._waiting if (one - here) % _ALL >= _HALF]:
                    del self._waiting[one]
                return
            yield from self._take(*found)

    def _take(self, data: bytes, size: int) -> Iterator[bytes]:
        self._next = ((self._next or 0) + size) % _ALL
        missing = size - len(data)
        if self._lost:
            if not self._begins(data):
                return
            self._lost, self._left, self._whole = False, 0, True
            self._message.clear()
        while data:
            if not self._left:
                need = self._head - len(self._message)
                self._message += data[:need]
                data = data[need:]
                if len(self._message) < self._head:
                    break
                total = self._size(bytes(self._message))
                if total < self._head:
                    self._lost = True
                    return
                self._left, self._whole = total - self._head, True
            take = min(self._left, len(data))
            room = self._keep - len(self._message)
            if self._whole and room > 0:
                self._message += data[: min(take, room)]
            data = data[take:]
            self._left -= take
            if not self._left:
                yield bytes(self._message)
                self._message.clear()
        if missing:
            yield from self._hole(missing)

    def _hole(self, missing: int) -> Iterator[bytes]:
        """Bytes that were not captured."""
        if missing > self._left or not self._left:
            if self._message and self._left:
                yield bytes(self._message)
            self._message.clear()
            self._left, self._lost = 0, True
            return
        self._left -= missing
        self._whole = False
        if not self._left:
            yield bytes(self._message)
            self._message.clear()
