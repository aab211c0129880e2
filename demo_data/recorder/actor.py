"""One host: a process in a network namespace of its own that serves, and calls when told to."""

import asyncio
import ctypes
import fcntl
import itertools
import os
import socket
import struct
import subprocess
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from recorder.calls import Call
from recorder.formats import DATAGRAMS
from recorder.hosts import HOSTS, ICMP, NETS, TCP, UDP, Host, dropping, listening
from recorder.streams import Wire, streams

_LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x4000_0000
_PR_SET_PDEATHSIG = 1
_SO_ATTACH_FILTER = 26
_WIRES = streams()
_QUIET_KERNEL = {
    "ipv4/icmp_ratelimit": "0",
    "ipv6/icmp/ratelimit": "0",
}


def new_network() -> None:
    """Put this process into an empty network namespace. Raises OSError without privilege."""
    if _LIBC.unshare(CLONE_NEWNET):
        raise OSError(
            ctypes.get_errno(), "no network namespace for us; see the first lines of record.py"
        )


def tune(settings: dict[str, str]) -> None:
    """Write sysctls of the namespace we are in."""
    for name, value in settings.items():
        Path("/proc/sys/net", name).write_text(value)


def ip(*lines: str) -> None:
    """Run `ip -batch` in the namespace we are in."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def full_checksums(interface: str) -> None:
    """Turn transmit offloads off, so that the recording shows what would be on a wire."""
    value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))  # ETHTOOL_STXCSUM: off
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8946, request)  # SIOCETHTOOL


def live(name: str, pipe: Connection) -> None:
    """The whole life of a host; ends when the pipe says None, or with the parent."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, 9)
    new_network()
    host = HOSTS[name]
    pipe.send(os.getpid())
    pipe.recv()  # the parent has given us an interface
    net = NETS[host.net]
    tune(_QUIET_KERNEL)
    if host.net != "office":
        tune({"ipv6/conf/eth0/accept_ra": "0"})  # servers look for no router; PCs do, in vain
    ip("link set lo up", f"link set eth0 address {host.mac}", f"addr add {host.v4}/24 dev eth0")
    full_checksums("eth0")
    if host.has_v6:
        ip(f"addr add {host.v6}/64 dev eth0 nodad")
    ip("link set eth0 up", f"route add default via {net.v4}.1")
    if host.has_v6:
        ip(f"route add default via {net.v6}1")
    asyncio.run(Actor(host, pipe).run())


class Actor:
    """Servers and clients of one host."""

    def __init__(self, host: Host, pipe: Connection) -> None:
        self.host = host
        self.pipe = pipe
        self.random = Random(host.mac)
        self.ports = itertools.count(49152 + self.random.randrange(2000))
        self.sessions: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self.keep: list[object] = []  # sockets that drop, tasks

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for (protocol, port), wire in listening(self.host).items():
            for family in (4, 6) if self.host.has_v6 else (4,):
                await self._serve(protocol, port, wire, family)
        for port in dropping(self.host):
            self.keep += [_deaf(port, family) for family in (4, 6)]
        finished = loop.create_future()
        loop.add_reader(self.pipe.fileno(), self._told, finished)
        self.pipe.send("ready")
        await finished

    def _told(self, finished: asyncio.Future[None]) -> None:
        calls = self.pipe.recv()
        if calls is None:
            finished.set_result(None)
        else:
            self.keep.append(asyncio.create_task(self._obey(calls)))

    async def _obey(self, calls: list[Call]) -> None:
        results = await asyncio.gather(*map(self._call, calls), return_exceptions=True)
        self.pipe.send(
            [repr(item) if isinstance(item, BaseException) else item for item in results]
        )

    # --- serving

    async def _serve(self, protocol: int, port: int, wire: str, family: int) -> None:
        address = self.host.address(family)
        if protocol == TCP:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._answer(_WIRES[wire], reader, writer)

            self.keep.append(await asyncio.start_server(serve, address, port))
        else:
            loop = asyncio.get_running_loop()
            self.keep.append(
                await loop.create_datagram_endpoint(
                    lambda: Datagrams(wire), local_addr=(address, port)
                )
            )

    async def _answer(
        self, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        buffer = b""
        writer.write(wire.greeting)
        try:
            while data := await reader.read(65536):
                buffer += data
                while size := wire.frame(buffer):
                    await asyncio.sleep(self.random.uniform(0.0002, 0.002))  # time to think
                    writer.write(wire.answer(buffer[:size]))
                    buffer = buffer[size:]
        except ConnectionError:
            pass  # a client that gave up
        finally:
            writer.close()

    # --- calling

    async def _call(self, call: Call) -> str:
        if call.service == "ping":
            return ping(call, next(self.ports))
        if call.protocol == UDP:
            return datagram(call, next(self.ports))
        return await self._stream(call)

    async def _stream(self, call: Call) -> str:
        wire = _WIRES[call.wire]
        if call.session in self.sessions:
            reader, writer = self.sessions[call.session]
        else:
            connecting = asyncio.open_connection(
                call.server_address, call.port, local_addr=(call.client_address, next(self.ports))
            )
            try:
                reader, writer = await asyncio.wait_for(connecting, call.patience)
            except TimeoutError:
                return "unanswered"
            except OSError:
                return "refused"
            if call.messages:
                await reader.readexactly(len(wire.greeting))
        for message in call.messages:
            writer.write(message)
            await reader.readexactly(len(wire.answer(message)))
        if call.session:
            self.sessions[call.session] = reader, writer
        else:
            writer.close()
            await asyncio.sleep(0.003)  # the server's FIN
        return "established"


class Datagrams(asyncio.DatagramProtocol):
    """A UDP server."""

    def __init__(self, wire: str) -> None:
        self.reply = DATAGRAMS[wire]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        if self.reply:
            self.transport.sendto(self.reply(data), peer)  # type: ignore[attr-defined]


def _deaf(port: int, family: int) -> socket.socket:
    """A listening socket whose filter drops every packet: a firewall without netfilter."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    server = socket.socket(kind, socket.SOCK_STREAM)
    if family == 6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF: return 0
    server.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program))
    )
    server.bind(("", port))
    server.listen()
    return server


def datagram(call: Call, port: int) -> str:
    """One UDP question, and its answer if there is to be one."""
    kind = socket.AF_INET if call.family == 4 else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_DGRAM) as client:
        client.settimeout(call.patience)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762 section 11
        link_local = call.server_address.startswith("ff02")
        source = "" if link_local else call.client_address
        client.bind((source, call.ports[0] if call.ports else port))
        if link_local:
            index = socket.if_nametoindex("eth0")
            client.sendto(call.messages[0], (call.server_address, call.port, 0, index))
            return "one-way"
        client.connect((call.server_address, call.port))
        for message in call.messages:
            client.send(message)
            if call.outcome == "one-way":
                continue
            try:
                client.recv(4096)
            except ConnectionError:
                return "refused"
            except TimeoutError:
                return "unanswered"
    return "one-way" if call.outcome == "one-way" else "established"


def ping(call: Call, identity: int) -> str:
    """One echo request (RFC 792, RFC 4443) with 56 bytes, as ping sends it."""
    v4 = call.protocol == ICMP
    kind, protocol = (socket.AF_INET, 1) if v4 else (socket.AF_INET6, 58)
    head = struct.pack(">BBHHH", 8 if v4 else 128, 0, 0, identity, 1)
    body = bytes(range(56))
    words = struct.unpack(">32H", head + body)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    packet = head[:2] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + head[4:] + body
    with socket.socket(kind, socket.SOCK_RAW, protocol) as raw:
        raw.settimeout(call.patience)
        raw.bind((call.client_address, 0))
        raw.sendto(packet, (call.server_address, 0))
        while True:
            try:
                reply = raw.recv(2048)
            except TimeoutError:
                return "unanswered"
            icmp = reply[(reply[0] & 15) * 4 :] if v4 else reply
            if icmp[0] == (0 if v4 else 129) and icmp[4:6] == head[4:6]:
                return "established"
            if icmp[0] == (3 if v4 else 1):
                return "refused"
