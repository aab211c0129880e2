"""Real recordings: what is found of documented attacks, and silence on benign ones."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench.model.errors import CaptureError
from workbench.model.finding import Finding, Level
from workbench.model.net import format_address
from workbench.session import Session

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Truth:
    """What happened in a capture, by its name or its published story."""

    file: str
    story: str
    """Techniques, in the words of who recorded it."""
    found: tuple[tuple[str, str, str, str], ...]
    """Technique, host, a peer, at least this confidence."""
    missed: str = ""
    """What is not found, and why."""


OTRF, APT = "lateral/otrf", "lateral/apt29-day2"
W5, W6, W7, DC = "172.18.39.5", "172.18.39.6", "172.18.39.7", "172.18.38.5"
UTICA, NEWYORK, SCRANTON = "10.0.1.5", "10.0.0.4", "10.0.1.4"
TRUTHS = (
    Truth(
        f"{OTRF}/covenant_psremoting_command_2020-08-06115603.cap",
        "T1021.006: PowerShell remoting to another workstation",
        (("T1021.006", W5, W6, "medium"),),
    ),
    Truth(
        f"{OTRF}/covenant_sharpsc_query_dcerpc_smb_svcctl_2020-08-06012009.cap",
        "T1569.002 / T1007: services queried over SMB and RPC",
        (
            ("T1021.002", W5, W6, "medium"),
            ("T1021.003", W5, W6, "medium"),
            ("T1007", W5, W6, "low"),
        ),
    ),
    Truth(
        f"{OTRF}/empire_psexec_dcerpc_tcp_svcctl_WORKSTATION5_2020-09-20121608.cap",
        "T1569.002: a service made and started over RPC",
        (("T1569.002", W5, W6, "medium"),),
        "the implant's long HTTP session has no rhythm of flows",
    ),
    Truth(
        f"{OTRF}/empire_psexec_dcerpc_tcp_svcctl_WORKSTATION6_2020-09-20121608.cap",
        "T1569.002: the same, seen from the victim",
        (("T1569.002", W5, W6, "medium"),),
    ),
    Truth(
        f"{OTRF}/empire_wmi_dcerpc_wmi_IWbemServices_ExecMethod_WORKSTATION5_2020-09-21001437.cap",
        "T1047: a process started by WMI",
        (("T1047", W5, W6, "medium"),),
    ),
    Truth(
        f"{OTRF}/schtask_create_2020-12-1907003032.pcapng",
        "T1053.005: a scheduled task made over RPC, by somebody at a remote desktop from outside",
        (
            ("T1053.005", W5, W6, "medium"),
            ("T1021.001", "71.191.74.123", W5, "low"),
            ("T1021", "71.191.74.123", W6, "low"),
        ),
    ),
    Truth(
        f"{OTRF}/purplesharp_ad_playbook_I_2020-10-22042947.cap",
        "T1087.002, T1018, T1558.003, T1021.006 and more, in fifteen seconds",
        (
            ("T1087.002", W5, DC, "low"),
            ("T1558.003", W5, DC, "high"),
            ("T1135", W5, W6, "medium"),
            ("T1021.006", W5, W7, "medium"),
            ("T1021.006", W5, W6, "medium"),
            ("T1021.002", W5, W7, "medium"),
        ),
        "three pings are no sweep",
    ),
    Truth(
        f"{OTRF}/empire_getsession_dcerpc_smb_srvsvc_NetSessEnum_2020-09-22034513.cap",
        "T1049: sessions listed on the domain controller over SMB",
        (("T1049", W5, DC, "medium"),),
    ),
    Truth(
        f"{OTRF}/empire_dcsync_dcerpc_drsuapi_DsGetNCChanges_2020-09-21185829.cap",
        "T1003.006: DCSync",
        (("T1003.006", W5, DC, "high"),),
    ),
    Truth(
        f"{OTRF}/metasploit_logonpasswords_lsass_memory_dump.s128.pcapng",
        "T1003.001: memory of a local process",
        (("T1087.002", "192.168.1.41", "192.168.1.4", "low"),),
        "the dump, which crosses no network; the directory is read at sign-in, with nobody to "
        "compare: a false alarm of low confidence",
    ),
    Truth(
        f"{APT}/UTICA-A.s128.cap",
        "T1087, T1021.006 to the domain controller, tools over it",
        (
            ("T1021.006", UTICA, NEWYORK, "low"),
            ("T1570", UTICA, NEWYORK, "low"),
            ("T1087.002", UTICA, NEWYORK, "low"),
        ),
        "command and control at irregular intervals",
    ),
    Truth(
        f"{APT}/NEWYORK.cap",
        "the same from the controller: T1021.006, T1570, T1087, T1558",
        (
            ("T1021.006", UTICA, NEWYORK, "low"),
            ("T1570", UTICA, NEWYORK, "low"),
            ("T1087.002", UTICA, NEWYORK, "medium"),
            ("T1110", UTICA, NEWYORK, "low"),
        ),
        "the golden ticket, whose encryption is like any other's; DCSync is not in this capture: "
        "of DRSUAPI, names are resolved and no more",
    ),
    Truth(
        f"{APT}/SCRANTON.cap",
        "T1021.006 from one workstation to the next",
        (("T1021.006", UTICA, SCRANTON, "medium"),),
    ),
    Truth(
        f"{APT}/UTICA-ONE-DRIVE.pcap",
        "T1567.002: files to cloud storage, by somebody at a remote desktop",
        (("T1021.001", "172.18.39.2", UTICA, "medium"),),
        "the upload, over TLS to a service that everybody uses",
    ),
    Truth(
        f"{APT}/UTICA-C.cap",
        "T1053, T1547: persistence at sign-in",
        (),
        "all of it: on the host itself, or inside the TLS of its implant",
    ),
)


def find(folder: Path, capture: Path) -> tuple[tuple[Finding, ...], int, float]:
    """Findings of one capture, and how many hosts and hours it holds."""
    with Session.open(folder) as session:
        session.ingest([capture])
        spans = [(one.first_us, one.last_us) for one in session.captures()]
        hours = sum((last or 0) - (first or 0) for first, last in spans) / HOUR_US
        return session.findings.find(), len(session.table.hosts), hours


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: Path(truth.file).name[:40])
def test_an_attack_that_others_recorded(shared_data: Path, tmp_path: Path, truth: Truth) -> None:
    found, _, _ = find(tmp_path, shared_data / truth.file)
    told = {
        (one.technique, format_address(one.host), format_address(peer)): one.confidence
        for one in sorted(found, key=lambda one: one.confidence)
        for peer in one.peers
    }
    for technique, host, peer, least in truth.found:
        assert told.get((technique, host, peer), 0) >= Level[least.upper()], (technique, told)
    extra = {key[0] for key in told} - {one[0] for one in truth.found}
    assert not extra, extra
    sure = {one.technique for one in found if one.confidence is Level.HIGH}
    assert sure <= {one[0] for one in truth.found if one[3] == "high"}  # minutes, no baseline


def test_every_attack_is_in_the_table(shared_data: Path) -> None:
    captures = {
        str(path.relative_to(shared_data))
        for folder in (OTRF, APT)
        for path in (shared_data / folder).rglob("*cap*")
        if path.is_file()
    }
    assert captures == {truth.file for truth in TRUTHS}


BENIGN = ("ics", "arkime", "zeek", "flowlogs/vast-triple", "tcpdump")


@pytest.mark.parametrize("folder", BENIGN)
def test_benign_recordings_have_no_finding_of_high_confidence(
    shared_data: Path, tmp_path: Path, folder: str
) -> None:
    captures = [
        path
        for path in sorted((shared_data / folder).iterdir())
        if path.suffix in (".pcap", ".pcapng", ".gz")
        and "log" not in path.name
        and "json" not in path.name
    ]
    sure, alarms, host_hours = 0, 0, 0.0
    for number, capture in enumerate(captures):
        try:
            found, hosts, hours = find(tmp_path / str(number), capture)
        except CaptureError:  # nothing in it that we read
            continue
        sure += sum(one.confidence is Level.HIGH for one in found)
        alarms += len(found)
        host_hours += hosts * min(hours, 24)
    per_thousand = 1000 * sure / max(host_hours, 1e-9)
    print(
        f"{folder}: {len(captures)} captures, {alarms} findings, {sure} high, "
        f"{host_hours:.0f} host hours, {per_thousand:.1f} per 1,000 hosts and hour"
    )
    assert captures and per_thousand == 0
