"""What the story asks of the hosts: calls, and steps of calls at a time of day."""

from dataclasses import dataclass

from recorder.hosts import HOSTS, ICMP, ICMPV6, SERVICES, TCP


@dataclass(frozen=True)
class Call:
    """One conversation attempt of `client` with `server` (a host name, or an address)."""

    client: str
    server: str
    service: str
    """A key of SERVICES, `ping`, or `multicast`."""
    family: int = 4
    messages: tuple[bytes, ...] = ()
    outcome: str = "established"
    """What must happen: established, refused, unanswered, one-way, mid-stream."""
    session: str = ""
    """Keeps the connection open under this name, and goes on with it the next time."""
    patience: float = 3.4
    """Seconds to wait for an answer; the kernel repeats a SYN after 1 and 3 seconds."""
    ports: tuple[int, int] | None = None
    """Source and destination port where the service does not say."""

    @property
    def protocol(self) -> int:
        if self.service == "ping":
            return ICMP if self.family == 4 else ICMPV6
        return 17 if self.service == "multicast" else SERVICES[self.service][0]

    @property
    def port(self) -> int:
        """Server port, or the type of an echo request."""
        if self.service == "ping":
            return 8 if self.family == 4 else 128
        return self.ports[1] if self.ports else SERVICES[self.service][1]

    @property
    def wire(self) -> str:
        return SERVICES[self.service][2] if self.protocol == TCP else ""

    @property
    def client_address(self) -> str:
        return HOSTS[self.client].address(self.family)

    @property
    def server_address(self) -> str:
        host = HOSTS.get(self.server)
        return host.address(self.family) if host else self.server


@dataclass(frozen=True)
class Step:
    """Calls that follow each other at once, at a time of day."""

    at: float
    """Seconds after midnight, UTC."""
    calls: tuple[Call, ...]
    together: bool = False
    """All calls at the same time, from one client."""
    intrusion: str = ""
    """What the intruder does here; empty for everybody else."""


def clock(text: str) -> float:
    """`16:05:30` as seconds after midnight."""
    parts = [int(part) for part in text.split(":")]
    return sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
