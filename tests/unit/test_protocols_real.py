"""What our parsers hear in real captures, against tshark's fields; and that it is kept."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from craft import pcap, udp4
from craft_layers import vxlan

from workbench import capture
from workbench.capture.protocols import listen
from workbench.capture.protocols.rpc import OPERATIONS
from workbench.model.errors import Cancelled
from workbench.model.spoken import Act
from workbench.session import Session

OTRF = "lateral/otrf"
DCSYNC = f"{OTRF}/empire_dcsync_dcerpc_drsuapi_DsGetNCChanges_2020-09-21185829.cap"
CAPTURES = (
    DCSYNC,
    f"{OTRF}/covenant_sharpsc_query_dcerpc_smb_svcctl_2020-08-06012009.cap",
    f"{OTRF}/empire_getsession_dcerpc_smb_srvsvc_NetSessEnum_2020-09-22034513.cap",
    f"{OTRF}/empire_psexec_dcerpc_tcp_svcctl_WORKSTATION5_2020-09-20121608.cap",
    f"{OTRF}/purplesharp_ad_playbook_I_2020-10-22042947.cap",
    f"{OTRF}/schtask_create_2020-12-1907003032.pcapng",
    "lateral/apt29-day2/NEWYORK.cap",
)


def tshark(path: Path, chosen: str, field: str) -> Counter[str]:
    program = shutil.which("tshark")
    assert program
    command = [program, "-n", "-r", str(path), "-Y", chosen, "-T", "fields", "-e", field]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(one for line in out.splitlines() for one in line.split(",") if one)


def ours(path: Path, act: Act) -> Counter[str]:
    told: Counter[str] = Counter()
    for one in listen(path).facts:
        if one.said.act is act:
            told[one.said.what] += one.count
    return told


@pytest.mark.parametrize("name", CAPTURES)
def test_calls_are_those_that_tshark_sees(shared_data: Path, name: str) -> None:
    path = shared_data / name
    calls = ours(path, Act.CALL)
    fields = {
        "svcctl": "svcctl.opnum", "drsuapi": "drsuapi.opnum", "srvsvc": "srvsvc.opnum",
        "samr": "samr.opnum",
    }  # fmt: skip
    for interface, field in fields.items():
        seen = tshark(
            path, f"{interface} && dcerpc.pkt_type == 0 && dcerpc.cn_flags.first_frag == 1", field
        )
        wanted: Counter[str] = Counter()
        for number, count in seen.items():
            if operation := OPERATIONS[interface].get(int(number)):
                wanted[f"{interface}.{operation}"] += count
        mine = {what: count for what, count in calls.items() if what.startswith(f"{interface}.")}
        assert mine == dict(wanted), interface


@pytest.mark.parametrize("name", CAPTURES)
def test_shares_are_those_that_tshark_sees(shared_data: Path, name: str) -> None:
    path = shared_data / name
    trees = tshark(
        path, "smb2.cmd == 3 && smb2.flags.response == 0 && !smb2.nt_status", "smb2.tree"
    )
    wanted: Counter[str] = Counter()
    for tree, count in trees.items():
        wanted[tree.rsplit("\\", 1)[-1].upper()] += count
    assert ours(path, Act.SHARE) == wanted


@pytest.mark.parametrize("name", CAPTURES)
def test_tickets_are_those_that_tshark_sees(shared_data: Path, name: str) -> None:
    path = shared_data / name
    assert ours(path, Act.TICKET).total() == tshark(path, "kerberos.msg_type == 13",
                                                    "kerberos.msg_type").total()  # fmt: skip


def test_commands_are_those_that_tshark_sees(shared_data: Path) -> None:
    path = shared_data / "ics/mb2.pcap"
    mine = ours(path, Act.COMMAND)
    coils = tshark(path, "modbus && tcp.dstport == 502", "modbus.func_code")["15"]
    variables = tshark(path, "s7comm.header.rosctr == 1", "s7comm.param.func")["0x05"]
    assert mine["Modbus write coils"] == coils > 0
    assert mine["S7 write variable"] == variables > 0


def test_a_capture_is_listened_to_once(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session.open(tmp_path) as session:
        session.ingest([shared_data / DCSYNC])
        first = session.findings.find()
    assert "dcsync" in {one.kind for one in first}
    monkeypatch.setattr(capture, "listen", None)
    with Session.open(tmp_path) as session:
        assert session.findings.find() == first


def test_a_capture_that_is_gone_is_said_to_be(shared_data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.cap"
    shutil.copy(shared_data / CAPTURES[1], mine)
    with Session.open(tmp_path / "site") as session:
        session.ingest([mine])
        mine.unlink()
        found = session.findings.find()
        assert found and all("mine.cap" in one.unseen for one in found)


def said_in(path: Path) -> Counter[Any]:
    told: Counter[Any] = Counter()
    for one in listen(path).facts:
        told[one.said, one.client, one.server, one.port] += one.count
    return told


@pytest.mark.parametrize("carrier", ["vlan", "vxlan"])
def test_what_is_inside_of_a_carrier_is_heard_as_well(
    shared_data: Path, tmp_path: Path, carrier: str
) -> None:
    path = shared_data / DCSYNC
    frames = [data for *_, data in capture.records(path)]
    if carrier == "vlan":
        wrapped = [one[:12] + b"\x81\0\0\x05" + one[12:] for one in frames]
    else:
        wrapped = [udp4("192.0.2.1", 40_000, "192.0.2.2", 4789, vxlan(one)) for one in frames]
    mine = tmp_path / "wrapped.pcap"
    mine.write_bytes(pcap(wrapped))
    assert said_in(mine) == said_in(path)


def test_segments_out_of_order_and_twice_say_the_same(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / CAPTURES[3]
    frames = [data for *_, data in capture.records(path)]
    mixed = [one for at in range(0, len(frames), 2) for one in (*frames[at : at + 2], frames[at])]
    mine = tmp_path / "mixed.pcap"
    mine.write_bytes(pcap(mixed))
    calls = {key: count for key, count in said_in(path).items() if key[0].act is Act.CALL}
    again = {key: count for key, count in said_in(mine).items() if key[0].act is Act.CALL}
    assert calls and again == calls


def test_listening_can_be_stopped(shared_data: Path) -> None:
    with pytest.raises(Cancelled):
        listen(shared_data / DCSYNC, cancelled=lambda: True)
