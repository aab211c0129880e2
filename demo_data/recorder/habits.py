"""What people and machines of the site do: small functions that make calls."""

from recorder import formats as f
from recorder import opcua, smb
from recorder import streams as s
from recorder.calls import Call
from recorder.hosts import DOMAIN, HOSTS, NETS


def lookup(client: str, name: str, server: str = "dc-1", family: int = 4, kind: int = f.A) -> Call:
    return Call(client, server, "dns", family, (f.dns_query(name, kind),))


def https(
    client: str, server: str, name: str, sent: int, received: int,
    family: int = 4, service: str = "https",
) -> Call:  # fmt: skip
    messages = (s.tls_hello(name), s.tls_data(80, 0), s.tls_data(sent, received))
    return Call(client, server, service, family, messages)


def upload(client: str, server: str, name: str, size: int) -> Call:
    """HTTPS with most bytes going to the server."""
    pieces = tuple(s.tls_data(min(14_000, size - at), 40) for at in range(0, size, 14_000))
    return Call(client, server, "https", 4, (s.tls_hello(name), s.tls_data(80, 0), *pieces))


def http(client: str, server: str, path: str, family: int = 4, service: str = "app") -> Call:
    return Call(client, server, service, family, (s.http_get(server, path),))


def scrape(client: str, server: str, family: int = 4, service: str = "prometheus") -> Call:
    return http(client, server, "/metrics", family, service)


def sql(client: str, server: str, rows: int, family: int = 4) -> Call:
    messages = (s.pg_startup("portal", "orders"), s.pg_query(rows), s.PG_GOODBYE)
    return Call(client, server, "postgres", family, messages)


def share(client: str, server: str, read: int = 0, written: int = 0, family: int = 4) -> Call:
    """One SMB session that reads, then writes so many bytes."""
    folder = {"dc-1": "SYSVOL", "file-1": "projects"}.get(server, "C$")
    messages = list(smb.opening(server, folder, "plan.xlsx"))
    for build, size in ((smb.read, read), (smb.write, written)):
        for at in range(0, size, 60_000):
            messages.append(build(len(messages), min(60_000, size - at), at))
    return Call(client, server, "smb", family, tuple(messages))


def ssh(client: str, server: str, *sizes: tuple[int, int], family: int = 4) -> Call:
    """A terminal session: (bytes sent, bytes received) pairs after the key exchange."""
    opening = s.ssh_opening(f"{client}{server}{len(sizes)}".encode())
    data = tuple(s.ssh_data(sent, received) for sent, received in sizes)
    return Call(client, server, "ssh", family, (*opening, *data))


def rdp(client: str, server: str, screens: int) -> Call:
    pictures = tuple(s.tls_data(120 + at, 9_000) for at in range(screens))
    messages = (s.RDP_CONNECT, s.tls_hello(server), s.tls_data(80, 0), *pictures)
    return Call(client, server, "rdp", 4, messages)


def winrm(client: str, server: str, *commands: str) -> Call:
    posts = tuple(
        s.http_post(server, "/wsman", "application/soap+xml", s.soap(command))
        for command in commands
    )
    return Call(client, server, "winrm", 4, posts)


def print_job(client: str, size: int) -> Call:
    page = s.http_post("printer-1", "/ipp/print", "application/ipp", f.ipp_print(client, size))
    return Call(client, "printer-1", "ipp", 4, (page,))


def ping(client: str, server: str, family: int = 4, outcome: str = "established") -> Call:
    return Call(client, server, "ping", family, outcome=outcome)


def ntp(client: str, server: str, at: float, family: int = 4) -> Call:
    seconds = 1_789_430_400 + int(at)  # 2026-09-15
    return Call(client, server, "ntp", family, (f.ntp_request(seconds),))


def snmp(client: str, server: str, number: int, outcome: str = "established") -> Call:
    return Call(client, server, "snmp", 4, (f.snmp_get(number),), outcome)


def syslog(client: str, at: float, text: str, family: int = 4) -> Call:
    return Call(client, "log-1", "syslog", family, (f.syslog_line(client, at, text),), "one-way")


def log_on(pc: str, family: int, at: float) -> tuple[Call, ...]:
    """What a PC and its user do in the first seconds of a day."""
    host = HOSTS[pc]
    renew = (f.dhcp_request(host.mac, host.v4),)
    return (
        Call(pc, "dc-1", "dhcp", 4, renew, ports=(68, 67)),
        *greet(pc),
        lookup(pc, f"_ldap._tcp.dc._msdcs.{DOMAIN}", kind=f.SRV),
        lookup(pc, f"dc-1.{DOMAIN}", kind=f.AAAA, family=family),
        ntp(pc, "dc-1", at),
        Call(pc, "dc-1", "kerberos", family, (f.kerberos_request(pc),)),
        Call(pc, "dc-1", "ldap", family, (f.ldap_bind(pc), f.ldap_search(pc))),
        Call(pc, "dc-1", "rpc", 4, (s.RPC_BIND,)),
        share(pc, "dc-1", read=2_500),
    )


def greet(pc: str) -> tuple[Call, ...]:
    """Noise: mDNS in both families, NetBIOS names, a DHCP INFORM to everybody."""
    host = HOSTS[pc]
    printers = (f.mdns_query("_ipp._tcp.local"),)
    names = (f.nbns_query("KESTREL"),)
    inform = (f.dhcp_request(host.mac, host.v4, kind=8),)

    def shout(target: str, messages: tuple[bytes, ...], source: int, port: int) -> Call:
        family = 6 if ":" in target else 4
        return Call(pc, target, "multicast", family, messages, "one-way", ports=(source, port))

    return (
        shout("224.0.0.251", printers, 5353, 5353),
        shout("ff02::fb", printers, 5353, 5353),
        shout(f"{NETS[host.net].v4}.255", names, 137, 137),
        shout("255.255.255.255", inform, 68, 67),
    )


def portal(pc: str, web: str, app: str, rows: int, family: int = 4) -> tuple[Call, ...]:
    """A page of the portal: the browser, and the chain of tiers behind it."""
    behind = 6 if app == "app-2" else 4
    return (
        lookup(pc, f"portal.{DOMAIN}", family=family),
        https(pc, web, f"portal.{DOMAIN}", 420, 1_500 + 60 * rows, family),
        *tiers(web, app, "db-1", rows, behind),
    )


def tiers(web: str, app: str, database: str, rows: int, family: int = 4) -> tuple[Call, ...]:
    return (
        http(web, app, f"/orders?limit={rows}", family),
        sql(app, database, rows, family),
    )


def shop(number: int) -> tuple[Call, ...]:
    """A customer looks at the shop; only the ingress pod is reached from outside."""
    front, catalog = f"frontend-{1 + number % 2}", f"catalog-{1 + number // 2 % 2}"
    names = "{}.shop.svc.cluster.local".format
    calls = [
        https("customer-1", "ingress-1", "shop.kestrel.example", 380, 3_000),
        lookup("ingress-1", names("frontend"), "kube-dns-1"),
        http("ingress-1", front, "/"),
        lookup(front, names("catalog"), "kube-dns-1"),
        http(front, catalog, f"/items?limit={20 + number % 30}"),
    ]
    if number % 3 == 0:
        calls += [
            lookup(front, names("cart"), "kube-dns-1"),
            http(front, "cart-1", "/cart/7"),
            lookup("cart-1", names("redis"), "kube-dns-1"),
            Call(
                "cart-1",
                "redis-1",
                "redis",
                4,
                (s.redis("PING"), s.redis("GET", "cart:7"), s.redis("SET", "cart:7", "3")),
            ),
        ]
    if number % 5 == 0:
        calls += [
            lookup("kube-dns-1", f"app-1.{DOMAIN}"),
            http(catalog, "app-1", "/stock?limit=25"),
        ]
    return tuple(calls)


def backup(host: str, size: int) -> tuple[Call, ...]:
    """The director asks the agent, the agent fills the store."""
    data = f.filler(host.encode(), size)
    pieces = tuple(s.backup(b"\1" + data[at : at + 30_000]) for at in range(0, size, 30_000))
    job = (s.backup(b"Hello Director"), s.backup(b"End"))
    store = (s.backup(b"Hello Store"), *pieces, s.backup(b"End"))
    return (
        Call("backup-1", host, "backup-agent", 4, job),
        Call(host, "backup-1", "backup-store", 4, store),
    )


def poll(plc: str, number: int, count: int = 20) -> Call:
    """Modbus on a connection that stays open all day."""
    outcome = "mid-stream" if plc == "plc-2" else "established"  # see BEFORE in story.py
    return Call("hmi-1", plc, "modbus", 4, (s.modbus_read(number, count),), outcome, session=plc)


def setpoints(number: int) -> Call:
    return Call(
        "eng-1",
        "plc-1",
        "modbus",
        4,
        (s.modbus_write(number, 40, 41, 38), s.modbus_read(number + 1, 3)),
    )


def collect(plc: str, number: int, family: int = 4) -> Call:
    return Call("historian-1", plc, "opcua", family, (*opcua.opening(), opcua.read(number, 12)))


def trends(client: str, number: int) -> Call:
    return Call(client, "historian-1", "opcua", 4, (*opcua.opening(), opcua.read(number, 30)))
