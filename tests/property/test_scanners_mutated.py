"""Whatever is done to a report, reading it raises nothing but our own error."""

from pathlib import Path

import craft_scans as craft
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import addresses

from workbench.inventory.scanners import (
    Owners,
    collect,
    dump_vulnerabilities,
    load_vulnerabilities,
    merge,
    read_report,
    values,
)
from workbench.model.errors import ScanError
from workbench.model.net import PORT_PROTOCOLS
from workbench.model.site import Inventory
from workbench.model.vulnerability import Severity, Vulnerability

REPORTS = [
    text.encode()
    for text in (
        craft.nessus_site(),
        craft.openvas(craft.openvas_result(), craft.openvas_result("fd00::1", "general/tcp", "")),
        craft.nmap(craft.nmap_host("10.0.0.1", craft.nmap_port(22, craft.VULNERS), craft.MS17)),
        craft.trivy(),
        craft.grype(),
    )
]
SPLICES = [
    b"<", b">", b"&", b'"', b"\x00", b"\xff", b"{", b"[", b"]", b"null", b"-1", b"1e99", b"\\ud800",
    b"<!DOCTYPE x [", b"<!ENTITY a 'b'>", b"&#x1b;", b"<result>", b"<host>", b"<ReportItem>",
    b"</ReportHost>", b'port="x"', b"\xe2\x80\xae",
]  # fmt: skip
Edits = list[tuple[int, int, bytes]]


@st.composite
def edits(draw: st.DrawFn) -> tuple[int, Edits]:
    """A report, and where how much of it gives way to what."""
    which = draw(st.integers(0, len(REPORTS) - 1))
    place = st.integers(0, len(REPORTS[which]) - 1)
    fresh = st.sampled_from(SPLICES) | st.binary(max_size=4)
    return which, draw(st.lists(st.tuples(place, st.integers(0, 40), fresh), max_size=4))


def apply(report: bytes, changes: Edits) -> bytes:
    for start, size, fresh in changes:
        report = report[:start] + fresh + report[start + size :]
    return report


@pytest.mark.parametrize("swap", [False, True], ids=["bytes", "words"])
@given(edits(), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_mutated_reports_raise_nothing_else(
    tmp_path: Path, swap: bool, drawn: tuple[int, Edits], data: st.DataObject
) -> None:
    which, changes = drawn
    text = REPORTS[which]
    if swap:  # well-formed all the same: one word of it for another
        words = sorted(set(text.replace(b">", b'"').replace(b"<", b'"').split(b'"')) - {b""})
        old, new = data.draw(st.sampled_from(words)), data.draw(st.sampled_from(words))
        text = text.replace(old, new, data.draw(st.sampled_from([1, -1])))
    else:
        text = apply(text, changes)
    path = tmp_path / "report"
    path.write_bytes(text)
    found: list[Vulnerability] = []
    owners = Owners(Inventory(), [5])
    try:
        read_report(path, lambda r: found.extend(collect(r, owners, str(path), "s")[0]))
    except ScanError as error:
        assert "\n" not in str(error)
    kept = dump_vulnerabilities(found)
    assert set(load_vulnerabilities(kept)) == set(found)
    for one in found:
        assert 0 <= one.score <= 10
        assert one.title.isprintable() and one.id.isprintable() and one.fix.isprintable()


lines = st.text(max_size=40).map(values.line)


@st.composite
def vulnerabilities(draw: st.DrawFn) -> Vulnerability:
    port = draw(st.none() | st.integers(1, 65535))
    return Vulnerability(
        address=draw(addresses()),
        protocol=None if port is None else draw(st.sampled_from(sorted(PORT_PROTOCOLS))),
        port=port,
        id=draw(lines.filter(bool)),
        title=draw(lines),
        score=draw(st.integers(0, 100)) / 10,
        severity=draw(st.sampled_from(Severity)),
        scanner=draw(st.sampled_from(["nessus", "nmap", "trivy"])),
        source=draw(st.sampled_from(["a", "b", "a.xml"])),
        cves=values.cves(draw(st.lists(st.from_regex(r"\ACVE-20[0-9]{2}-[0-9]{4}\Z"), max_size=3))),
        fix=draw(lines),
        seen_us=draw(st.none() | st.integers(1, 5_000_000_000_000_000)),
    )


@given(st.lists(vulnerabilities(), max_size=8))
def test_what_is_written_is_read_back(found: list[Vulnerability]) -> None:
    text = dump_vulnerabilities(found)
    again = load_vulnerabilities(text)
    assert sorted(map(repr, again)) == sorted(map(repr, found))
    assert dump_vulnerabilities(reversed(again)) == dump_vulnerabilities(again)
    assert text.count("\n") == (len(found) + 2 if found else 1)  # a line each


@given(st.lists(vulnerabilities(), max_size=8), st.lists(vulnerabilities(), max_size=4))
def test_a_source_is_replaced_and_nothing_else(
    known: list[Vulnerability], fresh: list[Vulnerability]
) -> None:
    merged = merge(known, fresh, ["a"])
    assert [one for one in merged if one not in fresh] == [
        one for one in known if one.source != "a" and one not in fresh
    ]
    assert set(merged) >= set(fresh)
    alone = merge(known, (), ["a"], ["nmap"])
    assert {one.scanner for one in alone} <= {"nessus", "trivy"}
