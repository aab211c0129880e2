"""A plain file copied by several threads at once: the same bytes in the same order, and errors and
ends where they belong."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from workbench.capture import ahead
from workbench.capture.ahead import Copying
from workbench.capture.rawfile import RawFile, open_raw

CHUNK = 1000
NOTHING = memoryview(b"")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "CHUNK", CHUNK)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.pcap"


@contextmanager
def copying(path: Path) -> Iterator[Copying]:
    file = open_raw(path)
    yield Copying(file)
    file.close()


def bytes_of(feed: Copying) -> bytes:
    """All that is still to come."""
    got = bytearray()
    while piece := feed.more(NOTHING):
        got += piece
    return bytes(got)


def test_threads_that_copy_ahead_change_nothing(path: Path) -> None:
    data = os.urandom(200 * CHUNK + 17)
    path.write_bytes(data)
    with copying(path) as feed:
        done = False

        def fill() -> None:
            while not done:
                feed.fill()

        threads = [Thread(target=fill) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            assert bytes_of(feed) == data
        finally:
            done = True
            for thread in threads:
                thread.join()


def test_no_more_than_a_few_buffers_are_filled_ahead(path: Path) -> None:
    path.write_bytes(bytes(100 * CHUNK))
    with copying(path) as feed:
        filled = 0
        while feed.fill():
            filled += 1
        assert 0 < filled < 10
        feed.more(NOTHING)
        assert feed.fill()


def test_what_is_carried_over_stands_before_what_follows(path: Path) -> None:
    path.write_bytes(bytes(range(200)) * 10)
    with copying(path) as feed:
        first = feed.more(NOTHING)
        second = feed.more(first[-3:])
        assert bytes(second[:5]) == bytes([197, 198, 199, 0, 1])
        assert len(second) == CHUNK + 3


def test_the_position_follows_what_was_given_not_what_was_copied(path: Path) -> None:
    path.write_bytes(bytes(5 * CHUNK))
    file = open_raw(path)
    feed = Copying(file)
    assert feed.fill()
    assert feed.fill()
    assert file.position == 0
    feed.more(NOTHING)
    assert file.position == CHUNK
    file.close()


def test_a_file_that_grows_behind_a_stretch_that_was_copied_already(path: Path) -> None:
    """What was copied behind the old end is of no use: the bytes between would be missing."""
    data = os.urandom(4 * CHUNK)
    path.write_bytes(data[: CHUNK + 10])
    with copying(path) as feed:
        assert feed.fill()
        assert feed.fill()  # a short one
        path.write_bytes(data)
        feed.more(NOTHING)
        assert feed.fill()  # from behind the gap
        assert bytes(feed.more(NOTHING)) == data[CHUNK : CHUNK + 10]
        assert bytes_of(feed) == data[CHUNK + 10 :]


def test_an_error_waits_for_its_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(bytes(range(250)) * 8)
    whole = RawFile.read_at

    def bad_sector(file: RawFile, offset: int, buffer: memoryview) -> int:
        if offset:
            raise OSError(5, "Input/output error")
        return whole(file, offset, buffer)

    monkeypatch.setattr(RawFile, "read_at", bad_sector)
    with copying(path) as feed:
        assert feed.fill()
        assert feed.fill()
        assert bytes(feed.more(NOTHING)) == bytes(range(250)) * 4
        with pytest.raises(OSError, match="Input/output error"):
            feed.more(NOTHING)
