"""Logins, guesses, enumeration, beacons and departures: found where they are, absent where not."""

from dataclasses import replace
from pathlib import Path

import pytest
from findings_site import (
    DAY,
    HOUR,
    SECOND,
    failed,
    inventory,
    look,
    of_kind,
    office,
    only,
    question,
    seen,
)

from workbench.model.finding import Level
from workbench.model.net import UDP, parse_address
from workbench.model.traffic import Direction, Flow, Outcome

BAD, PC, PC2, APP, DB = "10.1.0.11", "10.1.0.12", "10.1.0.13", "10.3.0.22", "10.3.0.31"
SERVICES = {
    22: "T1021.004",
    445: "T1021.002",
    135: "T1021.003",
    3389: "T1021.001",
    5985: "T1021.006",
    5900: "T1021.005",
    23: "T1021",
}


def scan(at: float = 5 * HOUR) -> list[Flow]:
    return [failed(BAD, f"10.3.0.{number}", 22, at + number) for number in range(100, 140)]


def server(address: str) -> list[Flow]:
    """Two clients all day: not a workstation."""
    return [
        seen(pc, address, 8080, hour * HOUR + 7)
        for hour in range(8)
        for pc in ("10.3.0.11", "10.3.0.12")
    ]


# ── movement ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("port", SERVICES)
def test_a_first_login_is_named(tmp_path: Path, port: int) -> None:
    found = only(look(tmp_path, office(), server(APP), [seen(BAD, APP, port, 6 * HOUR)]),
                 "first-login")  # fmt: skip
    assert (found.technique, found.host) == (SERVICES[port], parse_address(BAD))
    assert found.peers == (parse_address(APP),)
    assert found.confidence is Level.LOW
    assert "6 h" in found.why


def test_between_workstations_it_weighs_more(tmp_path: Path) -> None:
    found = look(tmp_path, office(), [seen(BAD, PC, 5985, 6 * HOUR)])
    assert only(found, "first-login").confidence is Level.MEDIUM


def test_after_a_scan_it_is_sure_and_before_it_is_not(tmp_path: Path) -> None:
    logins = [seen(BAD, APP, 22, 4 * HOUR), seen(BAD, DB, 22, 6 * HOUR)]
    found = of_kind(
        look(tmp_path, office(), server(APP), server(DB), scan(), logins), "first-login"
    )
    assert [one.confidence for one in found] == [Level.LOW, Level.HIGH]
    assert "scanned the network before" in found[1].why


def test_a_first_login_early_in_a_recording_means_little(tmp_path: Path) -> None:
    found = look(tmp_path, office(), server(APP), [seen(BAD, APP, 22, 200)])
    assert only(found, "first-login").confidence is Level.LOW
    assert "too little" in only(found, "first-login").why


def test_what_many_use_is_no_news(tmp_path: Path) -> None:
    files = [seen("10.1.0.19", "10.2.0.20", 445, 7 * HOUR)]
    assert not look(tmp_path, office(), files)


def test_members_use_their_controller(tmp_path: Path) -> None:
    rpc = [seen(BAD, "10.2.0.10", 135, 7 * HOUR)]
    assert not look(tmp_path, office(pcs=1), rpc)


def test_what_comes_back_all_day_is_the_norm(tmp_path: Path) -> None:
    daily = [seen(BAD, APP, 22, hour * HOUR + 500) for hour in range(8)]
    assert not look(tmp_path, office(), server(APP), daily)


def test_administrators_by_role_are_told_with_low_confidence(tmp_path: Path) -> None:
    logins = [seen(BAD, f"10.3.0.{at}", 22, 6 * HOUR + at) for at in range(10)]
    found = look(tmp_path, office(), logins, known=inventory(jump=BAD))
    assert only(found, "fan-out").confidence is Level.LOW
    assert not of_kind(found, "first-login")


def test_knocking_is_no_login(tmp_path: Path) -> None:
    assert not look(tmp_path, office(), [failed(BAD, APP, 22, 6 * HOUR)])


def test_many_first_logins_at_once_fan_out(tmp_path: Path) -> None:
    logins = [seen(BAD, f"10.3.0.{at}", 3389, 6 * HOUR + at * 20) for at in range(8)]
    found = only(look(tmp_path, office(), logins), "fan-out")
    assert (found.technique, found.confidence) == ("T1021.001", Level.MEDIUM)
    assert len(found.peers) == 8


def test_hops_in_order_of_time_are_a_chain(tmp_path: Path) -> None:
    hops = [seen(PC, APP, 22, 5 * HOUR), seen(APP, DB, 22, 6 * HOUR)]
    chain = only(look(tmp_path, office(), server(APP), server(DB), hops), "login-chain")
    assert chain.host == parse_address(PC)
    assert chain.peers == (parse_address(APP), parse_address(DB))
    assert chain.confidence is Level.MEDIUM
    assert chain.title.endswith("10.1.0.12 → 10.3.0.22 → 10.3.0.31")


def test_hops_in_the_other_order_are_none(tmp_path: Path) -> None:
    hops = [seen(PC, APP, 22, 6 * HOUR), seen(APP, DB, 22, 5 * HOUR)]
    assert not of_kind(look(tmp_path, office(), server(APP), server(DB), hops), "login-chain")


def test_a_chain_through_a_jump_host_is_how_it_works(tmp_path: Path) -> None:
    hops = [seen(PC, APP, 22, 5 * HOUR), seen(APP, DB, 22, 6 * HOUR)]
    found = look(tmp_path, office(), server(DB), hops, known=inventory(jump=APP))
    assert not of_kind(found, "login-chain")


def test_the_hop_after_a_sure_one_is_sure(tmp_path: Path) -> None:
    hops = [seen(BAD, APP, 22, 6 * HOUR), seen(APP, DB, 22, 6.5 * HOUR)]
    found = look(tmp_path, office(), server(APP), server(DB), scan(), hops)
    assert [one.confidence for one in of_kind(found, "first-login")] == [Level.HIGH] * 2
    assert only(found, "login-chain").confidence is Level.HIGH


def test_a_tool_is_sent(tmp_path: Path) -> None:
    sent = [seen(BAD, APP, 445, 6 * HOUR, bytes_to_server=400_000, packets_to_server=300)]
    found = only(look(tmp_path, office(), server(APP), sent), "tool-transfer")
    assert (found.technique, found.title) == ("T1570", "400 kB sent to 10.3.0.22 over SMB, "
                                              "NetBIOS sessions")  # fmt: skip


def test_rpc_takes_its_dynamic_port_along(tmp_path: Path) -> None:
    calls = [seen(BAD, APP, 135, 6 * HOUR), seen(BAD, APP, 49_726, 6 * HOUR + 1)]
    found = only(look(tmp_path, office(), server(APP), calls), "first-login")
    assert {one.port for one in found.evidence} == {135, 49_726}
    assert "T1047" in found.unseen


def test_short_sessions_before_one_that_stays_are_mentioned(tmp_path: Path) -> None:
    flows = [
        seen(PC, APP, 22, 6 * HOUR),
        seen(PC, APP, 22, 6 * HOUR + 20),
        seen(PC, APP, 22, 6 * HOUR + 200, bytes_to_client=300_000),
    ]
    found = only(look(tmp_path, office(), server(APP), flows), "first-login")
    assert "2 short sessions before one that stayed" in found.why


# ── credentials ────────────────────────────────────────────────────────────────────────────


def brief(client: str, address: str, port: int, at: float) -> Flow:
    return seen(client, address, port, at, bytes_to_server=1_500, bytes_to_client=2_500)


@pytest.mark.parametrize(
    ("count", "step", "confidence"), [(20, 10, Level.MEDIUM), (60, 3, Level.HIGH)]
)
def test_guessing(tmp_path: Path, count: int, step: float, confidence: Level) -> None:
    tries = [brief(BAD, APP, 22, 6 * HOUR + at * step) for at in range(count)]
    found = only(look(tmp_path, office(), server(APP), tries), "guessing")
    assert (found.technique, found.confidence) == ("T1110", confidence)
    assert f"{count} short ssh sessions" in found.title


def test_a_program_that_logs_in_all_day_is_doubted(tmp_path: Path) -> None:
    runs = [brief(BAD, APP, 22, at * 20) for at in range(8 * 180)]
    assert only(look(tmp_path, office(), server(APP), runs), "guessing").confidence is Level.LOW


def test_a_few_tries_are_nothing(tmp_path: Path) -> None:
    tries = [brief(BAD, APP, 22, 6 * HOUR + at * 5) for at in range(5)]
    assert not of_kind(look(tmp_path, office(), server(APP), tries), "guessing")


def test_spraying(tmp_path: Path) -> None:
    tries = [brief(BAD, f"10.3.0.{at}", 445, 6 * HOUR + at * 9) for at in range(15)]
    found = only(look(tmp_path, office(), tries), "spraying")
    assert (found.technique, found.confidence) == ("T1110.003", Level.MEDIUM)
    assert {one.server for one in tries} <= set(found.peers)


def test_tickets_beside_what_others_ask(tmp_path: Path) -> None:
    asked = [seen(BAD, "10.2.0.10", 88, 6 * HOUR + at * 0.2) for at in range(60)]
    found = only(look(tmp_path, office(), asked), "ticket-burst")
    assert (found.technique, found.confidence) == ("T1110", Level.MEDIUM)
    assert "T1558.003" in found.unseen and "the median of 7 others is 1" in found.why


def names(responder: str, *askers: str) -> list[Flow]:
    """LLMNR: everybody is asked, one answers."""
    one_way = {"protocol": UDP, "outcome": Outcome.ONE_WAY, "direction": Direction.WELL_KNOWN}
    asked = {**one_way, "packets_to_client": 0}
    answer = {**one_way, "packets_to_server": 0, "bytes_to_server": 0, "bytes_to_client": 90}
    return [
        flow
        for at, asker in enumerate(askers)
        for flow in (
            seen(asker, "224.0.0.252", 5355, 6 * HOUR + at, **asked),
            seen(asker, responder, 5355, 6 * HOUR + at, **answer),
        )
    ]


def test_who_answers_for_others_is_told_weakly(tmp_path: Path) -> None:
    found = only(look(tmp_path, office(), names(BAD, PC, PC2)), "name-answers")
    assert (found.technique, found.confidence) == ("T1557.001", Level.LOW)
    assert found.host == parse_address(BAD)


def test_who_answers_one_answers_for_itself(tmp_path: Path) -> None:
    assert not of_kind(look(tmp_path, office(), names(BAD, PC)), "name-answers")


# ── enumeration ────────────────────────────────────────────────────────────────────────────


def test_reading_the_directory(tmp_path: Path) -> None:
    reading = [
        seen(BAD, "10.2.0.10", 389, 6 * HOUR + at, bytes_to_client=90_000) for at in range(10)
    ]
    found = only(look(tmp_path, office(), reading), "directory-burst")
    assert (found.technique, found.confidence) == ("T1087.002", Level.MEDIUM)


def test_asking_for_all_names(tmp_path: Path) -> None:
    asked = [question(BAD, "10.2.0.10", 6 * HOUR + at * 0.1) for at in range(400)]
    found = only(look(tmp_path, office(), asked), "name-burst")
    assert (found.technique, found.confidence) == ("T1018", Level.LOW)


def test_a_zone_transfer(tmp_path: Path) -> None:
    answer = [seen(BAD, "10.2.0.10", 53, 6 * HOUR, bytes_to_client=60_000)]
    assert only(look(tmp_path, office(), answer), "zone-transfer").technique == "T1018"


def test_opening_everybodys_shares(tmp_path: Path) -> None:
    opened = [
        seen(BAD, f"10.3.0.{at}", 445, 6 * HOUR + at, bytes_to_client=50_000) for at in range(12)
    ]
    found = only(look(tmp_path, office(), opened), "share-sweep")
    assert (found.technique, found.confidence) == ("T1135", Level.MEDIUM)


# ── rhythm, controllers, departures ────────────────────────────────────────────────────────


def test_a_beacon_inside_is_told_weakly(tmp_path: Path) -> None:
    beats = [seen(BAD, APP, 8443, at * 300 + at % 3) for at in range(40)]
    found = only(look(tmp_path, office(), beats), "beacon")
    assert (found.technique, found.confidence) == ("T1071", Level.LOW)
    assert "every 5 min" in found.title


def test_people_have_no_rhythm(tmp_path: Path) -> None:
    visits = [seen(BAD, APP, 8443, at * at * 17 % (8 * HOUR)) for at in range(40)]
    assert not of_kind(look(tmp_path, office(), visits), "beacon")


def test_pollers_and_agents_beat_by_trade(tmp_path: Path) -> None:
    polls = [seen("10.2.0.41", f"10.3.0.{to}", 9100, at * 60 + to) for at in range(60)
             for to in range(5)]  # fmt: skip
    agents = [seen(f"10.3.0.{of}", "10.2.0.30", 9103, at * 60 + of) for at in range(60)
              for of in range(5)]  # fmt: skip
    assert not of_kind(look(tmp_path, office(), polls, agents), "beacon")


def plant() -> list[Flow]:
    return [seen("10.5.0.10", "10.5.0.101", 502, at * 600) for at in range(48)]


def test_new_to_a_controller(tmp_path: Path) -> None:
    found = look(tmp_path, office(), plant(), [seen(BAD, "10.5.0.101", 502, 6 * HOUR)])
    told = only(found, "new-to-controller")
    assert (told.technique, told.host, told.confidence) == (
        "T0855", parse_address(BAD), Level.LOW,
    )  # fmt: skip


def test_departures_from_a_baseline(tmp_path: Path) -> None:
    usual = [*office(), *server(APP)]
    today = [
        *(seen(PC, "10.2.0.10", 88, DAY + at * HOUR) for at in range(8)),
        seen(BAD, "10.3.0.77", 8000, DAY + HOUR),
        seen(PC, "10.3.0.11", 4444, DAY + 2 * HOUR),
        seen(PC2, PC, 3389, DAY + 3 * HOUR),
        seen("10.3.0.11", APP, 8081, DAY + 4 * HOUR),
    ]
    found = look(tmp_path, today, before=usual)
    told = {(one.kind, one.host) for one in found}
    assert ("new-peer", parse_address(BAD)) in told
    assert ("new-service", parse_address("10.3.0.11")) in told
    assert ("new-service", parse_address(APP)) in told
    assert ("first-login", parse_address(PC2)) in told
    assert ("vanished", parse_address(APP)) in told
    assert all(one.confidence < Level.HIGH for one in found)


def test_the_same_day_again_has_no_departures(tmp_path: Path) -> None:
    def moved(flow: Flow) -> Flow:
        day = DAY * SECOND
        return replace(flow, first_us=flow.first_us + day, last_us=flow.last_us + day)

    usual = [*office(), *server(APP), *plant()]
    assert not look(tmp_path, [moved(one) for one in usual], before=usual)
