"""The site's wiring: a bridge for each subnet, a router between them, tcpdump on every bridge.

We are the router. Each bridge records what its own hosts send, and of what the router sends only
its own words (ARP, neighbour discovery, ICMP errors): a routed packet is seen once, where its
sender put it on the wire.
"""

import multiprocessing
import os
import signal
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from recorder.actor import ip, live, new_network, tune
from recorder.calls import Call
from recorder.hosts import HOSTS, NETS, Net

PATIENCE = 30
"""Seconds in which a host must answer us."""


class CallError(Exception):
    """A host did something else than the story says."""


def _router_mac(net: Net) -> str:
    return f"02:00:0a:{list(NETS).index(net.name):02x}:00:01"


class Site:
    """The running site; a context manager that stops everything it started."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[Any, Connection]] = {}
        self._recorders: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "Site":
        new_network()
        try:
            self._wire()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        for recorder in self._recorders.values():
            recorder.kill()
            recorder.wait()
        for process, pipe in self._hosts.values():
            if process.is_alive():
                pipe.send(None)
            process.join(5)
            process.kill()
            process.join()

    def _wire(self) -> None:
        tune({"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/icmp_ratelimit": "0"})
        tune({"ipv6/icmp/ratelimit": "0", "ipv4/conf/all/send_redirects": "0"})
        ip("link set lo up")
        for net in NETS.values():
            bridge = f"br-{net.name}"
            ip(
                f"link add {bridge} type bridge mcast_snooping 0",
                f"link set {bridge} address {_router_mac(net)} up",
                f"addr add {net.v4}.1/24 dev {bridge}",
                f"addr add {net.v6}1/64 dev {bridge} nodad",
            )
        for name in HOSTS:
            self._plug_in(name)
        for name in HOSTS:
            self._hear(name)

    def _plug_in(self, name: str) -> None:
        """Start a host and run a cable from its namespace to its bridge."""
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=live, args=(name, theirs))
        process.start()
        self._hosts[name] = process, ours
        pid, port = self._hear(name), f"p-{name}"
        ip(
            f"link add {port} type veth peer name eth0 netns {pid}",
            f"link set {port} master br-{HOSTS[name].net} up",
            f"link set {port} addrgenmode none",
        )
        ours.send("wired")

    def _hear(self, name: str) -> Any:
        """What a host has to say. Raises CallError when it is silent for long."""
        pipe = self._hosts[name][1]
        if not pipe.poll(PATIENCE):
            raise CallError(f"{name} says nothing")
        return pipe.recv()

    def do(self, calls: tuple[Call, ...], *, together: bool = False) -> None:
        """Let the clients make their calls, in order. Raises CallError when one goes astray."""
        for group in [calls] if together else [(call,) for call in calls]:
            pipe = self._hosts[group[0].client][1]
            pipe.send(list(group))
            for call, happened in zip(group, self._hear(group[0].client), strict=True):
                wanted = call.outcome.replace("mid-stream", "established")
                if happened != wanted:
                    raise CallError(f"{call}: {happened}, not {wanted}")

    def record(self, folder: Path) -> None:
        """Start tcpdump on every bridge; it writes `folder`/NAME.pcap."""
        for net in NETS.values():
            routed = f"not ether src {_router_mac(net)} or arp or src host {net.v4}.1"
            own = f"{routed} or src host {net.v6}1 or src net fe80::/10"
            command = f"tcpdump -n -s 0 -U -B 8192 -i br-{net.name} -w".split()
            user = [] if os.geteuid() else ["-Z", "root"]  # else it cannot write to our folder
            self._recorders[net.name] = subprocess.Popen(
                [*command, str(folder / f"{net.name}.pcap"), *user, own],
                stderr=subprocess.PIPE,
                text=True,
            )
        for recorder in self._recorders.values():
            assert recorder.stderr is not None
            while "listening" not in (line := recorder.stderr.readline()):
                if not line:
                    raise CallError("tcpdump did not start")

    def stop_recording(self) -> None:
        """Raises CallError when the kernel dropped packets."""
        time.sleep(1.5)  # let tcpdump read what is left in its buffer
        for name, recorder in self._recorders.items():
            recorder.send_signal(signal.SIGINT)
            told = recorder.communicate()[1]
            if "\n0 packets dropped by kernel" not in told:
                raise CallError(f"tcpdump on {name}: {told}")
        self._recorders.clear()
