"""One flow through tshark: the only import of pyshark.

The flow's packets are cut into a small capture first, so tshark never scans the whole file. Name
resolution is off: tshark must not ask the network anything.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.capture.single import flow_records, own_packet, pcapng
from workbench.model.errors import Cancelled, CaptureError, MissingTool
from workbench.model.packets import Layer, Packet, printable
from workbench.model.traffic import Flow

_LONGEST = 60.0
"""Seconds that tshark may take for one flow."""
_FIELDS = 200
"""Fields of a layer at most: hostile packets nest."""
_ADVICE = "install the package tshark (Debian, Ubuntu) or wireshark-cli (Fedora)"


def dissect(
    path: Path,
    flow: Flow,
    *,
    limit: int = 200,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Packet, ...]:
    """The flow's first `limit` packets, dissected; every text is safe to show.

    Raises MissingTool without tshark, CaptureError when it fails, Cancelled when told to stop.
    """
    program = shutil.which("tshark")
    if program is None:
        raise MissingTool("tshark", _ADVICE)
    records = tuple(islice(flow_records(path, flow), limit))
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        cut = Path(folder) / "flow.pcapng"
        cut.write_bytes(pcapng(records))
        layers = _Reading(program, cut, len(records)).result(cancelled)
    packets = [own_packet(number, record, flow) for number, record in enumerate(records, 1)]
    missing = [()] * (len(packets) - len(layers))
    return tuple(map(_merged, packets, [*layers, *missing]))


def _merged(packet: Packet, layers: tuple[Layer, ...]) -> Packet:
    """Our own packet with what tshark knows beyond it."""
    upper = [layer for layer in layers if layer.name != "data"] or list(layers)
    if not upper:
        return packet
    told = f" {upper[-1].fields[0][1]}" if upper[-1].fields else ""
    info = f"{packet.info} {upper[-1].name}{told}" if len(upper) > 3 else packet.info
    return replace(packet, protocol=upper[-1].name, info=printable(info, 200), layers=layers)


class _Reading:
    """pyshark runs an event loop, so it gets a thread of its own."""

    def __init__(self, program: str, capture: Path, packets: int) -> None:
        self._program = program
        self._capture = capture
        self._packets = packets
        self._stop = threading.Event()
        self._layers: list[tuple[Layer, ...]] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tshark", daemon=True)

    def result(self, cancelled: Callable[[], bool] | None) -> Sequence[tuple[Layer, ...]]:
        """Wait for the thread. Raises Cancelled or CaptureError."""
        self._thread.start()
        waited = 0.0
        while self._thread.is_alive():
            self._thread.join(0.05)
            waited += 0.05
            if cancelled is not None and cancelled():
                self._stop.set()
                raise Cancelled("dissection stopped")
            if waited > _LONGEST:
                self._stop.set()
                raise CaptureError(self._capture.name, f"tshark took more than {_LONGEST:.0f} s")
        # With every packet here, an error came from closing: asyncio may lose the race for tshark's
        # exit status to its own clean-up and report 255.
        if self._error and len(self._layers) < self._packets:
            told = printable(str(self._error).splitlines()[0] if str(self._error) else "", 200)
            raise CaptureError(self._capture.name, f"tshark failed: {told}") from self._error
        return self._layers

    def _run(self) -> None:
        import asyncio  # 30 ms, and only here

        import pyshark

        class Capture(pyshark.FileCapture):  # type: ignore[misc]
            """pyshark closes a second time when collected, when its event loop is long gone."""

            def __del__(self) -> None:
                """Closed already."""

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            capture = Capture(
                str(self._capture),
                keep_packets=False,
                eventloop=loop,
                tshark_path=self._program,
                custom_parameters=["-n"],
            )
            try:
                for packet in capture:
                    if self._stop.is_set():
                        break
                    self._layers.append(tuple(_layers(packet)))
            finally:
                capture.close()
        except Exception as error:  # pyshark's own errors share no root; told in the other thread
            self._error = error
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _layers(packet: Any) -> Iterator[Layer]:
    for layer in packet.layers:
        fields = islice(layer._all_fields.values(), _FIELDS)
        yield Layer(printable(layer.layer_name, 40), tuple(_field(field) for field in fields))


def _field(field: Any) -> tuple[str, str]:
    """`Source Port: 443` as a pair; fields without a shown name keep their technical one."""
    shown = field.showname or ""
    name, colon, value = shown.partition(": ")
    if not colon:
        name, value = str(field.name), shown or str(field.show)
    return printable(name, 100), printable(value, 300)
