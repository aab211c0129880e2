"""Services that intruders use: to move from machine to machine, and on the way.

Techniques are MITRE ATT&CK's, Enterprise (T1…) and ICS (T0…), by id and name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from workbench.model.net import ANY_PROTOCOL, ServiceRange, merge_services, parse_service


@dataclass(frozen=True, slots=True)
class RiskyService:
    """One service as an intruder sees it."""

    id: str
    """A slug; also the service group in `policies/ransomware-guardrails.yaml`, if it has one."""
    name: str
    services: tuple[ServiceRange, ...]
    """Sorted, disjoint; no two risky services share a port."""
    technique: str
    """ATT&CK id, such as T1021.002."""
    technique_name: str
    text: str
    """What it is to an intruder, in plain words."""
    moves: bool
    """Whether whoever may log in to it runs commands on the server: a hop of lateral movement."""
    ransomware: bool
    """One of the ports that ransomware spreads by."""

    def covers(self, protocol: int, port: int) -> bool:
        return any(piece.covers(protocol, port) for piece in self.services)


def _risky(
    slug: str,
    name: str,
    services: str,
    technique: tuple[str, str],
    text: str,
    *,
    moves: bool = False,
    ransomware: bool = False,
) -> RiskyService:
    ranges = merge_services(map(parse_service, services.split()))
    return RiskyService(slug, name, ranges, *technique, text, moves, ransomware)


_REMOTE = "T1021", "Remote Services"
_CONTAINERS = "T1609", "Container Administration Command"
_DATABASES = "T1213.006", "Databases"

RISKY: tuple[RiskyService, ...] = (
    _risky(
        "smb",
        "SMB, NetBIOS sessions",
        "tcp/445 tcp/139",
        ("T1021.002", "SMB/Windows Admin Shares"),
        "copies tools to admin shares and starts them as a service, as PsExec does",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "rdp",
        "Remote Desktop",
        "tcp/3389 udp/3389",
        ("T1021.001", "Remote Desktop Protocol"),
        "logs in to the desktop with a stolen password",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "dcom",
        "RPC, DCOM, WMI",
        "tcp/135",
        ("T1021.003", "Distributed Component Object Model"),
        "runs commands by WMI, DCOM, service control or scheduled tasks; "
        "the endpoint mapper stands for the dynamic ports that follow",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "winrm",
        "WinRM, PowerShell remoting",
        "tcp/5985-5986",
        ("T1021.006", "Windows Remote Management"),
        "runs PowerShell on the server",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "ssh",
        "SSH",
        "tcp/22",
        ("T1021.004", "SSH"),
        "logs in with a stolen password or key, copies files, builds tunnels",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "vnc",
        "VNC",
        "tcp/5900-5906",
        ("T1021.005", "VNC"),
        "takes over the screen, often with one password for all machines",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "remote-support",
        "TeamViewer, AnyDesk",
        "tcp/5938 udp/5938 tcp/7070",
        ("T1219", "Remote Access Tools"),
        "takes over the screen by a tool that is installed for support",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "legacy",
        "Telnet, rexec, rlogin, rsh",
        "tcp/23 tcp/512-514",
        _REMOTE,
        "logs in; passwords cross the network in the clear",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "ipmi",
        "IPMI",
        "udp/623",
        _REMOTE,
        "controls the machine below its operating system",
        moves=True,
    ),
    _risky(
        "mssql",
        "Microsoft SQL Server",
        "tcp/1433",
        ("T1505.001", "SQL Stored Procedures"),
        "runs commands on the server by stored procedures (xp_cmdshell)",
        moves=True,
        ransomware=True,
    ),
    _risky(
        "docker",
        "Docker API",
        "tcp/2375-2376",
        _CONTAINERS,
        "starts a container that owns the machine",
        moves=True,
    ),
    _risky(
        "kubelet",
        "Kubernetes API, kubelet",
        "tcp/6443 tcp/10250",
        _CONTAINERS,
        "runs commands in any pod, starts pods that own their node",
        moves=True,
    ),
    _risky(
        "file-transfer",
        "FTP, TFTP",
        "tcp/21 udp/69",
        ("T1570", "Lateral Tool Transfer"),
        "carries tools in and data out",
        ransomware=True,
    ),
    _risky(
        "nfs",
        "NFS",
        "tcp/2049 udp/2049",
        ("T1039", "Data from Network Shared Drive"),
        "reads, and encrypts, what is shared",
        ransomware=True,
    ),
    _risky(
        "database",
        "Oracle, MySQL, PostgreSQL, Redis, Elasticsearch, MongoDB",
        "tcp/1521 tcp/3306 tcp/5432 tcp/6379 tcp/9200 tcp/27017",
        _DATABASES,
        "reads the data with the password of the application",
    ),
    _risky(
        "kerberos",
        "Kerberos",
        "tcp/88 udp/88 tcp/464 udp/464",
        ("T1558", "Steal or Forge Kerberos Tickets"),
        "asks for tickets to crack (Kerberoasting, AS-REP roasting), guesses passwords",
    ),
    _risky(
        "directory",
        "LDAP, global catalogue, AD web services",
        "tcp/389 udp/389 tcp/636 tcp/3268-3269 tcp/9389",
        ("T1087.002", "Domain Account"),
        "lists accounts, groups and machines",
    ),
    _risky(
        "name-spoofing",
        "NetBIOS names, mDNS, LLMNR",
        "udp/137-138 udp/5353 udp/5355",
        ("T1557.001", "LLMNR/NBT-NS Poisoning and SMB Relay"),
        "answers for machines that it is not and takes their users' credentials",
    ),
    _risky(
        "snmp",
        "SNMP",
        "udp/161",
        ("T1602.001", "SNMP (MIB Dump)"),
        "reads what a device knows of the network; writes where the community allows",
    ),
    _risky(
        "industrial",
        "S7, Modbus, DNP3, EtherNet/IP, BACnet",
        "tcp/102 tcp/502 tcp/20000 udp/20000 tcp/44818 udp/2222 udp/47808",
        ("T0855", "Unauthorized Command Message"),
        "commands controllers, which ask for no password",
    ),
)
"""Every risky service; those to move by come first."""

MOVEMENT: tuple[ServiceRange, ...] = merge_services(
    piece for risky in RISKY if risky.moves for piece in risky.services
)
"""All ports of the services that an intruder moves by."""

ADMINISTRATION = ("smb", "rdp", "dcom", "winrm", "ssh", "vnc", "remote-support", "legacy")
"""Ids of those by which people (and intruders) work on other machines, whatever these are for."""


@cache
def risky_service(protocol: int, port: int) -> RiskyService | None:
    """The risky service behind a port, if there is one."""
    return next((risky for risky in RISKY if risky.covers(protocol, port)), None)


def risky_by_id(slug: str) -> RiskyService:
    """Raises KeyError for an unknown id."""
    return _BY_ID[slug]


_BY_ID = {risky.id: risky for risky in RISKY}


def risky_in(services: Iterable[ServiceRange]) -> tuple[RiskyService, ...]:
    """Risky services of which at least one port is among `services`."""
    wanted = tuple(services)
    return tuple(
        risky
        for risky in RISKY
        if any(_overlap(piece, other) for piece in risky.services for other in wanted)
    )


def _overlap(piece: ServiceRange, other: ServiceRange) -> bool:
    return (
        other.protocol in (ANY_PROTOCOL, piece.protocol)
        and piece.first <= other.last
        and other.first <= piece.last
    )
