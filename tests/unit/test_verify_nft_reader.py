"""The nft reader: what it understands, and that it refuses the rest with the line."""

import pytest

from workbench.model.net import V4_BASE, parse_address
from workbench.verify.nft import CannotRead, read
from workbench.verify.nft.lexer import tokens
from workbench.verify.nft.ruleset import Element, Hook, Verdict


def _inside(rule: str) -> str:
    return f"table inet t {{\n set s {{ type ipv4_addr; }}\n chain c {{\n{rule}\n}}\n}}\n"


def test_words_addresses_and_marks_are_told_apart() -> None:
    kinds = [
        (token.kind, token.text)
        for token in tokens('fd00::1-fd00::9 10.0.0.0/8 echo-request "a # b" 22:accept 1h30m # x')
    ]
    assert kinds[:-2] == [
        ("v6", "fd00::1"),
        ("mark", "-"),
        ("v6", "fd00::9"),
        ("v4", "10.0.0.0"),
        ("mark", "/"),
        ("number", "8"),
        ("word", "echo-request"),
        ("string", "a # b"),
        ("number", "22"),
        ("mark", ":"),
        ("word", "accept"),
        ("time", "1h30m"),
    ]


def test_definitions_are_put_in_and_keep_the_line_of_their_use() -> None:
    text = "define web = { 10.0.0.1,\n 10.0.0.2 }\ndefine all = { $web, 10.0.0.9 }\n\n$all"
    found = [token for token in tokens(text) if token.kind == "v4"]
    assert [token.text for token in found] == ["10.0.0.1", "10.0.0.2", "10.0.0.9"]
    assert {token.line for token in found} == {5}


def test_sets_maps_chains_and_hooks() -> None:
    text = """
    table inet t {
        comment "a table"
        set net { type ipv4_addr; flags interval; auto-merge; counter
            elements = { 10.0.0.5/24 comment "masked", 10.9.0.1-10.9.0.3,
                         10.8.0.1 counter packets 3 bytes 9 } ; }
        map go { typeof meta l4proto . th dport : verdict; flags interval; size 99
            elements = { tcp . 22-23 : jump c, 17 . 53 : accept } }
        chain c { comment "a chain"; counter name hits; }
        chain f { type filter hook forward priority filter + 5; policy drop; }
    }
    add rule inet t c return
    """
    (table,) = read(text).tables
    assert table.sets["net"].elements == (
        Element(((V4_BASE + 0x0A000000, V4_BASE + 0x0A0000FF),)),
        Element(((parse_address("10.9.0.1"), parse_address("10.9.0.3")),)),
        Element(((parse_address("10.8.0.1"),) * 2,)),
    )
    assert table.sets["go"].elements == (
        Element(((6, 6), (22, 23)), Verdict("jump", "c")),
        Element(((17, 17), (53, 53)), Verdict("accept")),
    )
    assert table.chains["f"].hook == Hook("forward", 5, accepts=False)
    assert [rule.verdict for rule in table.chains["c"].rules] == [None, Verdict("return")]


def test_commands_work_on_what_is_there() -> None:
    text = """
    add table ip t ; add chain t c ; add rule t c accept
    add set ip t s { type inet_service; }
    add element ip t s { 22, 23 }
    flush chain t c ; flush set t s
    add element ip t s { 80 }
    add table ip gone
    delete table ip gone
    """
    (table,) = read(text).tables
    assert table.chains["c"].rules == ()
    assert table.sets["s"].elements == (Element(((80, 80),)),)


def test_flush_ruleset_forgets_everything() -> None:
    before = read("table inet old {\n}\n")
    assert read("flush ruleset\ntable inet t {\n}\n", before) == read("table inet t {\n}\n")


def test_a_second_reading_adds_to_the_first() -> None:
    text = "table inet t {\n chain c {\n  accept\n }\n}\n"
    (table,) = read(text, read(text)).tables
    assert len(table.chains["c"].rules) == 2


STATEMENTS = [
    'counter packets 1 bytes 2 log prefix "x " level warn accept comment "R1"',
    "log group 7 snaplen 96",
    "limit rate 50/second burst 100 packets log",
    "limit rate over 10 mbytes/second",
    "reject with icmpx admin-prohibited",
    "reject with icmp type host-unreachable",
    "reject with tcp reset",
    "ct state established,related accept",
    "ct state != established | related drop",
    "tcp dport { 22, 80-90, } accept",
    "tcp dport >= 1024 tcp sport != 0 accept",
    "tcp dport == 0x16 accept",
    "ip saddr { 10.0.0.0/8, { 11.0.0.1 } } goto c2",
    "ip saddr . tcp dport vmap { 10.0.0.1 . 22 : jump c2, 10.0.0.2 . 23 : drop }",
    "update @ledger { ip saddr . meta l4proto counter timeout 1h }",
    "add @ledger { ip6 saddr }",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_that_are_understood(statement: str) -> None:
    text = _inside(statement).replace("chain c {", "chain c2 {\n}\nchain c {")
    (table,) = read(text).tables
    assert len(table.chains["c"].rules) == 1


REFUSED = {
    "meta mark set 1 accept": "unknown match 'meta mark'",
    "iifname eth0 accept": "unknown match or statement 'iifname'",
    "ip6 nexthdr tcp accept": "unknown match 'ip6 nexthdr'",
    "tcp flags syn accept": "unknown match 'tcp flags'",
    "dnat to 10.0.0.1": "unknown match or statement 'dnat'",
    "notrack": "unknown match or statement 'notrack'",
    "tcp dport ssh accept": "expected number, found 'ssh'",
    "tcp dport 70000 accept": "70000 is no inet_service",
    "tcp dport 90-80 accept": "the range runs backwards",
    "tcp dport 22,23 accept": "expected word, found ','",
    "ip saddr 10.0.0.0/33 accept": "/33 is no prefix length",
    "ip saddr fd00::1 accept": "expected v4",
    "ip6 saddr 10.0.0.1 accept": "expected v6",
    "ip saddr 10.0.0.300 accept": "10.0.0.300",
    "icmp type hello accept": "unknown icmp_type 'hello'",
    "meta l4proto quic accept": "unknown inet_proto 'quic'",
    "ct state snat accept": "unknown ct_state 'snat'",
    "ip saddr > 10.0.0.1 accept": "'>' is only read for ports",
    "limit rate 5/second accept": "a verdict behind 'limit'",
    "update @s { ip saddr } accept": "a verdict behind 'update'",
    "accept tcp dport 22": "nothing but a comment may follow a verdict",
    "ip saddr @s accept\nupdate @s { ip saddr }": "@s changes with the traffic",
    "ip saddr @none accept": "there is no set @none",
    "ip6 saddr @s accept": "@s is of another type",
    "ip saddr vmap @s": "@s is of another type",
    "jump nowhere": "there is no chain 'nowhere'",
    "ip saddr vmap { 10.0.0.1 : maybe }": "unknown verdict 'maybe'",
    "ip saddr vmap { 10.0.0.1 }": "expected ':'",
    "ip saddr $office accept": "$office is not defined",
    "policy drop": "expected `policy accept` or `policy drop` of a base chain",
    "type nat hook forward priority 0": "only chains of type filter are read",
    "type filter hook prerouting priority raw": "a chain before addresses are translated",
    "type filter hook prerouting priority dstnat": "a chain before addresses are translated",
    "type filter hook postrouting priority srcnat": "a chain behind the translation of addresses",
    "type filter hook ingress priority 0": "unknown hook 'ingress'",
    "type filter hook forward priority early": "unknown priority 'early'",
    "ip saddr 10.0.0.1 ; ; ^": "unexpected '^'",
    "jump { accept; }": "expected word or string",
}


@pytest.mark.parametrize("rule", REFUSED)
def test_what_is_not_understood_is_refused(rule: str) -> None:
    with pytest.raises(CannotRead) as caught:
        read(_inside(rule))
    assert REFUSED[rule] in str(caught.value)
    assert str(caught.value).startswith("cannot read line 4: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("table bridge b {\n}\n", "line 1: only the families inet, ip and ip6 are read"),
        ('include "x.nft"\n', "line 1: unknown command 'include'"),
        ("insert rule inet t c accept\n", "line 1: unknown command 'insert'"),
        ("add rule inet t c accept\n", "line 1: there is no table inet t"),
        ("table inet t {\n chain c {\n", "expected '}', found the end of the file"),
        ("table inet t {\n}\n}\n", "line 3: expected word, found '}'"),
        ("table inet t {\n flowtable f {\n }\n}\n", "line 2: unknown 'flowtable' in a table"),
        ("table inet t {\n set s {\n }\n}\n", "line 3: set 's' has no type"),
        ("table inet t {\n set s { type mark; }\n}\n", "unknown data type 'mark'"),
        ("table inet t {\n set s { elements = { 1 }; }\n}\n", "elements before the type"),
        (
            "table inet t {\n set s { type ipv4_addr; timeout 1h; elements = { 1.1.1.1 }; }\n}\n",
            "the elements of this set expire",
        ),
        (
            "table inet t {\n set s { type ipv4_addr; timeout 1h; }\n}\n"
            "add element inet t s { 1.1.1.1 }\n",
            "the elements of this set expire",
        ),
        (
            "table inet t {\n set s { type ipv4_addr; timeout 1h; }\n"
            " set s { type ipv4_addr; elements = { 1.1.1.1 }; }\n}\n",
            "the elements of this set expire",
        ),
        ("table inet t {\n set s { type ipv4_addr; elements = { 1.1.1.1 timeout 1h }\n}\n}", ""),
        ("define a = { 1, 2\n", "braces do not match"),
        ("define a = }\nadd table t\n", "braces do not match"),
        ("table inet t { chain c { tcp dport 0443 accept; }; }\n", "'0443' is no number"),
        (f"table inet t {{ chain c {{ tcp dport {'9' * 5000} accept; }}; }}\n", "is no number"),
        ("table t { chain c { type filter hook forward priority 010; }; }\n", "'010' is no num"),
        ("define a = 1\ndefine a = 2\n", "line 2: expected `define NAME = VALUE`"),
        ("redefine a = 1\n", "unknown command 'redefine'"),
        ("table inet t { flags dormant; }\n", "unknown 'flags' in a table"),
        ('table inet t { comment "never closed }\n', "unexpected"),
        ("table inet t {\n set s { type ipv4_addr; }\n set s { type ipv6_addr; }\n}\n", "another"),
    ],
)
def test_files_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(CannotRead, match="cannot read line") as caught:
        read(text)
    assert problem in str(caught.value)


def test_hostile_nesting_and_definitions_are_refused() -> None:
    with pytest.raises(CannotRead, match="nested too deeply"):
        read(_inside(f"tcp dport {'{' * 20_000}"))
    bomb = "define a0 = 1\n" + "".join(
        f"define a{at + 1} = $a{at} $a{at} $a{at} $a{at}\n" for at in range(40)
    )
    with pytest.raises(CannotRead, match="definitions grow"):
        read(bomb + "$a40")
