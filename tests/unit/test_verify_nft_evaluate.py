"""What rules do with packets, case by case (nft(8), and the kernel's own answers)."""

import pytest

from workbench.model.net import ICMP, ICMPV6, TCP, UDP, parse_address
from workbench.verify.batch import Batch
from workbench.verify.nft import CannotRead, Fate, Packets, evaluate, judge, read
from workbench.verify.nft.ruleset import ESTABLISHED, INVALID, RELATED

GRE = 47


def _packets(*rows: tuple[str, str, int, int]) -> Batch:
    return Batch.of(
        (parse_address(client), parse_address(server), protocol, port)
        for client, server, protocol, port in rows
    )


ONE = _packets(("10.0.0.1", "10.0.0.2", TCP, 443))


def _fates(body: str, packets: Batch | Packets = ONE, *, policy: str = "drop") -> list[str]:
    text = f"""
    table inet t {{
        set s {{ type ipv4_addr; flags interval; elements = {{ 10.0.0.0/24 }} ; }}
        chain side {{ tcp dport 443 return; accept; }}
        chain deny {{ drop; }}
        chain empty {{ }}
        chain f {{ type filter hook forward priority filter; policy {policy};
            {body}
        }}
    }}
    """
    packets = packets if isinstance(packets, Packets) else Packets(packets)
    return [Fate(code).name.lower() for code in judge(read(text), packets).tolist()]


@pytest.mark.parametrize(
    ("body", "fate"),
    [
        ("", "drop"),
        ("accept", "accept"),
        ("counter\n drop", "drop"),
        ("reject\n accept", "drop"),
        ("jump side\n accept", "accept"),
        ("goto side\n accept", "drop"),  # return from a goto goes to the base chain's end
        ("jump empty\n accept", "accept"),
        ("goto empty\n accept", "drop"),
        ("return\n accept", "drop"),
        ("continue\n accept", "accept"),
        ("jump deny\n accept", "drop"),
        ("tcp dport 443 accept", "accept"),
        ("tcp dport != 443 accept", "drop"),
        ("udp dport != 443 accept", "drop"),  # not UDP at all: the rule ends there
        ("ip6 saddr != fd00::1 accept", "drop"),
        ("ip saddr @s accept", "accept"),
        ("ip saddr != @s accept", "drop"),
        ("ct state new accept", "accept"),
        ("ct state established accept", "drop"),
        ("ct state != established,new accept", "accept"),
        ("ct state != { established, new } accept", "drop"),
        ("tcp dport vmap { 443 : accept }", "accept"),
        ("tcp dport vmap { 0-442 : accept, 444-65535 : accept }", "drop"),
        ("ip saddr . ip daddr vmap { 10.0.0.1 . 10.0.0.2 : jump side }\n accept", "accept"),
        ("ip saddr . ip daddr vmap { 10.0.0.1 . 10.0.0.2 : goto side }\n accept", "drop"),
        ("tcp sport 443 accept", "drop"),
        ("meta nfproto ipv6 accept", "drop"),
        ("meta l4proto { tcp, udp } th dport { 80, 443 } accept", "accept"),
    ],
)
def test_one_packet(body: str, fate: str) -> None:
    assert _fates(body) == [fate]


def test_several_base_chains_must_all_accept() -> None:
    text = "table ip a {\n chain c { type filter hook forward priority 0; policy %s; }\n}\n"
    text += "table inet b {\n chain c { type filter hook %s priority -5; accept; }\n}\n"
    both = _packets(("10.0.0.1", "10.0.0.2", TCP, 443), ("fd00::1", "fd00::2", TCP, 443))
    for hook in ("forward", "prerouting", "input"):
        fates = judge(read(text % ("drop", hook)), Packets(both)).tolist()
        assert fates == [Fate.DROP, Fate.ACCEPT]  # table ip never sees IPv6
    assert judge(read(text % ("accept", "forward")), Packets(both)).tolist() == [Fate.ACCEPT] * 2


def test_input_and_output_chains_do_not_see_forwarded_packets() -> None:
    text = "table inet t {\n chain c { type filter hook input priority 0; policy drop; }\n}\n"
    assert judge(read(text), Packets(ONE)).tolist() == [Fate.ACCEPT]


def test_without_a_chain_everything_passes() -> None:
    assert judge(read(""), Packets(ONE)).tolist() == [Fate.ACCEPT]


def test_a_bare_th_dport_reads_other_bytes_of_protocols_without_ports() -> None:
    both = _packets(("10.0.0.1", "10.0.0.2", GRE, 0), ("10.0.0.1", "10.0.0.2", UDP, 443))
    assert _fates("th dport 443 accept", both) == ["chance", "accept"]
    assert _fates("th dport != 443 accept", both) == ["chance", "drop"]
    assert _fates("ip saddr . th dport { 10.0.0.1 . 443 } accept", both) == ["chance", "accept"]
    assert _fates("ip saddr . th dport { 10.9.0.1 . 443 } accept", both) == ["drop", "drop"]
    assert _fates("th dport vmap { 443 : accept }", both) == ["chance", "accept"]
    bound = "meta l4proto . th dport { udp . 443 } accept"
    assert _fates(bound, both) == ["drop", "accept"]
    assert _fates("meta l4proto udp th dport 443 accept", both) == ["drop", "accept"]


def test_icmp_that_is_no_request_is_invalid_when_it_comes_first() -> None:
    messages = _packets(
        ("10.0.0.1", "10.0.0.2", ICMP, 8),
        ("10.0.0.1", "10.0.0.2", ICMP, 0),
        ("fd00::1", "fd00::2", ICMPV6, 128),
        ("fd00::1", "fd00::2", ICMPV6, 129),
    )
    assert _fates("ct state new accept", messages) == ["accept", "drop", "accept", "drop"]
    names = "icmp type echo-request accept\n icmpv6 type echo-reply accept"
    assert _fates(names, messages) == ["accept", "drop", "drop", "accept"]


def test_replies_have_their_ends_and_ports_turned_round() -> None:
    body = "ip saddr 10.0.0.2 tcp sport 443 accept"
    assert _fates(body, Packets(ONE, ESTABLISHED, reply=True)) == ["accept"]
    assert _fates(body, Packets(ONE, ESTABLISHED)) == ["drop"]


@pytest.mark.parametrize("state", [ESTABLISHED, RELATED, INVALID])
def test_the_state_of_a_packet_is_matched(state: int) -> None:
    body = "ct state vmap { established : accept, related : accept }\n ct state invalid drop"
    assert _fates(body, Packets(ONE, state)) == ["drop" if state == INVALID else "accept"]


def test_chains_that_call_each_other_without_end_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "MOST_RULES", 1000)
    chains = [f"chain c{at} {{ {f'jump c{at + 1}; ' * 4}}}\n" for at in range(8)]
    text = f"table inet t {{\n{''.join(chains)}chain c8 {{ }}\n"
    text += "chain f { type filter hook forward priority 0; jump c0; }\n}\n"
    with pytest.raises(CannotRead, match="too often"):
        judge(read(text), Packets(ONE))


def test_circles_and_depth_are_refused() -> None:
    circle = "table inet t {\n chain a { jump b; }\n chain b { jump a; }\n"
    circle += "chain f { type filter hook forward priority 0; jump a; }\n}\n"
    with pytest.raises(CannotRead, match="in a circle"):
        judge(read(circle), Packets(ONE))


def test_overlapping_map_elements_must_agree() -> None:
    fine = "tcp dport vmap { 400-450 : accept, 440-500 : accept }"
    assert _fates(fine) == ["accept"]
    with pytest.raises(CannotRead, match="say different things"):
        _fates("tcp dport vmap { 400-450 : accept, 440-500 : drop }")
    many = ", ".join(f"{port} : accept" for port in range(20))
    with pytest.raises(CannotRead, match="say different things"):
        _fates(f"tcp dport vmap {{ {many}, 400-450 : accept, 440-500 : drop }}")


def test_large_sets_answer_like_small_ones() -> None:
    hosts = [f"10.0.{third}.{last}" for third in range(4) for last in range(0, 40, 3)]
    everyone = [f"10.0.{third}.{last}" for third in range(5) for last in range(41)]
    packets = _packets(*((host, "10.9.0.1", TCP, 22) for host in everyone))
    line = f"ip saddr {{ {', '.join(hosts)} }} accept"
    pairs = ", ".join(f"{host} . 10.9.0.0/24 . 20-30" for host in hosts)
    box = f"ip saddr . ip daddr . tcp dport {{ {pairs} }} accept"
    right = ["accept" if host in hosts else "drop" for host in everyone]
    assert _fates(line, packets) == right
    assert _fates(box, packets) == right
    wide = f"ip saddr {{ {', '.join(hosts)}, 10.0.0.0/30, 10.0.0.0/31 }} accept"
    more = {"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert _fates(wide, packets) == [
        "accept" if host in {*hosts, *more} else "drop" for host in everyone
    ]
