"""One flow through tshark: the only import of pyshark.

tshark is only ever given a small capture that we cut ourselves, so it never scans the whole file.
It runs without name resolution, in an empty home of its own: no preference, profile, plugin or
script of the user's has a say in it, and nothing asks the network. Its time and what it may tell
are bounded, and it is killed when nobody wants the answer any more.
"""

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.capture.cut import pcapng
from workbench.capture.single import flow_records, own_packet
from workbench.model.errors import Cancelled, CaptureError, MissingTool
from workbench.model.packets import Field, Layer, Packet, Piece, printable
from workbench.model.traffic import Flow, Stop, Tell

_LONGEST = 60.0
"""Seconds that tshark may take for one flow."""
_MOST = 64 << 20
"""Bytes that tshark may say of one flow."""
_FIELDS = 200
"""Fields of a layer at most: hostile packets nest."""
_LAYERS = 64
_LINE_END = "\\r\\n"
"""As tshark writes it."""
_ADVICE = (
    "install the package tshark (Debian, Ubuntu) or wireshark-cli (Fedora, Arch, Alpine: tshark)"
)
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ")
_Layers = tuple[Layer, ...]


def dissect(
    flow: Flow,
    pieces: Sequence[Piece],
    *,
    limit: int = 200,
    progress: Tell = None,
    cancelled: Stop = None,
) -> tuple[Packet, ...]:
    """The flow's first `limit` packets, dissected; every text is safe to show.

    Raises MissingTool without tshark, CaptureError when it fails, Cancelled when told to stop.
    """
    program = shutil.which("tshark")
    if program is None:
        raise MissingTool("tshark", _ADVICE)
    records = tuple(islice(flow_records(flow, pieces, progress, cancelled), limit))
    packets = [own_packet(number, record, flow) for number, record in enumerate(records, 1)]
    with tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True) as folder:
        cut = Path(folder) / "flow.pcapng"
        cut.write_bytes(pcapng(records))
        layers = _Reading(program, cut, packets).result(cancelled)
    missing: list[_Layers] = [()] * (len(packets) - len(layers))
    return tuple(map(_merged, packets, [*layers, *missing]))


def _merged(packet: Packet, layers: _Layers) -> Packet:
    """Our own packet with what tshark knows beyond it."""
    upper = [layer for layer in layers if layer.name != "data"] or list(layers)
    if not upper:
        return packet
    top = upper[-1]
    info = packet.info
    if len(upper) > 3:  # beyond link, network and transport: the first words of an application
        told = next((field.value for field in top.fields if field.value[:1].isalpha()), "")
        info = f"{told.removesuffix(_LINE_END)}  {info}".lstrip()
    return replace(packet, protocol=top.name, info=printable(info, 200), layers=layers)


class _Reading:
    """pyshark runs an event loop, so it gets a thread of its own."""

    def __init__(self, program: str, capture: Path, packets: Sequence[Packet]) -> None:
        self._program = program
        self._capture = capture
        self._packets = packets
        self._stop = threading.Event()
        self._process: Any = None
        self._said = 0
        self._layers: list[_Layers] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tshark", daemon=True)

    def result(self, cancelled: Stop) -> Sequence[_Layers]:
        """Wait for the thread; tshark is gone afterwards. Raises Cancelled or CaptureError."""
        self._thread.start()
        until = time.monotonic() + _LONGEST
        try:
            while self._thread.is_alive():
                self._thread.join(0.05)
                if cancelled is not None and cancelled():
                    raise Cancelled("dissection stopped")
                if time.monotonic() > until:
                    raise self._failed(f"took more than {_LONGEST:.0f} s")
        finally:
            self._end()
        # With every packet here, an error came from closing: asyncio may lose the race for tshark's
        # exit status to its own clean-up and report 255.
        if self._error and len(self._layers) < len(self._packets):
            lines = str(self._error).split("Last error line: ")[-1].strip().splitlines()
            told = lines[0] if lines else type(self._error).__name__
            raise self._failed(f"failed: {printable(told, 200)}") from self._error
        return self._layers

    def _failed(self, problem: str) -> CaptureError:
        return CaptureError("dissection", f"tshark {problem}; the bytes are still shown")

    def _end(self) -> None:
        """Kill tshark if it still runs, and let the thread finish."""
        self._stop.set()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        self._thread.join(5)

    def _environment(self) -> dict[str, str]:
        """Nothing of the user's but where programs are."""
        home = str(self._capture.parent)
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        private = (
            "HOME", "XDG_CONFIG_HOME", "WIRESHARK_CONFIG_DIR", "WIRESHARK_EXTCAP_DIR", "TMPDIR",
        )  # fmt: skip
        return kept | dict.fromkeys(private, home) | {"LC_ALL": "C.UTF-8"}

    def _run(self) -> None:
        import asyncio  # 30 ms, and only here

        logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells the terminal of that race
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            capture = self._open(loop)
            try:
                for packet in capture:
                    if self._stop.is_set():
                        break
                    raw = self._packets[min(len(self._layers), len(self._packets) - 1)].raw
                    self._layers.append(tuple(_layers(packet, raw)))
            finally:
                capture.close()
                if self._process is not None:
                    self._process._transport.close()  # what a killed tshark left in the pipe
                    loop.run_until_complete(asyncio.sleep(0))
        except Exception as error:  # pyshark's own errors share no root; told in the other thread
            self._error = error
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _open(self, loop: Any) -> Any:
        import asyncio
        from asyncio.subprocess import DEVNULL, PIPE

        import pyshark

        reading = self

        class Capture(pyshark.FileCapture):  # type: ignore[misc]
            """pyshark's, with a tshark of our own making."""

            async def _get_tshark_process(self, **_: object) -> Any:
                process: Any = await asyncio.create_subprocess_exec(
                    reading._program, "-n", "-l", "-T", "pdml", "-r", str(reading._capture),
                    stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=reading._capture.parent,
                    env=reading._environment(), start_new_session=True,
                )  # fmt: skip
                reading._process = process
                if reading._stop.is_set():
                    process.kill()
                process.stdout.read = reading._counted(process.stdout.read)
                self._create_stderr_handling_task(process.stderr)
                self._created_new_process([], process)
                return process

            def __del__(self) -> None:
                """Closed already: a second time, the event loop would be gone."""

        return Capture(str(self._capture), keep_packets=False, eventloop=loop)

    def _counted(self, read: Any) -> Any:
        async def counted(size: int) -> bytes:
            data: bytes = await read(size)
            self._said += len(data)
            if self._said > _MOST:
                raise ValueError(f"more than {_MOST >> 20} MB to say of this flow")
            return data

        return counted


def _layers(packet: Any, raw: bytes) -> Iterator[Layer]:
    """pyshark's layers. It drops where they are, but the fields know."""
    for layer in packet.layers[:_LAYERS]:
        told = [one for field in layer._all_fields.values() for one in field.all_fields]
        told = [one for one in told if not one.hide][:_FIELDS]
        fields = tuple(_field(one, raw) for one in told)
        own = zip(told, fields, strict=True)  # a layer's payload is the next layer
        placed = [field for one, field in own if field.size and not one.name.endswith(".payload")]
        start = min((field.start for field in placed), default=0)
        end = max((field.start + field.size for field in placed), default=0)
        yield Layer(printable(layer.layer_name, 40), fields, start, end - start)


def _field(field: Any, raw: bytes) -> Field:
    """`Source Port: 443` in two; fields without a shown name keep their technical one.

    What tshark put together from several packets has places of its own, not of this packet's
    bytes: only where the bytes are the same are they pointed at.
    """
    shown = field.showname or ""
    name, colon, value = shown.partition(": ")
    if not colon:
        name, value = str(field.name), shown or str(field.show)
    start, size = int(field.pos or 0), int(field.size or 0)
    same = raw[start : start + size].hex() == (field.unmaskedvalue or field.raw_value or "-")
    place = (start, size) if same else (0, 0)
    return Field(printable(name, 100), printable(value, 300), *place)
