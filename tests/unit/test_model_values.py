"""Filters, times, texts, the class table and what is no matter for a policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.model.errors import FilterError, PolicyError
from workbench.model.filters import CHOICES, FIELDS, comparison, parse_filter, parse_time
from workbench.model.net import AddressSet, parse_address
from workbench.model.packets import printable
from workbench.model.site import Host, Inventory, Network
from workbench.model.text import short_bytes, short_count
from workbench.model.traffic import Outcome, Progress, format_time
from workbench.model.verdict import Class, Coverage, Verdict, class_of, not_policy


def test_a_filter_line_reads_as_written() -> None:
    line = "client:10.1.0.0/16 server:db service:tcp/445 -outcome:refused,unanswered pc-*"
    found = parse_filter(line)
    assert [term.field for term in found.terms] == [
        "client",
        "server",
        "service",
        "outcome",
        "host",
    ]
    assert found.terms[3].negated and found.terms[3].values == ("refused", "unanswered")
    assert found.terms[1].position == line.index("server")
    assert parse_filter(str(found)).terms == parse_filter(str(parse_filter(str(found)))).terms
    assert not parse_filter("   ")


@pytest.mark.parametrize(
    ("line", "position", "words"),
    [
        ("client:a vardict:blocked", 9, "unknown field"),
        ("outcome:fine", 0, "not one of"),
        ("a service:tcp/99999", 2, "port"),
        ("bytes:lots", 0, "comparison"),
        ("client:", 0, "needs a value"),
        ("port:65536", 0, "0 to 65535"),
        ("port:٣", 0, "0 to 65535"),
        ("after:yesterday", 0, "time"),
        ("vlan:4095x", 0, "0 to 65535"),
    ],
)
def test_filter_errors_point_at_the_term(line: str, position: int, words: str) -> None:
    with pytest.raises(FilterError, match=words) as caught:
        parse_filter(line)
    assert caught.value.position == position
    assert "\n" not in str(caught.value)


def test_ipv6_addresses_are_bare_words_too() -> None:
    assert parse_filter("fd00::1").terms[0].field == "host"
    assert parse_filter("client:fd00::/8").terms[0].values == ("fd00::/8",)


def test_fields_with_choices_are_fields() -> None:
    assert CHOICES.keys() <= FIELDS.keys()


@given(st.text())
def test_any_text_is_a_filter_or_one_clear_line(text: str) -> None:
    try:
        parse_filter(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)


def test_comparisons_and_times() -> None:
    assert comparison(">10M") == (">", 10_000_000)
    assert comparison("<=3k") == ("<=", 3000)
    assert comparison("7") == ("=", 7)
    assert parse_time("1970-01-02") == 86_400_000_000
    assert parse_time("1970-01-01T01:00:00+01:00") == 0


@given(st.integers())
def test_any_moment_can_be_written(moment: int) -> None:
    text = format_time(moment)
    assert text.endswith("Z") and len(text) == 27
    if -62_000_000_000_000_000 < moment < 253_000_000_000_000_000:
        assert parse_time(text) == moment


@given(st.integers(0, 10**18))
def test_counts_are_short(value: int) -> None:
    assert len(short_count(value)) <= 5
    assert short_bytes(value).endswith("B")


@given(st.text())
def test_nothing_from_a_packet_controls_the_terminal(text: str) -> None:
    safe = printable(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in safe)
    assert not any(char in safe for char in "\u202e\u2066\u2028\u200f")
    safe.encode()


def test_the_class_table() -> None:
    worked, failed, unclear = Outcome.ESTABLISHED, Outcome.REFUSED, Outcome.MID_STREAM
    assert class_of(Verdict.ALLOWED, worked) is Class.PERMITTED
    assert class_of(Verdict.BLOCKED, worked) is Class.WOULD_BLOCK
    assert class_of(Verdict.ALLOWED, failed) is Class.MISDROPPED
    assert class_of(Verdict.ALLOWED, Outcome.UNANSWERED) is Class.MISDROPPED
    assert class_of(Verdict.BLOCKED, failed) is Class.REJECTED
    for verdict in (Verdict.ALLOWED, Verdict.BLOCKED):
        assert class_of(verdict, unclear) is Class.UNCERTAIN
        assert class_of(verdict, Outcome.ONE_WAY) is Class.UNCERTAIN
    assert class_of(Verdict.UNCERTAIN, worked) is Class.UNCERTAIN
    assert class_of(Verdict.OUT_OF_SCOPE, unclear) is Class.OUT_OF_SCOPE


@pytest.mark.parametrize(
    ("client", "server", "protocol", "port", "why"),
    [
        ("10.0.0.1", "224.0.0.251", 17, 5353, "multicast"),
        ("fe80::1", "10.0.0.1", 6, 80, "link-local"),
        ("127.0.0.1", "10.0.0.1", 6, 80, "link-local"),
        ("::1", "::1", 6, 80, "link-local"),
        ("10.0.0.1", "10.0.0.2", 17, 67, "DHCP"),
        ("10.0.0.1", "10.0.0.2", 2, 0, "IGMP"),
        ("10.0.0.1", "10.0.0.2", 1, 3, "ICMP"),
        ("fd00::1", "fd00::2", 58, 135, "ND"),
        ("10.0.0.1", "10.0.0.2", 6, 67, ""),
        ("10.0.0.1", "10.0.0.2", 1, 8, ""),
        ("fd00::1", "fd00::2", 58, 128, ""),
    ],
)
def test_what_is_no_matter_for_a_policy(
    client: str, server: str, protocol: int, port: int, why: str
) -> None:
    found = not_policy(parse_address(client), parse_address(server), protocol, port)
    assert why in found if why else found == ""


def test_labels_narrow_and_hosts_win() -> None:
    site = Network("site", AddressSet.of_cidrs(["10.0.0.0/8"]), (("loc", "hq"), ("zone", "it")))
    cell = Network("cell", AddressSet.of_cidrs(["10.9.0.0/16"]), (("zone", "plant"),))
    plc = Host("plc-1", (parse_address("10.9.0.5"),), (("role", "plc"), ("loc", "hall-2")))
    inventory = Inventory((plc,), (cell, site))
    assert inventory.labels(plc.addresses[0]) == {"loc": "hall-2", "zone": "plant", "role": "plc"}
    assert inventory.labels(parse_address("10.1.0.1")) == {"loc": "hq", "zone": "it"}
    assert inventory.name(parse_address("10.1.0.1")) == "10.1.0.1"
    assert inventory.name(plc.addresses[0]) == "plc-1"


def test_shares_and_estimates() -> None:
    assert Coverage(0, 0, 0, 0).share == 1.0
    assert Coverage(3, 4, 10, 40).bytes_share == 0.25
    assert Progress("x", 50, 100, elapsed=2.0).seconds_left == 2.0
    assert Progress("x", 50, 0).seconds_left is None
    assert Progress("x", 200, 100).fraction == 1.0


def test_document_errors_say_where() -> None:
    error = PolicyError("unknown", file="policy.yaml", line=14, where="rules[2]")
    assert str(error) == "policy.yaml:14: rules[2]: unknown"
    assert str(PolicyError("unknown")) == "unknown"
