"""Findings: traces of an intruder, or of somebody who behaves like one, in recorded traffic.

Bulk data are numpy columns, as in model.traffic; host numbers index the HostTable beside them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import format_address


class Level(IntEnum):
    """How sure we are (confidence), or how bad it would be (impact)."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def text(self) -> str:
        return self.name.lower()


class Stage(StrEnum):
    """What an intruder does first, second and third; and what is merely unlike before."""

    RECONNAISSANCE = "reconnaissance"
    CREDENTIALS = "credentials"
    MOVEMENT = "movement"
    DEPARTURE = "departure"


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """The conversation to drill to; its flows in the finding's time are the evidence."""

    client: int
    """Address as a number."""
    server: int
    protocol: int
    port: int


MOST_EVIDENCE = 1000
"""Conversations that a finding lists; a scan may have a hundred times as many."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """The user: this is known and harmless. Such a finding is shown as suppressed, never hidden."""

    id: str
    """The finding's id."""
    reason: str
    until: date | None = None
    """Last day it holds; None for good."""

    def holds(self, on: date) -> bool:
        return self.until is None or on <= self.until


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for the engineer to dismiss or act on."""

    kind: str
    """Which detector: `port-scan`, `first-login` …"""
    stage: Stage
    technique: str
    """ATT&CK id, such as T1046."""
    title: str
    host: int
    """Address of who did it."""
    peers: tuple[int, ...]
    """Addresses of those it was done to, by address."""
    first_us: int
    last_us: int
    confidence: Level
    impact: Level
    why: str
    """One sentence, with the figures."""
    unseen: str = ""
    """What flows cannot show, and would decide."""
    evidence: tuple[Evidence, ...] = ()
    """At most MOST_EVIDENCE."""
    subject: str = ""
    """Tells findings of one kind and host apart: a service, a server."""
    matter: tuple[str, str, str] | None = None
    """Kind, technique and subject that flows alone give to the same; None for its own."""
    also: tuple[str, ...] = ()
    """Ids of findings in whose place it stands, and which were as sure as it is."""
    suppression: Suppression | None = None
    """In force."""

    @property
    def id(self) -> str:
        """Eight hexadecimal digits: the same matter has the same id after every load, and whether
        or not the payload of its capture could be read."""
        return self._hashed(self.matter or (self.kind, self.technique, self.subject))

    @property
    def known_by(self) -> tuple[str, ...]:
        """Its id, and others by which suppressions may know it: those of older versions, too."""
        own = self._hashed((self.kind, self.technique, self.subject))
        return tuple(dict.fromkeys((self.id, own, *self.also)))

    def _hashed(self, matter: tuple[str, str, str]) -> str:
        kind, technique, subject = matter
        words = (kind, technique, format_address(self.host), subject)
        return hashlib.sha256("|".join(words).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a detector begins to speak. Times in seconds."""

    scan_targets: int = 10
    """Addresses or ports that failed one client, for a scan."""
    scan_sure: int = 20
    """The same for one we are sure of."""
    scan_share: float = 0.7
    """Failed first contacts among all of its first contacts while it scans, to be sure."""
    sweep_targets: int = 8
    """Hosts pinged once, in passing."""
    sweep_window: int = 1800
    burst_factor: float = 8.0
    """Times what the other clients of a server do, for an enumeration burst."""
    burst_bytes: int = 250_000
    """Bytes that a directory or a share answers, below which nothing is a burst."""
    dns_per_minute: int = 120
    guess_attempts: int = 12
    """Short sessions of one client on one server in the window, for guessing."""
    guess_sure: int = 40
    guess_window: int = 600
    spray_servers: int = 6
    """Servers with a few short sessions each in the window, for spraying."""
    quiet_before: int = 3600
    """Recorded time without a service's use before a first use means much."""
    chain_window: int = 28_800
    """From a login to the next one, for a chain."""
    fanout_servers: int = 4
    """Servers newly administered within `fanout_window`."""
    fanout_window: int = 600
    transfer_bytes: int = 50_000
    """Bytes sent over an administration service, for a tool transfer."""
    beacon_beats: int = 8
    beacon_jitter: float = 0.1
    """Median departure from the median interval, as a share of it."""
    administers: int = 3
    """Servers that a host which administers others reaches on one service."""
    usual_days: int = 7
    """Recorded days that show what is usual for a host."""
    volume_factor: float = 5.0
    """Times the usual busiest hour of a day, for an unusual volume."""
    volume_mb: int = 200
    """Megabytes sent or received in an hour, below which no volume is unusual."""
    volume_flows: int = 1000
    """The same for flows of a client that were answered."""
    volume_peers: int = 20
    """The same for servers that a client used."""
    hour_flows: int = 5
    """Flows of a client in an hour, to be at work in it."""
    role_peers: int = 3
    """Clients, servers administered or outside servers, for a new role."""
    expected_roles: tuple[str, ...] = (
        "admin", "backup", "deployment", "jump", "management", "monitoring", "scanner",
    )  # fmt: skip
    """Values of the label `role` whose hosts talk to many by trade."""


THRESHOLD_WORDS: Mapping[str, str] = {
    "scan_targets": "addresses or ports that must fail, for a scan",
    "scan_sure": "the same for a scan we are sure of",
    "scan_share": "failed among all first contacts, to be sure",
    "sweep_targets": "hosts pinged once, for a sweep",
    "sweep_window": "seconds that a sweep may take",
    "burst_factor": "times what others do, for an enumeration burst",
    "burst_bytes": "answered bytes below which nothing is a burst",
    "dns_per_minute": "names asked for in a minute, for a burst",
    "guess_attempts": "short sessions on one server, for guessing",
    "guess_sure": "the same for guessing we are sure of",
    "guess_window": "seconds in which they fall",
    "spray_servers": "servers with a few short sessions each, for spraying",
    "quiet_before": "recorded seconds without it, for a first use that means much",
    "chain_window": "seconds from a login to the next, for a chain",
    "fanout_servers": "servers newly administered, for a fan-out",
    "fanout_window": "seconds in which they fall",
    "transfer_bytes": "bytes sent over an administration service, for a transfer",
    "beacon_beats": "contacts at regular intervals, for a beacon",
    "beacon_jitter": "median departure from the interval, as a share of it",
    "administers": "servers that a host which administers others reaches",
    "usual_days": "recorded days that show what is usual for a host",
    "volume_factor": "times its usual busiest hour of a day, for a volume",
    "volume_mb": "megabytes in an hour, below which none is unusual",
    "volume_flows": "the same for flows of a client",
    "volume_peers": "the same for servers that it uses",
    "hour_flows": "flows of a client in an hour, to be at work in it",
    "role_peers": "clients, or servers, that a host in a new role has",
    "expected_roles": "values of the label role that talk to many by trade",
}
"""Name of a threshold → what it is, in a line."""


CONTACT_DTYPES: Mapping[str, Any] = {
    "client": np.int32,
    "server": np.int32,
    "protocol": np.uint8,
    "port": np.uint16,
    "flows": np.int64,
    "failed": np.int64,  # flows refused or unanswered, of known direction
    "used": np.int64,  # flows in which both ends said something
    "first": np.uint8,  # Contact: how the earliest flow went
    "first_us": np.int64,
    "last_us": np.int64,
    "used_first_us": np.int64,  # the earliest flow with something said; 0 without one
    "used_last_us": np.int64,
    "bytes_to_server": np.int64,
    "bytes_to_client": np.int64,
    "most_to_server": np.int64,  # bytes of the flow with most of them
    "large_us": np.int64,  # when the first large one began (transfer_bytes); 0 without one
    "answered": np.bool_,  # a packet came back to the client
    "direction": np.uint8,
}
"""One row a conversation. Times are held within ±10^18 µs, sums within 2^63."""

LOGIN_DTYPES: Mapping[str, Any] = {
    "client": np.int32,
    "server": np.int32,
    "protocol": np.uint8,
    "port": np.uint16,
    "minute": np.int64,  # minutes since the epoch
    "first_us": np.int64,
    "last_us": np.int64,
    "flows": np.int64,
    "used": np.int64,
    "brief": np.int64,  # used flows with little said in little time, as failed logins have
    "most_to_server": np.int64,  # bytes of the largest flow
    "bytes_to_client": np.int64,
}
"""One row a conversation and minute, of the services people and programs log in to."""

RHYTHM_DTYPES: Mapping[str, Any] = {
    "client": np.int32,
    "server": np.int32,
    "protocol": np.uint8,
    "port": np.uint16,
    "beats": np.int64,  # intervals between flows
    "interval_us": np.int64,  # their median
    "jitter_us": np.int64,  # the median departure from it
    "first_us": np.int64,
    "last_us": np.int64,
}
"""One row a conversation with enough flows."""

DAY_DTYPES: Mapping[str, Any] = {
    "host": np.int32,
    "day": np.int64,  # since 1970-01-01, UTC
    "seen": np.uint32,  # a bit for each hour of the day with a flow of it
    "hours": np.uint32,  # the same: a flow as a client, in which both ends said something
    "busy": np.uint32,  # the same: at least `hour_flows` of those
    "sent": np.int64,  # bytes in the hour with most of them, by the hour in which flows begin
    "sent_hour": np.int64,  # that hour since 1970, the earliest of equal ones
    "received": np.int64,
    "received_hour": np.int64,
    "flows": np.int64,  # as a client, with something said
    "flows_hour": np.int64,
    "peers": np.int64,  # servers of those
    "peers_hour": np.int64,
}
"""One row a host and day with a flow."""

Columns = Mapping[str, NDArray[Any]]


class Contact(IntEnum):
    """How a flow went, for who looks for scans."""

    FAILED = 0
    """Refused or unanswered."""
    EMPTY = 1
    """A connection that opened, and in which the client said nothing."""
    USED = 2
    UNKNOWN = 3
    """Seen from one side, or begun before the recording."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which flows: those that begin in a time, in some captures."""

    after_us: int | None = None
    """From this moment on; None for from the beginning."""
    before_us: int | None = None
    """Up to this moment, without it."""
    captures: tuple[int, ...] | None = None
    """Only these; None for all."""


@dataclass(frozen=True)
class Traces:
    """What the detectors look at, for one window."""

    contacts: Columns
    """CONTACT_DTYPES."""
    logins: Columns
    """LOGIN_DTYPES."""
    rhythms: Columns
    """RHYTHM_DTYPES."""
    days: Columns
    """DAY_DTYPES."""


@dataclass(frozen=True, slots=True)
class FindingSettings:
    """`findings.yaml` as a value: the user's thresholds and suppressions."""

    thresholds: Thresholds = Thresholds()
    suppressions: tuple[Suppression, ...] = ()

    def suppression(self, finding: Finding, on: date) -> Suppression | None:
        """The one in force for a finding, rather by its id than by others it is known by."""
        held = {one.id: one for one in self.suppressions if one.holds(on)}
        return next((held[name] for name in finding.known_by if name in held), None)


def named(found: Iterable[Finding], name: str) -> Finding | None:
    """The finding of an id, or else the first that is also known by it."""
    every = tuple(found)
    return next(
        (one for one in every if one.id == name),
        next((one for one in every if name in one.known_by), None),
    )
