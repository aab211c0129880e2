"""Standard input, pipes, links and other things with a name: read or refused, never hung on."""

import gzip
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import craft
import pytest
import zstandard

from workbench.capture import rawfile
from workbench.capture.files import (
    STANDARD_INPUT,
    Fingerprint,
    called,
    find_captures,
    fingerprint,
)
from workbench.capture.reader import Reader
from workbench.model.errors import Cancelled, CaptureError

PACKET = craft.udp4("10.0.0.1", 40000, "10.0.0.2", 53)
CAPTURE = craft.pcap([PACKET] * 3000)
PACKERS: list[Callable[[bytes], bytes]] = [
    bytes,
    gzip.compress,
    zstandard.ZstdCompressor().compress,
]
packers = pytest.mark.parametrize("pack", PACKERS, ids=["plain", "gzip", "zstd"])


def count(reader: Reader) -> int:
    return sum(block.count for block in reader.blocks())


@contextmanager
def fed(path: Path, *pieces: bytes) -> Iterator[None]:
    """Somebody writes to a pipe."""

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            for piece in pieces:
                pipe.write(piece)

    os.mkfifo(path)
    writer = threading.Thread(target=write)
    writer.start()
    yield
    writer.join()


@packers
def test_a_named_pipe(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data, path = pack(CAPTURE), tmp_path / "pipe"
    (tmp_path / "file").write_bytes(data)
    with fed(path, data[:1], data[1:3], data[3:100], data[100:]), Reader(path) as reader:
        assert (count(reader), reader.problems, reader.size) == (3000, [], 0)
        assert reader.position == len(data)
        assert reader.fingerprint() == fingerprint(tmp_path / "file")


@packers
def test_standard_input(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    program = (
        "import sys, pathlib\n"
        "from workbench.capture.reader import Reader\n"
        "with Reader(pathlib.Path('-')) as reader:\n"
        "    print(sum(block.count for block in reader.blocks()), reader.size, reader.problems)\n"
        "    print(reader.fingerprint())"
    )
    command, data = [sys.executable, "-c", program], pack(CAPTURE)
    piped = subprocess.run(command, input=data, capture_output=True, check=True)
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    told = fingerprint(path)
    assert piped.stdout.decode() == f"3000 0 []\n{told}\n"
    with path.open("rb") as file:
        redirected = subprocess.run(command, stdin=file, capture_output=True, check=True)
    assert redirected.stdout.decode() == f"3000 {path.stat().st_size} []\n{told}\n"


def test_process_substitution(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(CAPTURE)
    program = (
        "import sys, pathlib\n"
        "from workbench.capture.files import find_captures\n"
        "from workbench.capture.reader import Reader\n"
        "[path] = find_captures([pathlib.Path(sys.argv[1])])\n"
        "with Reader(path) as reader:\n"
        "    print(sum(block.count for block in reader.blocks()))"
    )
    line = '"$1" -c "$2" <(cat "$3")'
    command = ["bash", "-c", line, "bash", sys.executable, program, str(path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"3000\n"


@pytest.mark.parametrize(
    ("stdin", "problem"),
    [("terminal", "a terminal"), ("/dev/null", "is a device"), ("/", "folder")],
)
def test_standard_input_that_is_none(
    monkeypatch: pytest.MonkeyPatch, stdin: str, problem: str
) -> None:
    handles = os.openpty() if stdin == "terminal" else (os.open(stdin, os.O_RDONLY),)
    monkeypatch.setattr(sys, "__stdin__", _Handle(handles[-1]))
    with pytest.raises(CaptureError, match=problem):
        Reader(STANDARD_INPUT)
    for handle in handles:
        os.close(handle)


class _Handle:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def fileno(self) -> int:
        return self._handle


def test_a_pipe_without_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rawfile, "WRITER_PATIENCE", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CaptureError, match="a pipe that nothing writes to"):
        Reader(tmp_path / "pipe")


def stop_after(calls: int) -> Callable[[], None]:
    left = iter(range(calls))

    def tick() -> None:
        if next(left, None) is None:
            raise Cancelled("stopped")

    return tick


def test_waiting_for_a_writer_can_be_stopped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Cancelled):
        Reader(tmp_path / "pipe", tick=stop_after(1))


@pytest.mark.parametrize("sent", [0, 2, 24, 2000])
def test_a_silent_pipe_can_be_stopped(tmp_path: Path, sent: int) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    keep = os.open(path, os.O_RDWR)
    try:
        os.write(keep, CAPTURE[:sent])
        with pytest.raises(Cancelled), Reader(path, tick=stop_after(4)) as reader:
            count(reader)
    finally:
        os.close(keep)


def test_a_socket_as_a_stream() -> None:
    here, there = socket.socketpair()
    with here, there, there.makefile("rb", buffering=0) as stream:
        here.sendall(craft.pcap([PACKET] * 10))
        here.shutdown(socket.SHUT_WR)
        with Reader(Path("socket"), stream=stream) as reader:
            assert count(reader) == 10


def test_packets_come_out_of_a_pipe_before_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    keep = os.open(path, os.O_RDWR)
    os.write(keep, craft.pcap([PACKET] * 3))
    with Reader(path, tick=stop_after(50)) as reader:
        blocks = reader.blocks()
        assert next(blocks).count == 3
        os.close(keep)
        assert list(blocks) == []


def test_links(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (other / "far.pcap").write_bytes(CAPTURE)
    (folder / "a.pcap").write_bytes(CAPTURE)
    (folder / "again.pcap").symlink_to("a.pcap")
    (folder / "far.pcap").symlink_to(other / "far.pcap")
    (folder / "loop").symlink_to(folder)
    (folder / "away").symlink_to(other)
    (folder / "dangling.pcap").symlink_to("nothing")
    (folder / "itself.pcap").symlink_to("itself.pcap")
    for argument in (folder, folder / "**" / "*.pcap"):
        assert find_captures([argument]) == (folder / "a.pcap", folder / "far.pcap")
    with Reader(folder / "again.pcap") as reader:
        assert count(reader) == 3000
    for name in ("dangling.pcap", "itself.pcap"):
        with pytest.raises(CaptureError):
            find_captures([folder / name])
        with pytest.raises(CaptureError):
            Reader(folder / name)


@pytest.mark.parametrize(
    "name", ["x" * 300, "a**b/*.pcap", "[", "**/**/*.none", "file.pcap/x.pcap"]
)
def test_names_that_stand_for_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.pcap").write_bytes(CAPTURE)
    with pytest.raises(CaptureError):
        find_captures([tmp_path / name])


def test_pipes_are_found_only_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pcap")
    with pytest.raises(CaptureError, match="no capture in this folder"):
        find_captures([tmp_path])
    assert find_captures([tmp_path / "x.pcap", Path("-"), Path("-")]) == (
        tmp_path / "x.pcap",
        Path("-"),
    )
    for path in (tmp_path / "x.pcap", Path("-")):
        with pytest.raises(CaptureError, match="no fingerprint"):
            fingerprint(path)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_000, 262_144, 1_000_000])
def test_a_stream_has_the_fingerprint_of_the_file(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "x"
    path.write_bytes(content)
    for step in (1000, 65536, 300_000):
        passed = Fingerprint()
        for at in range(0, size, step):
            assert passed.hexdigest() == fingerprint(path, at)
            passed.add(memoryview(content)[at : at + step])
        assert passed.hexdigest() == fingerprint(path) == fingerprint(path, size + 1)


def test_a_grown_file_keeps_the_fingerprint_of_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(CAPTURE)
    before = fingerprint(path)
    with path.open("ab") as file:
        file.write(os.urandom(500_000))
    assert fingerprint(path) != before
    assert fingerprint(path, len(CAPTURE)) == before


def test_what_captures_are_called(tmp_path: Path) -> None:
    named, file = tmp_path / "pipe", tmp_path / "a.pcap"
    os.mkfifo(named)
    file.write_bytes(CAPTURE)
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "fd").mkdir()
    (tmp_path / "fd" / "7").write_bytes(CAPTURE)
    for path, name in {
        STANDARD_INPUT: "-",
        named: str(named),
        tmp_path / "link": str(file),
        tmp_path / "fd" / "7": str(tmp_path / "fd" / "7"),
        tmp_path / "nowhere": str(tmp_path / "nowhere"),
    }.items():
        assert called(path) == name
    read, write = os.pipe()
    try:
        assert called(Path(f"/dev/fd/{read}")) == f"pipe (fd {read})"
    finally:
        os.close(read)
        os.close(write)
