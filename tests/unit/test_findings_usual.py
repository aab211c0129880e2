"""Departures from what is usual for a host: volumes, hours and roles, over weeks."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from findings_site import (
    BEGIN,
    HOUR,
    SECOND,
    failed,
    inventory,
    look,
    of_kind,
    only,
    ping,
    seen,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import load

from workbench.analysis.findings import SERVICES
from workbench.model.finding import Finding, Level, Thresholds, Window
from workbench.model.net import format_address, parse_address
from workbench.model.spoken import Act, Said, Spoken
from workbench.model.traffic import Flow
from workbench.store import Store

DC, FILES, WEB, DB, JUMP = (f"10.2.0.{last}" for last in (10, 20, 30, 40, 50))
PCS = tuple(f"10.1.0.{last}" for last in range(11, 19))
UPDATES = "203.0.113.10"
MB = 1_000_000
KINDS = ("unusual-volume", "unusual-hour", "new-role")


def at(day: int, hour: float) -> float:
    """Seconds into the recording, which begins on a Friday at 8:00 UTC."""
    return (day * 24 + hour - 8) * HOUR


def works(day: int) -> bool:
    return day % 7 not in (1, 2)


def day_of(day: int, dice: random.Random) -> list[Flow]:
    """PCs by day, servers by day and night, a backup at two, a jump host in the morning."""
    flows = []
    for hour in range(24):
        when = at(day, hour)
        flows += [seen(WEB, DB, 5432, when + 5 * one, bytes_to_client=40_000) for one in range(6)]
        flows += [seen(DB, DC, 53, when + 9), seen(WEB, DC, 88, when + 11)]
    flows.append(seen(FILES, DB, 9000, at(day, 2), bytes_to_server=dice.randint(900, 1100) * MB))
    if not works(day):
        return flows
    flows += [seen(JUMP, one, 22, at(day, 9 + dice.random())) for one in (WEB, DB, FILES)]
    for pc in PCS:
        if dice.random() < 0.1:
            continue  # ill, or on leave
        first, last = dice.randint(7, 9), dice.randint(15, 18)
        for hour in range(first, last):
            begin = at(day, hour + 0.2 + 0.5 * dice.random())
            large = int(dice.lognormvariate(15, 1))
            flows += [seen(pc, DC, 88, begin), seen(pc, DC, 389, begin + 1)]
            flows += [seen(pc, FILES, 445, begin + 2 + one, bytes_to_client=large)
                      for one in range(3)]  # fmt: skip
            flows += [seen(pc, WEB, 443, begin + 30), seen(pc, UPDATES, 443, begin + 60)]
            flows.append(failed(pc, "10.1.0.99", 9100, begin + 70))
    return flows


def weeks(first: int, last: int) -> list[Flow]:
    dice = random.Random(first)
    return [one for day in range(first, last) for one in day_of(day, dice)]


BEFORE, NOW = weeks(0, 14), weeks(14, 21)


def told(folder: Path, *flows: Flow, **more: Any) -> list[Finding]:
    """What is unusual in the third week, with these flows in it."""
    return of_kind(look(folder, [*NOW, *flows], **{"before": BEFORE, **more}), *KINDS)


def text(one: Finding) -> str:
    return format_address(one.host)


def test_a_site_of_day_night_and_weekends_departs_from_nothing(tmp_path: Path) -> None:
    assert told(tmp_path) == []


def test_three_weeks_without_a_baseline_are_their_own(tmp_path: Path) -> None:
    assert not of_kind(look(tmp_path, [*BEFORE, *NOW]), *KINDS)


def test_a_baseline_of_a_day_says_nothing_of_hours_and_little_of_volumes(tmp_path: Path) -> None:
    found = look(tmp_path, NOW, before=weeks(4, 5))
    assert not of_kind(found, "unusual-hour")
    assert all(one.confidence is Level.LOW for one in of_kind(found, "unusual-volume"))


# ── volume ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("port", "technique"), [(443, "T1041"), (22, "T1048")], ids=["web", "other"]
)
@pytest.mark.parametrize("baseline", [True, False])
def test_much_sent_out(tmp_path: Path, baseline: bool, port: int, technique: str) -> None:
    bad = [seen(PCS[0], "203.0.113.66", port, at(17, 10 + one / 50), bytes_to_server=60 * MB)
           for one in range(10)]  # fmt: skip
    if baseline:
        [one] = told(tmp_path, *bad)
    else:
        [one] = of_kind(look(tmp_path, [*BEFORE, *NOW, *bad]), *KINDS)
    assert (one.kind, one.technique, text(one)) == ("unusual-volume", technique, PCS[0])
    assert (one.confidence, one.impact) == (Level.MEDIUM, Level.HIGH)
    assert "600" in one.title and one.peers == (parse_address("203.0.113.66"),)
    assert one.first_us == BEGIN + int(at(17, 10)) * SECOND


def test_what_one_sent_is_not_told_of_who_received_it(tmp_path: Path) -> None:
    [one] = told(tmp_path, seen(PCS[0], WEB, 445, at(17, 10), bytes_to_server=900 * MB))
    assert (text(one), one.impact) == (PCS[0], Level.MEDIUM)


def test_a_download_is_of_low_confidence(tmp_path: Path) -> None:
    [one] = told(tmp_path, seen(PCS[0], UPDATES, 443, at(17, 10), bytes_to_client=900 * MB))
    assert "received" in one.title and one.confidence is Level.LOW


def test_many_servers_and_flows(tmp_path: Path) -> None:
    wide = [seen(PCS[1], f"10.2.1.{last}", 80, at(17, 10) + last) for last in range(1, 41)]
    often = [seen(PCS[2], WEB, 443, at(18, 11) + one) for one in range(1500)]
    found = {text(one): one for one in told(tmp_path, *wide, *often)}
    assert set(found) == {PCS[1], PCS[2]}
    assert "servers used" in found[PCS[1]].title and len(found[PCS[1]].peers) >= 40
    assert "flows" in found[PCS[2]].title


def test_thresholds_and_trades(tmp_path: Path) -> None:
    flow = seen(PCS[0], "203.0.113.66", 443, at(17, 10), bytes_to_server=600 * MB)
    high = Thresholds(volume_mb=1000)
    assert told(tmp_path, flow, limits=high) == []
    (tmp_path / "b").mkdir()
    [one] = told(tmp_path / "b", flow, known=inventory(backup=PCS[0]))
    assert one.confidence is Level.LOW


def test_a_short_baseline_says_so(tmp_path: Path) -> None:
    flow = seen(PCS[0], "203.0.113.66", 443, at(17, 10), bytes_to_server=600 * MB)
    found = look(tmp_path, [*NOW, flow], before=weeks(4, 6))
    one = only([each for each in found if text(each) == PCS[0]], "unusual-volume")
    assert one.confidence is Level.LOW and "too little" in one.why


def test_a_stranger_has_no_habits(tmp_path: Path) -> None:
    assert (
        told(tmp_path, seen("10.1.0.77", UPDATES, 443, at(17, 3), bytes_to_server=MB * 900)) == []
    )


# ── hours ──────────────────────────────────────────────────────────────────────────────────


def night(host: str, server: str, port: int, day: int = 17, hour: float = 3) -> list[Flow]:
    return [seen(host, server, port, at(day, hour) + 60 * one) for one in range(8)]


@pytest.mark.parametrize("baseline", [True, False])
def test_a_pc_at_work_by_night(tmp_path: Path, baseline: bool) -> None:
    flows = night(PCS[0], WEB, 443)
    if baseline:
        [one] = told(tmp_path, *flows)
    else:
        [one] = of_kind(look(tmp_path, [*BEFORE, *NOW, *flows]), *KINDS)
    assert (one.kind, one.technique, text(one)) == ("unusual-hour", "T1078", PCS[0])
    assert (one.confidence, one.impact) == (Level.LOW, Level.LOW)
    assert "03:00" in one.title and one.first_us == BEGIN + int(at(17, 3)) * SECOND


def test_administration_by_night_is_worse(tmp_path: Path) -> None:
    [one] = told(tmp_path, *night(JUMP, WEB, 22))
    assert (one.technique, one.confidence) == ("T1021", Level.MEDIUM)
    assert one.peers == (parse_address(WEB),) and "ssh" in one.why


def test_by_day_on_a_weekend(tmp_path: Path) -> None:
    [one] = told(tmp_path, *night(PCS[0], WEB, 443, day=15, hour=11))
    assert one.kind == "unusual-hour" and "Saturday" in one.title


def test_a_working_day_after_two_of_leave_is_one(tmp_path: Path) -> None:
    friday = (at(0, 0), at(7, 0))
    away = [one for one in BEFORE if format_address(one.client) != PCS[0] or not any(
        0 <= one.first_us - BEGIN - begin * SECOND < 24 * HOUR * SECOND
        for begin in friday)]  # fmt: skip
    assert len(away) < len(BEFORE)
    assert not of_kind(look(tmp_path, NOW, before=away), *KINDS)


def test_a_late_hour_and_a_single_question_are_nothing(tmp_path: Path) -> None:
    late = night(PCS[0], WEB, 443, hour=19.2)
    assert told(tmp_path, *late, *night(PCS[1], WEB, 443)[:2]) == []


def test_hours_that_were_never_recorded_are_not_judged(tmp_path: Path) -> None:
    def by_day(flows: list[Flow]) -> list[Flow]:
        return [one for one in flows if 6 <= one.first_us // 3_600_000_000 % 24 < 20]

    found = look(tmp_path, [*by_day(NOW), *night(PCS[0], WEB, 443)], before=by_day(BEFORE))
    assert not of_kind(found, "unusual-hour")


def test_a_night_of_updates_is_the_sites(tmp_path: Path) -> None:
    flows = [one for pc in PCS for one in night(pc, WEB, 22)]
    found = of_kind(told(tmp_path, *flows), "unusual-hour")
    assert len(found) == len(PCS) and {one.confidence for one in found} == {Level.LOW}


# ── roles ──────────────────────────────────────────────────────────────────────────────────


def test_a_client_that_serves(tmp_path: Path) -> None:
    flows = [seen(pc, PCS[0], 8080, at(17, 10) + 9 * one) for one, pc in enumerate(PCS[1:5])]
    found = look(tmp_path, [*NOW, *flows], before=BEFORE)
    one = only(found, "new-role")
    assert (text(one), one.technique, one.confidence) == (PCS[0], "T1071", Level.MEDIUM)
    assert len(one.peers) == 4 and "8080" in one.why
    assert not of_kind(found, "new-service")  # told better


def test_two_clients_make_no_role(tmp_path: Path) -> None:
    flows = [seen(pc, PCS[0], 8080, at(17, 10) + 9 * one) for one, pc in enumerate(PCS[1:3])]
    assert not of_kind(told(tmp_path, *flows), "new-role")


def test_a_workstation_that_administers(tmp_path: Path) -> None:
    flows = [seen(PCS[0], one, 3389, at(17, 10 + at_))
             for at_, one in enumerate((WEB, FILES, DC, "10.2.0.60"))]  # fmt: skip
    found = look(tmp_path, [*NOW, *flows], before=BEFORE)
    one = only(found, "new-role")
    assert (text(one), one.technique, one.confidence) == (PCS[0], "T1021", Level.MEDIUM)
    assert len(one.peers) == 4 and "rdp" in one.why
    assert not of_kind(found, "new-peer")


def test_a_fan_out_tells_it_already(tmp_path: Path) -> None:
    flows = [seen(PCS[0], one, 3389, at(17, 10) + 20 * at_)
             for at_, one in enumerate((WEB, FILES, DC, "10.2.0.60"))]  # fmt: skip
    found = look(tmp_path, [*NOW, *flows], before=BEFORE)
    assert of_kind(found, "fan-out") and not of_kind(found, "new-role")


def test_a_server_that_goes_out(tmp_path: Path) -> None:
    flows = [seen(WEB, f"203.0.113.{last}", 443, at(17, 10) + last) for last in range(60, 65)]
    found = look(tmp_path, [*NOW, *flows], before=BEFORE)
    one = only(found, "new-role")
    assert (text(one), one.confidence, len(one.peers)) == (WEB, Level.MEDIUM, 5)
    assert "goes out" in one.title


def test_roles_need_a_baseline(tmp_path: Path) -> None:
    flows = [seen(WEB, f"203.0.113.{last}", 443, at(17, 10) + last) for last in range(60, 65)]
    assert not of_kind(look(tmp_path, [*BEFORE, *NOW, *flows]), "new-role")


# ── accounts ───────────────────────────────────────────────────────────────────────────────


def answer(client: str, account: str, when: float, workstation: str = "PC") -> Spoken:
    moment = BEGIN + round(when * SECOND)
    ends = parse_address(client), parse_address(FILES)
    return Spoken(Said(Act.RESPONSE, workstation, account), *ends, 6, 445, moment, moment)


def habits(*clients: str, account: str = "CORP\\anna") -> tuple[Spoken, ...]:
    return tuple(answer(pc, account, at(day, 9)) for day in range(3, 6) for pc in clients)


def logged_in(folder: Path, before: tuple[Spoken, ...], *now: Spoken, **more: Any) -> Any:
    found = look(folder, NOW, before=BEFORE, spoken=now, spoken_before=before, **more)
    return of_kind(found, "account-elsewhere")


def test_an_account_on_the_host_of_somebody_else(tmp_path: Path) -> None:
    before = (*habits(PCS[0]), *habits(PCS[1], account="CORP\\ben"))
    [one] = logged_in(tmp_path, before, answer(PCS[1], "corp\\Anna", at(17, 10), "KALI"))
    assert (text(one), one.technique, one.confidence) == (PCS[1], "T1078", Level.MEDIUM)
    assert "anna" in one.title and "ben" in one.why and "KALI" in one.why


def test_an_account_on_a_host_that_nobody_has(tmp_path: Path) -> None:
    [one] = logged_in(tmp_path, habits(PCS[0]), answer(PCS[1], "CORP\\anna", at(17, 10)))
    assert one.confidence is Level.LOW


@pytest.mark.parametrize(
    ("before", "account"),
    [
        (habits(*PCS[:3]), "CORP\\anna"),  # is everywhere
        (habits(PCS[0])[:1], "CORP\\anna"),  # seen once
        (habits(PCS[0], account="PC-01$"), "PC-01$"),  # a machine
        (habits(PCS[5]), "CORP\\anna"),  # at home
        (habits(PCS[0]), "CORP\\carl"),  # unknown before
    ],
)
def test_accounts_that_may(tmp_path: Path, before: Any, account: str) -> None:
    assert not logged_in(tmp_path, before, answer(PCS[5], account, at(17, 10)))


# ── days ───────────────────────────────────────────────────────────────────────────────────


def days_of(folder: Path, flows: list[Flow], window: Window) -> dict[str, list[int]]:
    with Store.open(folder / "flows.duckdb") as store:
        load(store, flows)
        found = store.traces(window, SERVICES, Thresholds()).days
    return {name: column.tolist() for name, column in found.items()}


def test_a_day_in_hours_and_figures(tmp_path: Path) -> None:
    flows = [seen(PCS[0], WEB, 443, at(0, 9) + one, bytes_to_server=7) for one in range(5)]
    flows += [seen(PCS[0], DB, 5432, at(0, 22), bytes_to_server=35)]
    days = days_of(tmp_path, flows, Window(captures=(1,)))
    row = {name: column[days["host"].index(0)] for name, column in days.items()}
    hour = BEGIN // SECOND // HOUR + 1
    assert (row["seen"], row["hours"], row["busy"]) == (1 << 9 | 1 << 22, 1 << 9 | 1 << 22, 1 << 9)
    assert (row["sent"], row["sent_hour"], row["received_hour"]) == (35, hour, hour)
    assert (row["flows"], row["peers"], row["day"]) == (5, 1, hour // 24)


def test_times_before_1970_and_pings(tmp_path: Path) -> None:
    flow = seen(PCS[0], WEB, 443, 0, first_us=-1, last_us=0)
    days = days_of(tmp_path, [flow], Window(before_us=5))
    assert (days["day"], days["seen"]) == ([-1, -1], [1 << 23, 1 << 23])
    (tmp_path / "pings").mkdir()
    pings = [ping(PCS[0], WEB, at(0, 9)), ping(PCS[0], DB, at(0, 9))]
    assert not any(days_of(tmp_path / "pings", pings, Window(captures=(1,)))["peers"])


def test_a_short_recording_is_not_added_up_by_days(tmp_path: Path) -> None:
    assert not days_of(tmp_path, weeks(0, 2), Window())["day"]


# ── order ──────────────────────────────────────────────────────────────────────────────────

SEVERAL = (
    [seen(PCS[0], f"203.0.113.{last}", 443, at(17, 10), bytes_to_server=90 * MB)
     for last in (66, 67, 68, 69)],
    night(PCS[1], WEB, 3389), night(JUMP, DB, 22, hour=2),
    [seen(pc, PCS[2], 8080, at(17, 10)) for pc in PCS[3:]],
    [seen(WEB, f"203.0.113.{last}", 443, at(18, 10)) for last in range(80, 85)],
    [seen(PCS[4], one, 3389, at(17, 10 + number)) for number, one in enumerate((WEB, DB, DC))],
)  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(0, len(SEVERAL) - 1), min_size=1), st.integers(0, 99))
def test_order_and_cuts_change_nothing(bad: set[int], seed: int) -> None:
    dice = random.Random(seed)
    flows = [*NOW, *(one for number in bad for one in SEVERAL[number])]
    with tempfile.TemporaryDirectory() as folder:
        once = of_kind(look(Path(folder), flows, before=BEFORE), *KINDS)
    dice.shuffle(flows)
    half = len(flows) // 2
    before = dice.sample(BEFORE, len(BEFORE))
    with tempfile.TemporaryDirectory() as folder:
        again = of_kind(look(Path(folder), flows[:half], flows[half:], before=before), *KINDS)
    assert once and again == once
