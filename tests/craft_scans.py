"""Reports of scanners as they would look, made up here."""

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr


def nessus_item(
    port: int = 445,
    protocol: str = "tcp",
    severity: int = 4,
    plugin: int = 97833,
    name: str = "MS17-010: Security Update for Microsoft Windows SMB Server",
    inside: str = "",
) -> str:
    """A ReportItem; `inside` are its elements."""
    return (
        f'<ReportItem port="{port}" svc_name="x" protocol="{protocol}" severity="{severity}" '
        f'pluginID="{plugin}" pluginName={quoteattr(name)} pluginFamily="General">'
        f"{inside}</ReportItem>"
    )


CVSS3 = "<cvss3_base_score>9.8</cvss3_base_score><cvss_base_score>10.0</cvss_base_score>"
CVES = "<cve>CVE-2017-0144</cve><cve>CVE-2017-0143</cve>"
FIX = "<solution>Microsoft has released a set of patches.</solution>"


def nessus_host(name: str, items: str, tags: dict[str, str] | None = None) -> str:
    told = "".join(
        f"<tag name={quoteattr(key)}>{escape(text)}</tag>" for key, text in (tags or {}).items()
    )
    return (
        f"<ReportHost name={quoteattr(name)}><HostProperties>{told}</HostProperties>"
        f"{items}</ReportHost>"
    )


def nessus(*hosts: str) -> str:
    return (
        '<?xml version="1.0" ?>\n<NessusClientData_v2>\n<Policy><policyName>Basic</policyName>'
        "<Preferences><ServerPreferences><preference><name>plugin_set</name>"
        "<value>19506;10180</value></preference></ServerPreferences></Preferences></Policy>\n"
        '<Report name="weekly" xmlns:cm="http://www.nessus.org/cm">\n'
        + "\n".join(hosts)
        + "\n</Report></NessusClientData_v2>\n"
    )


def nessus_site() -> str:
    """Three hosts: by address, by name, IPv6; CVSS 2 and 3; information; a host-level finding."""
    smb = nessus_item(inside=CVES + CVSS3 + FIX)
    old = nessus_item(
        22, severity=2, plugin=70658, name="SSH CBC ciphers",
        inside="<cvss_base_score>4.3</cvss_base_score><cve>CVE-2008-5161</cve>"
        "<solution>n/a</solution>",
    )  # fmt: skip
    info = nessus_item(0, severity=0, plugin=19506, name="Nessus Scan Information")
    local = nessus_item(0, severity=3, plugin=11, name="Missing patches", inside=FIX)
    ping = nessus_item(0, "icmp", 1, 10114, "ICMP Timestamp Request Remote Date Disclosure")
    return nessus(
        nessus_host(
            "10.2.0.20", smb + info, {"host-ip": "10.2.0.20", "HOST_END_timestamp": "1700000000"}
        ),
        nessus_host("DB-1.kestrel.example", old + local, {"HOST_END": "Thu Mar 31 14:02:09 2022"}),
        nessus_host("fd00:3::11", ping),
        nessus_host("nobody.example", smb),
    )


def openvas_result(
    host: str = "10.2.0.20",
    port: str = "445/tcp",
    severity: str = "9.8",
    inside: str = '<refs><ref type="cve" id="CVE-2017-0144"/><ref type="url" id="x"/></refs>',
    hostname: str = "",
    solution: str = '<solution type="VendorFix">Install the update.</solution>',
) -> str:
    named = f"<hostname>{hostname}</hostname>" if hostname else ""
    return (
        f'<result id="r"><name>SMB</name><owner><name>admin</name></owner>'
        f"<creation_time>2025-08-22T16:55:31+02:00</creation_time>"
        f'<host>{host}<asset asset_id="a"/>{named}</host><port>{port}</port>'
        f'<nvt oid="1.3.6.1.4.1.25623.1.0.810676"><type>nvt</type><name>SMB server</name>'
        f"<cvss_base>9.3</cvss_base>{solution}{inside}</nvt>"
        f"<threat>High</threat><severity>{severity}</severity><qod><value>95</value></qod>"
        f"<description>It is there.\nSee above.</description></result>"
    )


def openvas(*results: str) -> str:
    return (
        '<report id="a" format_id="b" extension="xml" content_type="text/xml"><name>weekly</name>'
        '<task id="t"><name>weekly</name></task><report id="a"><gmp><version>22.6</version></gmp>'
        '<ports max="-1" start="1"><count>1</count><port>445/tcp<host>10.2.0.20</host>'
        '<severity>9.8</severity></port></ports><results max="-1" start="1">'
        + "".join(results)
        + "</results><scan_end/></report></report>"
    )


VULNERS = (
    '<script id="vulners" output="&#xa;  cpe:/a:openbsd:openssh:7.4: &#xa;">'
    '<table key="cpe:/a:openbsd:openssh:7.4">'
    '<table><elem key="id">CVE-2018-15473</elem><elem key="cvss">5.3</elem>'
    '<elem key="type">cve</elem><elem key="is_exploit">false</elem></table>'
    '<table><elem key="id">EDB-ID:45233</elem><elem key="cvss">5.0</elem></table>'
    "</table></script>"
)
MS17 = (
    '<script id="smb-vuln-ms17-010" output="&#xa;  VULNERABLE:&#xa;  Remote Code Execution '
    "vulnerability in Microsoft SMBv1 servers (ms17-010)&#xa;    State: VULNERABLE&#xa;    IDs:  "
    'CVE:CVE-2017-0143&#xa;    Risk factor: HIGH&#xa;"/>'
)
SAFE = '<script id="smb-vuln-ms10-061" output="&#xa;  State: NOT VULNERABLE&#xa;"/>'


def nmap_port(port: int, inside: str = "", state: str = "open", protocol: str = "tcp") -> str:
    return (
        f'<port protocol="{protocol}" portid="{port}"><state state="{state}" reason="syn-ack" '
        f'reason_ttl="64"/><service name="ssh" product="OpenSSH" version="7.4" method="probed" '
        f'conf="10"><cpe>cpe:/a:openbsd:openssh:7.4</cpe></service>{inside}</port>'
    )


def nmap_host(address: str, ports: str, hostscript: str = "", name: str = "") -> str:
    kind = "ipv6" if ":" in address else "ipv4"
    names = f'<hostname name="{name}" type="PTR"/>' if name else ""
    scripts = f"<hostscript>{hostscript}</hostscript>" if hostscript else ""
    return (
        f'<host starttime="1700000000" endtime="1700000100"><status state="up" reason="arp" '
        f'reason_ttl="0"/><address addr="{address}" addrtype="{kind}"/>'
        f'<address addr="02:00:00:00:00:01" addrtype="mac"/><hostnames>{names}</hostnames>'
        f'<ports><extraports state="closed" count="9"/>{ports}</ports>{scripts}</host>'
    )


def nmap(*hosts: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
        '<?xml-stylesheet href="file:///usr/bin/../share/nmap/nmap.xsl" type="text/xsl"?>\n'
        '<nmaprun scanner="nmap" args="nmap -sV -oX -" start="1699999999" version="7.94" '
        'xmloutputversion="1.05"><scaninfo type="syn" protocol="tcp" numservices="1000" '
        'services="1-1000"/><verbose level="0"/>' + "".join(hosts) + "<runstats>"
        '<finished time="1700000200" exit="success"/></runstats></nmaprun>\n'
    )


def trivy(name: str = "registry.example/shop/cart:1.4", **more: Any) -> str:
    found = {
        "VulnerabilityID": "CVE-2022-0778",
        "PkgName": "libssl1.1",
        "InstalledVersion": "1.1.1k-r0",
        "FixedVersion": "1.1.1n-r0",
        "Title": "openssl: Infinite loop in BN_mod_sqrt()",
        "Severity": "HIGH",
        "SeveritySource": "nvd",
        "CVSS": {"nvd": {"V2Score": 5, "V3Score": 7.5}, "redhat": {"V3Score": 7.1}},
    }
    unknown = {"VulnerabilityID": "TEMP-1", "PkgName": "x", "Severity": "UNKNOWN"}
    results = [
        {
            "Target": f"{name} (alpine 3.15.0)",
            "Class": "os-pkgs",
            "Type": "alpine",
            "Vulnerabilities": [found, unknown],
        },
        {"Target": "app", "Class": "lang-pkgs"},
    ]
    report = {
        "SchemaVersion": 2,
        "CreatedAt": "2025-03-01T10:00:00.123456789Z",
        "ArtifactName": name,
        "ArtifactType": "container_image",
        "Results": results,
    }
    return json.dumps(report | more)


def grype(target: Any = None) -> str:
    match = {
        "vulnerability": {
            "id": "GHSA-jfh8-c2jp-5v3q",
            "severity": "Critical",
            "description": "Log4Shell:\nremote code injection",
            "cvss": [
                {"version": "2.0", "metrics": {"baseScore": 9.3}},
                {"version": "3.1", "metrics": {"baseScore": 10}},
            ],
            "fix": {"versions": ["2.15.0"], "state": "fixed"},
        },
        "relatedVulnerabilities": [{"id": "CVE-2021-44228"}],
        "matchDetails": [],
        "artifact": {"name": "log4j-core", "version": "2.14.1", "type": "java-archive"},
    }
    source = {"type": "image", "target": {"userInput": "shop/catalog:2", "tags": []}}
    if target is not None:
        source = {"type": "directory", "target": target}
    descriptor = {"name": "grype", "version": "0.74", "timestamp": "2025-03-01T10:00:00+01:00"}
    return json.dumps({"matches": [match], "source": source, "descriptor": descriptor})
