"""Findings of what was said: facts written down in a few words."""

from pathlib import Path
from typing import Any

import pytest
from findings_site import BEGIN, HOUR, SECOND, inventory, look, of_kind, office, only, seen

from workbench.model.finding import Level
from workbench.model.net import TCP, UDP, parse_address
from workbench.model.spoken import Act, Said, Spoken

PC, OTHER, DC, FILES = "10.1.0.11", "10.1.0.12", "10.2.0.10", "10.2.0.20"
PLC, HMI = "10.5.0.101", "10.5.0.10"


def said(client: str, server: str, port: int, at: float, fact: Said, count: int = 1,
         protocol: int = TCP) -> Spoken:  # fmt: skip
    moment = BEGIN + round(at * SECOND)
    ends = parse_address(client), parse_address(server)
    return Spoken(fact, *ends, protocol, port, moment, moment, count)


def call(client: str, server: str, what: str, at: float, port: int = 445) -> Spoken:
    return said(client, server, port, at, Said(Act.CALL, what))


def heard(folder: Path, *facts: Spoken, **more: Any) -> Any:
    flows = [
        seen(str_of(one.client), str_of(one.server), one.port, (one.first_us - BEGIN) / SECOND,
             protocol=one.protocol)
        for one in facts
    ]  # fmt: skip
    spoken = tuple(sorted(facts, key=lambda one: one.first_us))
    return look(folder, [*office(), *flows], spoken=spoken, **more)


def str_of(address: int) -> str:
    from workbench.model.net import format_address

    return format_address(address)


def test_a_controller_replicates_and_nobody_else_does(tmp_path: Path) -> None:
    what = "drsuapi.DRSGetNCChanges"
    found = heard(tmp_path, call(PC, DC, what, 100, 49667), call(DC, FILES, what, 200, 49667))
    one = only(found, "dcsync")
    assert (one.technique, one.confidence) == ("T1003.006", Level.HIGH)
    assert str_of(one.host) == PC and one.evidence[0].port == 49667


@pytest.mark.parametrize(("services", "level"), [(1, 1), (3, 2), (5, 3)])
def test_rc4_tickets_among_aes_ones(tmp_path: Path, services: int, level: int) -> None:
    weak = [said(PC, DC, 88, 10 + at, Said(Act.TICKET, f"MSSQL/db{at}", "u@R", 23))
            for at in range(services)]  # fmt: skip
    others = [said(OTHER, DC, 88, 20 + at, Said(Act.TICKET, f"cifs/f{at}", "v@R", 18))
              for at in range(9)]  # fmt: skip
    krbtgt = said(OTHER, DC, 88, 30, Said(Act.TICKET, "krbtgt/R", "v@R", 23))
    one = only(heard(tmp_path, *weak, *others, krbtgt), "kerberoasting")
    assert (str_of(one.host), one.confidence) == (PC, Level(level))


def test_a_realm_of_rc4_is_no_roasting(tmp_path: Path) -> None:
    facts = [said(f"10.1.0.{11 + at}", DC, 88, at, Said(Act.TICKET, f"cifs/f{at}", "v@R", 23))
             for at in range(8)]  # fmt: skip
    assert not of_kind(heard(tmp_path, *facts), "kerberoasting")


def test_answers_without_proof(tmp_path: Path) -> None:
    facts = [said(PC, DC, 88, at, Said(Act.ROASTABLE, "Kerberos", f"u{at}@R", 23))
             for at in range(3)]  # fmt: skip
    one = only(heard(tmp_path, *facts), "as-rep-roasting")
    assert (one.technique, one.confidence) == ("T1558.004", Level.HIGH)


def test_refused_logins_tell_guessing_from_spraying_and_stale_passwords(tmp_path: Path) -> None:
    wrong = 0xC000006A
    guesses = said(PC, FILES, 445, 100, Said(Act.REFUSED, "SMB", "D\\admin", wrong), 50)
    spray = [said(OTHER, DC, 88, 100 + at, Said(Act.REFUSED, "Kerberos", f"u{at}@R", 24))
             for at in range(15)]  # fmt: skip
    stale = [said("10.1.0.13", FILES, 445, at * HOUR, Said(Act.REFUSED, "SMB", "D\\svc", wrong), 9)
             for at in range(7)]  # fmt: skip
    found = heard(tmp_path, guesses, *spray, *stale)
    levels = {str_of(one.host): (one.technique, one.confidence)
              for one in of_kind(found, "refused-logins", "refused-spray")}  # fmt: skip
    assert levels == {
        PC: ("T1110.001", Level.HIGH),
        OTHER: ("T1110.003", Level.HIGH),
        "10.1.0.13": ("T1110.001", Level.LOW),
    }


def test_psexec_is_a_file_and_a_service(tmp_path: Path) -> None:
    facts = (
        said(PC, OTHER, 445, 100, Said(Act.SHARE, "ADMIN$", "D\\admin")),
        said(PC, OTHER, 445, 101, Said(Act.FILE, "ADMIN$\\PSEXESVC.exe", "D\\admin")),
        call(PC, OTHER, "svcctl.CreateService", 102),
        call(PC, OTHER, "svcctl.StartService", 103),
    )
    found = [one for one in heard(tmp_path, *facts) if str_of(one.host) == PC]
    kinds = {one.kind: one for one in found}
    assert kinds["remote-service"].confidence is Level.HIGH
    assert "PSEXESVC.exe" in kinds["remote-service"].why
    assert {"admin-share", "file-written"} <= set(kinds)
    assert "first-login" not in kinds  # told better


def test_a_jump_host_does_so_by_trade(tmp_path: Path) -> None:
    facts = [call(PC, OTHER, "svcctl.CreateService", 100)]
    [one] = of_kind(heard(tmp_path, *facts, known=inventory(jump=PC)), "remote-service")
    assert one.confidence is Level.LOW


def test_a_challenge_passed_on(tmp_path: Path) -> None:
    middle = "10.1.0.66"
    facts = (
        said(PC, middle, 445, 100, Said(Act.CHALLENGE, "0011223344556677", "FILES")),
        said(middle, FILES, 445, 100, Said(Act.CHALLENGE, "0011223344556677", "FILES")),
        said(OTHER, FILES, 445, 100, Said(Act.CHALLENGE, "8899aabbccddeeff", "FILES")),
    )
    one = only(heard(tmp_path, *facts), "ntlm-relay")
    assert (str_of(one.host), one.technique) == (middle, "T1557.001")
    assert {str_of(peer) for peer in one.peers} == {PC, FILES}


@pytest.mark.parametrize(("names", "level"), [(1, None), (2, 2), (4, 3)])
def test_who_answers_for_many_names(tmp_path: Path, names: int, level: int | None) -> None:
    facts = []
    for at in range(names):
        name, group = f"host{at}", "224.0.0.252"
        facts.append(said(PC, group, 5355, at, Said(Act.ASKED, name, "LLMNR"), protocol=UDP))
        facts.append(said(PC, OTHER, 5355, at, Said(Act.ANSWERED, name, "LLMNR"), protocol=UDP))
    found = of_kind(heard(tmp_path, *facts), "name-poisoning")
    assert [one.confidence for one in found] == ([] if level is None else [Level(level)])
    assert all(str_of(one.host) == OTHER for one in found)


def test_a_new_writer_to_a_controller(tmp_path: Path) -> None:
    write = Said(Act.COMMAND, "Modbus write registers", "", 16)
    before = [said(HMI, PLC, 502, at, write) for at in range(9)]
    now = [said(HMI, PLC, 502, 100, write), said(PC, PLC, 502, 200, write)]
    baseline = [seen(HMI, PLC, 502, 1)]
    found = heard(tmp_path, *now, before=baseline, spoken_before=tuple(before))
    one = only(found, "controller-command")
    assert (str_of(one.host), one.confidence, one.technique) == (PC, Level.HIGH, "T0855")
    assert not of_kind(found, "new-to-controller")  # told better


def test_a_writer_that_was_there_all_along_is_none(tmp_path: Path) -> None:
    write = Said(Act.COMMAND, "S7 write variable", "", 5)
    facts = [said(HMI, PLC, 102, at, write) for at in range(0, 4 * HOUR, 600)]
    assert not of_kind(heard(tmp_path, *facts), "controller-command")


def test_a_stopped_controller_is_told_by_its_technique(tmp_path: Path) -> None:
    facts = (
        said(HMI, PLC, 102, 0, Said(Act.QUERY, "S7")),
        said(PC, PLC, 102, 2 * HOUR, Said(Act.COMMAND, "S7 stop", "", 0x29)),
    )
    one = only(heard(tmp_path, *facts), "controller-command")
    assert (one.technique, one.confidence) == ("T0858", Level.MEDIUM)


def test_what_could_not_be_read_is_said(tmp_path: Path) -> None:
    flows = [*office(), seen(PC, OTHER, 445, 5000)]
    [one] = of_kind(look(tmp_path, flows, unheard=("a.pcap: gone",)), "first-login")
    assert "not read: a.pcap: gone" in one.unseen


def test_who_put_aside_a_first_login_did_not_put_aside_a_sure_trace(tmp_path: Path) -> None:
    """Payload shows a service made over it: as sure as the login was, or surer."""
    made = call(PC, OTHER, "svcctl.CreateService", 5000)
    dropped = said(PC, OTHER, 445, 4990, Said(Act.FILE, "ADMIN$\\x.exe"))
    for name, facts in (("alone", (made,)), ("dropped", (dropped, made))):
        flows = [*office(), seen(PC, OTHER, 445, 5000)]
        folder = tmp_path / name
        folder.mkdir()
        [login] = of_kind(look(folder, flows), "first-login")
        found = only(heard(folder, *facts), "remote-service")
        assert found.confidence is (Level.HIGH if dropped in facts else Level.MEDIUM)
        assert (login.id in found.known_by) == (found.confidence <= login.confidence)


def test_refused_logins_are_the_guesses_that_flows_show(tmp_path: Path) -> None:
    wrong = said(PC, FILES, 445, 4990, Said(Act.REFUSED, "SMB", "ann", 0xC000006D), 60)
    brief = [seen(PC, FILES, 445, 4990 + at, bytes_to_server=900, bytes_to_client=900)
             for at in range(60)]  # fmt: skip
    (tmp_path / "flows").mkdir()
    rough = only(look(tmp_path / "flows", [*office(), *brief]), "guessing")
    (tmp_path / "said").mkdir()
    found = look(tmp_path / "said", [*office(), *brief], spoken=(wrong,))
    sharp = only(found, "refused-logins")
    assert sharp.id == rough.id and not of_kind(found, "guessing")
    kerberos = said(PC, DC, 88, 4990, Said(Act.REFUSED, "Kerberos", "ann", 24), 60)
    assert only(heard(tmp_path, kerberos), "refused-logins").known_by[1:] == ()
