"""Each format as its scanner writes it: what is kept, and for which host and port."""

import json
from pathlib import Path

import craft_scans as craft
import pytest

from workbench.inventory import load_inventory
from workbench.inventory.scanners import Owners, collect, read_report
from workbench.model.errors import ScanError
from workbench.model.net import TCP, UDP, parse_address
from workbench.model.site import Host, Inventory, Pod
from workbench.model.vulnerability import ImportReport, Severity, Vulnerability, severity_of

INVENTORY = load_inventory(
    (Path(__file__).parents[2] / "demo_data" / "inventory.yaml").read_text(encoding="utf-8")
)
FILE_1, DB_1 = parse_address("10.2.0.20"), parse_address("10.3.0.31")


def read(
    tmp_path: Path,
    text: str | bytes,
    inventory: Inventory = INVENTORY,
    given: tuple[int, ...] = (),
    least: Severity = Severity.INFO,
) -> tuple[tuple[Vulnerability, ...], ImportReport]:
    path = tmp_path / "report"  # no suffix: content alone tells
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    results = []
    read_report(
        path, lambda r: results.append(collect(r, Owners(inventory, given), "r", "r", least))
    )
    return results[0]


def test_nessus(tmp_path: Path) -> None:
    found, report = read(tmp_path, craft.nessus_site())
    by_id = {one.id: one for one in found}
    smb = by_id["97833"]
    assert (smb.address, smb.protocol, smb.port) == (FILE_1, TCP, 445)
    assert (smb.score, smb.severity) == (9.8, Severity.CRITICAL)  # CVSS 3 before CVSS 2
    assert smb.cves == ("CVE-2017-0143", "CVE-2017-0144")
    assert smb.fix == "Microsoft has released a set of patches."
    assert smb.seen_us == 1_700_000_000_000_000
    ciphers = by_id["70658"]  # the host is known by the first part of its name
    assert (ciphers.address, ciphers.service, ciphers.score) == (DB_1, "tcp/22", 4.3)
    assert ciphers.fix == ""  # n/a
    assert ciphers.seen_us == 1_648_735_329_000_000
    local = by_id["11"]  # high without a score
    assert (local.port, local.protocol, local.score) == (None, None, 8.0)
    assert by_id["10114"].address == parse_address("fd00:3::11")
    assert (by_id["10114"].port, by_id["10114"].severity) == (None, Severity.LOW)
    assert (by_id["19506"].score, by_id["19506"].severity) == (0.0, Severity.INFO)
    assert (report.scanner, report.findings, report.hosts) == ("nessus", 5, 3)
    assert report.unknown == (("nobody.example", 1),)


def test_nessus_takes_host_ip_before_the_name(tmp_path: Path) -> None:
    host = craft.nessus_host("pc-01", craft.nessus_item(), {"host-ip": "10.1.0.99"})
    [one], _ = read(tmp_path, craft.nessus(host))
    assert one.address == parse_address("10.1.0.99")


def test_a_finding_given_twice_counts_once_the_worst(tmp_path: Path) -> None:
    items = [craft.nessus_item(severity=severity) for severity in (2, 4, 3)]
    [one], report = read(tmp_path, craft.nessus(craft.nessus_host("10.0.0.1", "".join(items))))
    assert (one.severity, report.findings) == (Severity.CRITICAL, 1)


def test_openvas(tmp_path: Path) -> None:
    results = [
        craft.openvas_result(),
        craft.openvas_result("web-1", "general/tcp", "5.0", hostname="ignored"),
        craft.openvas_result("fd00:3::11", "53/udp", "0.0", inside="<cve>CVE-2020-1350</cve>"),
        craft.openvas_result(port="80/tcp", severity="-1.0"),
        craft.openvas_result("10.2.0.20", "https (443/tcp)", "6.5", solution=""),
        craft.openvas_result(
            port="22/tcp", solution='<solution type="WillNotFix">No.</solution>', severity=""
        ),
    ]
    found, report = read(tmp_path, craft.openvas(*results))
    assert report.scanner == "openvas"
    told = {(one.address, one.service): one for one in found}
    smb = told[FILE_1, "tcp/445"]
    assert (smb.score, smb.severity, smb.fix) == (9.8, Severity.CRITICAL, "Install the update.")
    assert (smb.cves, smb.title) == (("CVE-2017-0144",), "SMB server")
    assert smb.seen_us == 1_755_874_531_000_000
    assert told[parse_address("10.3.0.11"), ""].severity is Severity.MEDIUM
    info = told[parse_address("fd00:3::11"), "udp/53"]
    assert (info.severity, info.protocol, info.cves) == (Severity.INFO, UDP, ("CVE-2020-1350",))
    assert (told[FILE_1, "tcp/443"].score, told[FILE_1, "tcp/443"].fix) == (6.5, "")
    assert (told[FILE_1, "tcp/22"].score, told[FILE_1, "tcp/22"].fix) == (9.3, "")  # cvss_base
    assert (FILE_1, "tcp/80") not in told  # a false positive


def test_nmap(tmp_path: Path) -> None:
    ports = craft.nmap_port(22, craft.VULNERS) + craft.nmap_port(445, craft.SAFE)
    closed = craft.nmap_port(80, state="closed") + craft.nmap_port(
        161, state="open|filtered", protocol="udp"
    )
    hosts = (
        craft.nmap_host("10.2.0.20", ports + closed, craft.MS17),
        craft.nmap_host("fd00:3::11", craft.nmap_port(53, protocol="udp"), craft.MS17),
        craft.nmap_host("10.9.9.9", ports).replace('state="up"', 'state="down"'),
    )
    found, report = read(tmp_path, craft.nmap(*hosts))
    assert (report.scanner, report.hosts) == ("nmap", 2)
    told = {(one.address, one.service, one.id): one for one in found}
    service = told[FILE_1, "tcp/22", "open service"]
    assert (service.title, service.severity) == ("open: ssh OpenSSH 7.4", Severity.INFO)
    assert service.seen_us == 1_700_000_100_000_000
    scripted = told[FILE_1, "tcp/22", "CVE-2018-15473"]
    assert (scripted.score, scripted.cves) == (5.3, ("CVE-2018-15473",))
    smb = told[FILE_1, "tcp/445", "smb-vuln-ms17-010"]  # a host script, about a port
    assert (smb.severity, smb.cves) == (Severity.HIGH, ("CVE-2017-0143",))
    assert "Remote Code Execution" in smb.title
    six = parse_address("fd00:3::11")
    assert told[six, "", "smb-vuln-ms17-010"].port is None  # 445 is not open there
    assert {one.id for one in found} == {"open service", "CVE-2018-15473", "smb-vuln-ms17-010"}
    assert len(found) == 6


def test_trivy_of_an_image_belongs_to_whom_the_user_says(tmp_path: Path) -> None:
    found, report = read(tmp_path, craft.trivy(), given=(FILE_1, DB_1))
    assert (report.scanner, report.findings, report.hosts) == ("trivy", 4, 2)
    ssl, unknown = (one for one in found if one.address == DB_1)
    assert (ssl.id, ssl.score, ssl.service) == ("CVE-2022-0778 libssl1.1", 7.5, "")
    assert ssl.title == "libssl1.1 1.1.1k-r0: openssl: Infinite loop in BN_mod_sqrt()"
    assert (ssl.fix, ssl.cves) == ("libssl1.1 1.1.1n-r0", ("CVE-2022-0778",))
    assert (unknown.severity, unknown.score) == (Severity.INFO, 0.0)


@pytest.mark.parametrize(
    "label",
    [
        "registry.example/shop/cart:1.4",
        "registry.example/shop/cart",
        "shop/cart:1.4",
        "shop/cart",
    ],
)
def test_an_image_is_found_by_the_label_of_its_hosts(tmp_path: Path, label: str) -> None:
    hosts = [
        Host("cart-1", (1 << 100,), (("image", label),)),
        Host("cart-2", (2 << 100,), (), Pod("shop", "cart-2", (("example.org/image", label),))),
        Host("web-1", (3 << 100,), (("image", "shop/web"),)),
    ]
    digest = craft.trivy("registry.example/shop/cart:1.4@sha256:00ff")
    found, _ = read(tmp_path, digest, Inventory(tuple(hosts)))
    assert {one.address for one in found} == {1 << 100, 2 << 100}


def test_trivy_of_a_cluster_finds_pods_by_their_workload(tmp_path: Path) -> None:
    results = json.loads(craft.trivy())["Results"]
    resource = {"Namespace": "shop", "Kind": "Deployment", "Name": "cart", "Results": results}
    other = resource | {"Name": "nobody"}
    report = json.dumps({"ClusterName": "c", "Resources": [resource, other]})
    hosts = [
        Host("cart-1", (1,), (), Pod("shop", "cart-7d9f-x2")),
        Host("cart-2", (2,), (), Pod("other", "cart-7d9f-x2")),
        Host("carton", (3,), (), Pod("shop", "carton-1")),
    ]
    found, told = read(tmp_path, report, Inventory(tuple(hosts)))
    assert {one.address for one in found} == {1}
    assert told.unknown == (("shop/nobody", 2),)


def test_trivy_before_its_schema_had_a_number(tmp_path: Path) -> None:
    results = json.loads(craft.trivy())["Results"]
    hosts = (Host("cart-1", (7,), (("image", "shop/cart:1.4"),)),)
    found, report = read(tmp_path, json.dumps(results[:1]), Inventory(hosts))
    assert (report.scanner, {one.address for one in found}) == ("trivy", {7})


def test_trivy_of_a_machine_is_found_by_its_name(tmp_path: Path) -> None:
    report = craft.trivy("db-1", ArtifactType="filesystem")
    found, _ = read(tmp_path, report)
    assert {one.address for one in found} == {DB_1}


def test_grype(tmp_path: Path) -> None:
    hosts = (Host("catalog", (7,), (("image", "shop/catalog"),)),)
    [one], report = read(tmp_path, craft.grype(), Inventory(hosts))
    assert (report.scanner, one.address, one.service) == ("grype", 7, "")
    assert (one.score, one.severity) == (10.0, Severity.CRITICAL)  # the newest CVSS
    assert one.cves == ("CVE-2021-44228",)
    assert (one.id, one.fix) == ("GHSA-jfh8-c2jp-5v3q log4j-core", "log4j-core 2.15.0")
    assert one.title == "log4j-core 2.14.1: Log4Shell: remote code injection"
    for target in ("/srv/app", {}, ""):
        found, _ = read(tmp_path, craft.grype(target), given=(9,))
        assert {one.address for one in found} == {9}


def test_hosts_given_for_images_get_nothing_else(tmp_path: Path) -> None:
    _, report = read(tmp_path, craft.nessus_site(), given=(9,))
    assert report.unknown == (("nobody.example", 1),)


def test_a_scanner_that_looked_at_itself_is_found_by_its_name(tmp_path: Path) -> None:
    host = craft.nessus_host("db-1", craft.nessus_item(), {"host-ip": "127.0.0.1"})
    [one], _ = read(tmp_path, craft.nessus(host))
    assert one.address == DB_1


def test_less_severe_findings_are_left_out_and_counted(tmp_path: Path) -> None:
    found, report = read(tmp_path, craft.nessus_site(), least=Severity.HIGH)
    assert {one.severity for one in found} == {Severity.HIGH, Severity.CRITICAL}
    assert ("less than high", 3) in report.left_out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = craft.nessus_site().replace('<?xml version="1.0" ?>\n', "")
    found, _ = read(tmp_path, text.encode(encoding))
    assert len(found) == 5


def test_an_empty_scan_is_a_scan(tmp_path: Path) -> None:
    found, report = read(tmp_path, craft.nessus())
    assert (found, report.findings, report.hosts) == ((), 0, 0)


@pytest.mark.parametrize(
    ("score", "word"),
    [(0.0, "info"), (0.1, "low"), (3.9, "low"), (4.0, "medium"), (7.0, "high"), (9.0, "critical")],
)
def test_words_for_scores(score: float, word: str) -> None:
    assert severity_of(score).text == word
    assert severity_of(Severity[word.upper()].typical).text == word


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (craft.nessus(craft.nessus_item()), "<ReportItem> outside of a <ReportHost>"),
        (
            craft.nessus(craft.nessus_host("10.0.0.1", craft.nessus_item(70000))),
            "ReportItem.port: '70000' is not a port",
        ),
        (
            craft.nessus(craft.nessus_host("10.0.0.1", craft.nessus_item(severity=7))),
            "ReportItem.severity: '7' is not a severity from 0 to 4",
        ),
        (
            craft.openvas("<result><host>10.0.0.1</host></result>"),
            "result: needs <host> and <nvt oid>",
        ),
        (craft.nmap(craft.nmap_host("10.0.0.1", craft.nmap_port(99999))), "port.portid: '99999'"),
    ],
)
def test_what_breaks_a_format_is_told_with_line_and_place(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(ScanError) as raised:
        read(tmp_path, text)
    assert told in str(raised.value)
    assert raised.value.line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Results": {}}, "Results: expected a list"),
        ({"Results": [3]}, "Results[0]: expected an object"),
        ({"Results": [{"Vulnerabilities": [{}]}]}, "VulnerabilityID: needs an id"),
        ({"Results": [{"Vulnerabilities": [{"PkgName": 3}]}]}, "PkgName: expected text"),
        ({"ArtifactName": []}, "ArtifactName: expected text"),
    ],
)
def test_what_breaks_json_is_told_with_its_path(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    with pytest.raises(ScanError, match=r"expected|needs") as raised:
        read(tmp_path, craft.trivy(**change))
    assert told in str(raised.value)
