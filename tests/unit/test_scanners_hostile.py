"""Reports made to hurt: one clear line each, in bounded memory."""

import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import craft_scans as craft
import pytest

from workbench.inventory.scanners import (
    Owners,
    Report,
    collect,
    collecting,
    dump_vulnerabilities,
    hardened,
    load_vulnerabilities,
    read_report,
    report,
)
from workbench.model.errors import ScanError
from workbench.model.site import Inventory
from workbench.model.vulnerability import Vulnerability

HOST = craft.nessus_host("10.0.0.1", craft.nessus_item())
NESSUS = craft.nessus(HOST)


def read(tmp_path: Path, text: str | bytes) -> tuple[Vulnerability, ...]:
    path = tmp_path / "report.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_path(path)


def read_path(path: Path) -> tuple[Vulnerability, ...]:
    found: list[Vulnerability] = []
    read_report(path, lambda r: found.extend(collect(r, Owners(Inventory()), str(path), "r")[0]))
    return tuple(found)


def error(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ScanError) as raised:
        read(tmp_path, text)
    told = str(raised.value)
    assert told.startswith(f"{tmp_path / 'report.xml'}:")
    assert "\n" not in told and len(told) < 400 + len(str(tmp_path))
    return told.removeprefix(str(tmp_path))


def with_doctype(doctype: str) -> str:
    return NESSUS.replace("<NessusClientData_v2>", doctype + "<NessusClientData_v2>")


LAUGHS = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10 if at else "lol"}">' for at in range(10))


@pytest.mark.parametrize(
    ("doctype", "told"),
    [
        (f"<!DOCTYPE x [{LAUGHS}]>", "a document type of its own"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "a document type of its own"),
        ('<!DOCTYPE x [<!ENTITY % e SYSTEM "http://x.example/">%e;]>', "document type of its own"),
        (f'<!DOCTYPE x [<!ATTLIST y z CDATA "{"a" * 9999}">]>', "a document type of its own"),
    ],
)
def test_entities_and_document_types_are_refused(tmp_path: Path, doctype: str, told: str) -> None:
    assert told in error(tmp_path, with_doctype(doctype).replace("plugin_set", "&e;&l9;"))


def test_entities_are_refused_by_the_parser_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without our own look at the document type, defusedxml stands in the way."""
    monkeypatch.setattr(hardened._Collector, "_doctype", lambda *_: None)
    for inside in (LAUGHS, '<!ENTITY e SYSTEM "file:///etc/passwd">', '<!ENTITY % e "x">'):
        assert "declares entities" in error(tmp_path, with_doctype(f"<!DOCTYPE x [{inside}]>"))


def test_a_document_type_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    """Nmap writes the first, and its manual advises the second."""
    outside = tmp_path / "nmap.dtd"
    os.mkfifo(outside)  # whoever opens it waits for ever
    for doctype in ("<!DOCTYPE x>", f'<!DOCTYPE x SYSTEM "{outside}">'):
        assert len(read(tmp_path, with_doctype(doctype))) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty; reports of Nessus"),
        ("\x00\x01\x02", "neither XML nor JSON"),
        ("plugin,host\n", "neither XML nor JSON"),
        ("<html><body/></html>", "begins with <html>"),
        ("<NessusClientData/>", "begins with <NessusClientData>"),
        ("<\x1b[31m/>", "not well-formed"),
        ('<NessusClientData_v2>&undefined;', "undefined entity"),
        (NESSUS[: len(NESSUS) // 2], "not well-formed"),
        (NESSUS + NESSUS, "not well-formed"),
        (NESSUS.replace('<?xml version="1.0" ?>', '<?xml version="1.0" encoding="no-such"?>'), ""),
        (NESSUS.replace('<?xml version="1.0" ?>', '<?xml version="1.0" encoding="utf-7"?>'), ""),
        (NESSUS.encode().replace(b"weekly", b"\xff\xfe"), "not well-formed"),
        ("<a>" * 9, "begins with <a>"),
        ("<report>" + "<a>" * 100, "nested more than 64 levels"),
        ("{", "not JSON"),
        ('{"a": 1}', "JSON of an unknown kind"),
        ("[1]", "JSON of an unknown kind"),
        ("[]", "JSON of an unknown kind"),
        ('{"matches": [' + "[" * 100_000, "nested too deep"),
        ('{"matches": ' + "9" * 10_000 + "}", "number too long"),
        (b'{"matches": "\xff"}', "wrong encoding"),
        ('{"matches": 5}', "matches: expected a list"),
        ('{"matches": [{"vulnerability": {"id": {}}}]}', "vulnerability.id: expected text"),
        ('{"matches": [{"vulnerability": {"cvss": [{"metrics": 5}]}}]}', "expected an object"),
    ],
    ids=lambda value: str(value[:20]),
)  # fmt: skip
def test_every_broken_file_is_told_in_one_line(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    assert told in error(tmp_path, text)


def test_files_that_are_none_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, told in [
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "absent", "No such file"),
    ]:
        with pytest.raises(ScanError, match=told):
            read_path(path)


def test_names_and_texts_are_safe_to_show(tmp_path: Path) -> None:
    item = craft.nessus_item(name="a\u202eb\x85c‮", inside="<solution>x\n\ty&#x9b;2J</solution>")
    [one] = read(tmp_path, craft.nessus(craft.nessus_host("10.0.0.1", item)))
    assert (one.title, one.fix) == ("a·b c·", "x y·2J")
    hostile = craft.grype().replace("log4j-core", "\\u001b[31m\\ud800")
    target = hostile.replace('"shop/catalog:2"', '"10.0.0.1"').replace('"image"', '"file"')
    path = tmp_path / "g.json"
    path.write_text(target)
    [one] = read_json(path)
    assert one.id.isprintable() and one.title.isprintable() and one.fix.isprintable()
    assert load_vulnerabilities(dump_vulnerabilities([one])) == (one,)


def read_json(path: Path) -> tuple[Vulnerability, ...]:
    found: list[Vulnerability] = []
    owners = Owners(Inventory(), [1])
    read_report(path, lambda r: found.extend(collect(r, owners, str(path), "g")[0]))
    return tuple(found)


@pytest.mark.parametrize(
    ("score", "kept"), [("NaN", 9.5), ("Infinity", 9.5), ("-3", 9.5), ("true", 9.5), ("1e999", 9.5)]
)
def test_scores_that_are_none_give_way_to_the_word(tmp_path: Path, score: str, kept: float) -> None:
    path = tmp_path / "g.json"
    path.write_text(craft.grype().replace("9.3", score).replace("10}", score + "}"))
    assert [one.score for one in read_json(path)] == [kept]


def test_a_tag_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    endless = "<NessusClientData_v2><Report name='" + "a" * (hardened.MAX_TOKEN + 200_000)
    assert "a tag longer than 4 MB" in error(tmp_path, endless)


def test_a_record_of_too_many_elements_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardened, "MAX_NODES", 1000)
    item = craft.nessus_item(inside="<cve/>" * 1001)
    told = error(tmp_path, craft.nessus(craft.nessus_host("10.0.0.1", item)))
    assert "more than 1000 elements in one <ReportItem>" in told


def test_too_large_and_too_many_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = "".join(craft.nessus_item(plugin=at) for at in range(9))
    many = craft.nessus(craft.nessus_host("10.0.0.1", items))
    with monkeypatch.context() as patch:
        patch.setattr(report, "MAX_FINDINGS", 8)
        assert "more than 8 findings" in error(tmp_path, many)
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "MAX_KEPT", 8)
        assert "more than 8 findings; leave some out" in error(tmp_path, many)
    with monkeypatch.context() as patch:
        patch.setattr(hardened, "MAX_BYTES", 1000)
        assert "larger than" in error(tmp_path, many)
    with monkeypatch.context() as patch:
        patch.setattr(report, "MAX_JSON", 10)
        assert "of JSON" in error(tmp_path, craft.grype())


def streamed(path: Path, pieces: Iterator[str]) -> None:
    with path.open("w") as file:
        file.writelines(pieces)


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_long_report_is_not_held(tmp_path: Path) -> None:
    """Twelve megabytes, of which nothing is kept at the end; in a fifth of that at any time."""
    output = f"<plugin_output>{'x' * 5000}</plugin_output>"
    one = craft.nessus_host("10.0.0.1", craft.nessus_item(inside=output) * 10)
    path = tmp_path / "long.nessus"
    begin, end = craft.nessus("\x00").split("\x00")
    blob = begin.replace("19506;10180", "1;" * 500_000)  # as real files have it
    streamed(path, iter([blob, *[one] * 220, end]))
    assert path.stat().st_size > 12_000_000
    seen = 0

    def count(scanned: Report) -> None:
        nonlocal seen
        for _ in scanned.findings:
            seen += 1

    assert peak(lambda: read_report(path, count)) < 2_500_000
    assert seen == 2200


def test_whoever_watches_can_stop_it(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text(NESSUS)

    class Stopped(Exception):
        pass

    def tick(done: int) -> None:
        assert done > 0
        raise Stopped

    with pytest.raises(Stopped):
        read_report(path, lambda scanned: list(scanned.findings), tick)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1|:1: not JSON"),
        ("[]", 'needs `"workbench": 1`'),
        ('{"workbench": 2, "vulnerabilities": []}', 'needs `"workbench": 1`'),
        ('{"workbench": 1}', "vulnerabilities: expected a list"),
        ('{"workbench": 1, "vulnerabilities": [3]}', r"vulnerabilities\[0\]: expected an object"),
        ("[" * 100_000, "not JSON that can be read"),
    ],
    ids=lambda value: value[:20],
)
def test_the_file_that_is_kept_is_checked(text: str, told: str) -> None:
    with pytest.raises(ScanError, match=told):
        load_vulnerabilities(text, "v.json")


GOOD = (
    '{"host": "10.0.0.1", "service": "tcp/445", "severity": "high", "score": 8.0, "scanner": '
    '"nessus", "id": "1", "title": "t", "cves": ["CVE-2020-0001"], "seen": '
    '"2026-03-31T14:02:09.000000Z", "source": "s"}'
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"10.0.0.1"', '"10.0.0"', "host: '10.0.0' is not an IPv4"),
        ('"10.0.0.1"', "7", "host: expected text"),
        ('"tcp/445"', '"tcp"', "service: 'tcp': expected one port"),
        ('"tcp/445"', '"tcp/1-2"', "service: 'tcp/1-2': expected one port"),
        ('"tcp/445"', '"icmp/8"', "service"),
        ('"tcp/445"', '"smb"', "service"),
        ('"high"', '"bad"', "severity: expected one of info, low"),
        ('"high"', "[]", "severity: expected one of info, low"),
        ("8.0", "11", "score: expected a number"),
        ("8.0", "NaN", "score: expected a number"),
        ('"t"', '"a\\u001b"', "title: expected one printable line"),
        ('"t"', f'"{"t" * 201}"', "title: expected one printable line"),
        ('"s"', '""', "source: expected text"),
        ('"CVE-2020-0001"', '"x"', "cves: expected CVE ids"),
        ('"CVE-2020-0001"', "{}", "cves: expected CVE ids"),
        ('"2026-03-31T14:02:09.000000Z"', '"yesterday"', "seen: expected a time"),
    ],
)
def test_every_field_that_is_kept_is_checked(old: str, new: str, told: str) -> None:
    text = '{"workbench": 1, "vulnerabilities": [%s]}'
    assert len(load_vulnerabilities(text % GOOD)) == 1
    with pytest.raises(ScanError) as raised:
        load_vulnerabilities(text % GOOD.replace(old, new), "v.json")
    assert f"v.json: vulnerabilities[0].{told}" in str(raised.value)
