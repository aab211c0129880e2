"""Who is on the demo site: networks, hosts, the services they run.

Kestrel Pumps is invented. Private space is 10/8 and fd00::/8; the "internet" is made of the
documentation networks of RFC 5737 and RFC 3849.
"""

from dataclasses import dataclass

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
DOMAIN = "kestrel.example"

SERVICES: dict[str, tuple[int, int, str]] = {
    # name: protocol number, port, wire format (see formats.py and streams.py)
    "backup-agent": (TCP, 9102, "bacula"),
    "backup-store": (TCP, 9103, "bacula"),
    "dhcp": (UDP, 67, "dhcp"),
    "dns": (UDP, 53, "dns"),
    "grafana": (TCP, 3000, "http"),
    "http": (TCP, 80, "http"),
    "app": (TCP, 8080, "http"),
    "old-app": (TCP, 8081, "http"),
    "https": (TCP, 443, "tls"),
    "test-https": (TCP, 8443, "tls"),
    "ipp": (TCP, 631, "http"),
    "kerberos": (TCP, 88, "kerberos"),
    "ldap": (TCP, 389, "ldap"),
    "ldaps": (TCP, 636, "tls"),
    "modbus": (TCP, 502, "modbus"),
    "ntp": (UDP, 123, "ntp"),
    "opcua": (TCP, 4840, "opcua"),
    "postgres": (TCP, 5432, "postgres"),
    "prometheus": (TCP, 9100, "http"),
    "rdp": (TCP, 3389, "rdp"),
    "redis": (TCP, 6379, "redis"),
    "redis-metrics": (TCP, 9121, "http"),
    "rpc": (TCP, 135, "rpc"),
    "smb": (TCP, 445, "smb"),
    "snmp": (UDP, 161, "snmp"),
    "ssh": (TCP, 22, "ssh"),
    "syslog": (UDP, 514, "syslog"),
    "winrm": (TCP, 5985, "http"),
}


@dataclass(frozen=True)
class Net:
    """One subnet: a bridge on which the router has the addresses .1 and ::1."""

    name: str
    v4: str
    """First three octets."""
    v6: str
    """The /64 up to and with `::`."""


NETS = {
    net.name: net
    for net in (
        Net("office", "10.1.0", "fd00:1::"),
        Net("core", "10.2.0", "fd00:2::"),
        Net("prod", "10.3.0", "fd00:3::"),
        Net("test", "10.4.0", "fd00:4::"),
        Net("plant", "10.5.0", "fd00:5::"),
        Net("admin", "10.9.0", "fd00:9::"),
        Net("pods", "10.42.1", "fd00:42::"),
        Net("customers", "198.51.100", "2001:db8:51::"),
        Net("cloud", "203.0.113", "2001:db8:113::"),
        Net("upstream", "192.0.2", "2001:db8:2::"),
    )
}


@dataclass(frozen=True)
class Host:
    """One machine: a network namespace of its own."""

    name: str
    net: str
    number: int
    """Last octet of its address."""
    what: str
    """Its job, for the reader of truth.json."""
    services: tuple[str, ...] = ()
    quiet: bool = False
    """A host firewall: ports without a service drop the SYN where others refuse it."""
    dropped: tuple[str, ...] = ()
    """Services whose port drops packets although the host is not quiet."""

    @property
    def v4(self) -> str:
        return f"{NETS[self.net].v4}.{self.number}"

    @property
    def v6(self) -> str:
        return f"{NETS[self.net].v6}{self.number}"

    @property
    def has_v6(self) -> bool:
        return self.net != "pods"

    def address(self, family: int) -> str:
        return self.v4 if family == 4 else self.v6

    @property
    def mac(self) -> str:
        return f"02:00:0a:{list(NETS).index(self.net):02x}:00:{self.number:02x}"


def _pcs() -> list[Host]:
    users = "sales,sales,sales,development,marketing,purchasing,accounting,accounting,plant,board"
    served = {2: ("smb", "rpc"), 3: ("smb", "rpc"), 5: ("smb", "rpc", "rdp"), 8: ("smb",)}
    return [
        Host(f"pc-{at:02}", "office", 10 + at, f"office PC, {user}", served.get(at, ()), quiet=True)
        for at, user in enumerate(users.split(","), 1)
    ]


_DC = (
    "dns", "kerberos", "ldap", "ldaps", "smb", "rpc", "ntp", "dhcp", "rdp", "prometheus",
    "backup-agent",
)  # fmt: skip
_NODE = ("ssh", "prometheus", "backup-agent")
HOSTS = {
    host.name: host
    for host in (
        *_pcs(),
        Host("printer-1", "office", 50, "printer on the office floor", ("ipp", "http", "snmp")),
        Host("dc-1", "core", 10, "domain controller, DNS, DHCP, NTP", _DC),
        Host("file-1", "core", 20, "file server", ("smb", "rpc", "prometheus", "backup-agent")),
        Host("backup-1", "core", 30, "backup server", ("backup-store", "ssh", "prometheus")),
        Host("mon-1", "core", 40, "monitoring", ("grafana", "ssh", "prometheus")),
        Host("log-1", "core", 50, "log server", ("syslog", "ssh", "prometheus")),
        Host("web-1", "prod", 11, "web server of the portal", ("https", *_NODE)),
        Host("web-2", "prod", 12, "second web server, new since last week", ("https", *_NODE)),
        Host("app-1", "prod", 21, "application server", ("app", "smb", "winrm", "rdp", *_NODE)),
        Host("app-2", "prod", 22, "application server", ("app", "smb", "winrm", "rdp", *_NODE)),
        Host("db-1", "prod", 31, "database of the portal", ("postgres", *_NODE)),
        Host("test-web", "test", 11, "web server under test", ("test-https", "ssh", "prometheus")),
        Host("test-app", "test", 21, "application under test", ("app", "ssh", "prometheus")),
        Host("test-db", "test", 31, "test database", ("postgres", "ssh", "prometheus")),
        Host("hmi-1", "plant", 10, "operator panel of cell 1", quiet=True),
        Host(
            "historian-1",
            "plant",
            20,
            "process history of cell 1",
            ("opcua", "https", "ntp"),
            dropped=("prometheus",),
        ),
        Host("eng-1", "plant", 30, "engineering station", ("rdp",), quiet=True),
        Host("plc-1", "plant", 101, "pump controller", ("modbus", "opcua", "snmp")),
        Host("plc-2", "plant", 102, "valve controller", ("modbus", "opcua")),
        Host("jump-1", "admin", 10, "jump host of the administrators", ("ssh", "rdp")),
        Host("admin-1", "admin", 11, "administrator's laptop, Linux", quiet=True),
        Host("admin-2", "admin", 12, "administrator's laptop, Windows", quiet=True),
        Host("ingress-1", "pods", 10, "pod: ingress of the shop", ("https",)),
        Host("frontend-1", "pods", 21, "pod: shop front end", ("app",)),
        Host("frontend-2", "pods", 22, "pod: shop front end", ("app",)),
        Host("cart-1", "pods", 31, "pod: shopping cart", ("app",)),
        Host("catalog-1", "pods", 41, "pod: catalogue", ("app",)),
        Host("catalog-2", "pods", 42, "pod: catalogue", ("app",)),
        Host("redis-1", "pods", 51, "pod: cart store", ("redis", "redis-metrics")),
        Host("kube-dns-1", "pods", 53, "pod: cluster DNS", ("dns",)),
        Host("customer-1", "customers", 25, "a customer on the internet"),
        Host("saas-1", "cloud", 10, "a cloud service the office uses", ("https",)),
        Host("vps-66", "cloud", 66, "the intruder's machine", ("https",)),
        Host("upstream-1", "upstream", 53, "the provider's DNS and NTP", ("dns", "ntp")),
    )
}
GHOST = "10.3.0.99"
"""Once web-0: still a monitoring target, but nobody has the address any more."""
SCANNED = ("ssh", "http", "rpc", "https", "smb", "rdp", "postgres", "winrm")
"""What the intruder tries on every neighbour."""


def listening(host: Host) -> dict[tuple[int, int], str]:
    """(protocol, port) → wire format of everything the host answers on."""
    return {
        (protocol, port): wire
        for protocol, port, wire in (SERVICES[name] for name in host.services)
    }


def dropping(host: Host) -> list[int]:
    """TCP ports on which the host swallows packets."""
    names = set(host.dropped) | (set(SCANNED) if host.quiet else set())
    return sorted(SERVICES[name][1] for name in names - set(host.services))
