"""Parsers on bytes written by hand, after the specifications that they name."""

import struct
from uuid import UUID

import pytest

from workbench.capture.protocols import plc, rpc
from workbench.capture.protocols.kerberos import KerberosTalk
from workbench.capture.protocols.names import llmnr, nbns
from workbench.capture.protocols.ntlm import ntlm
from workbench.capture.protocols.smb import SmbTalk
from workbench.model.spoken import Act, Said


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack(">H", len(body))
    return bytes([tag]) + size + body


def integer(value: int) -> bytes:
    return tlv(2, value.to_bytes(2, "big", signed=True))


def principal(*names: str) -> bytes:
    parts = tlv(0x30, *(tlv(0x1B, name.encode()) for name in names))
    return tlv(0x30, tlv(0xA0, integer(1)), tlv(0xA1, parts))


def as_req(user: str, *, proof: bool) -> bytes:
    padata = tlv(0x30, tlv(0xA1, integer(2)), tlv(0xA2, tlv(4, b"x")))
    realm = tlv(0xA2, tlv(0x1B, b"REALM"))
    body = tlv(0x30, tlv(0xA0, integer(0)), tlv(0xA1, principal(user)), realm)
    middle = [tlv(0xA3, tlv(0x30, padata))] if proof else []
    return tlv(0x6A, tlv(0x30, tlv(0xA1, integer(5)), *middle, tlv(0xA4, body)))


def reply(tag: int, user: str, service: str, etype: int) -> bytes:
    sealed = tlv(0x30, tlv(0xA0, integer(etype)), tlv(0xA2, tlv(4, b"z" * 200)))
    name = tlv(0xA2, principal(*service.split("/")))
    ticket = tlv(0x61, tlv(0x30, tlv(0xA1, tlv(0x1B, b"REALM")), name, tlv(0xA3, sealed)))
    return tlv(tag, tlv(0x30, tlv(0xA3, tlv(0x1B, b"REALM")), tlv(0xA4, principal(user)),
                        tlv(0xA5, ticket), tlv(0xA6, sealed)))  # fmt: skip


@pytest.mark.parametrize("proof", [True, False])
def test_an_answer_without_proof_is_one_to_crack(proof: bool) -> None:
    talk = KerberosTalk()
    assert not list(talk.request(as_req("anna", proof=proof)))
    [said] = talk.answer(reply(0x6B, "anna", "krbtgt/REALM", 23))
    plain = Said(Act.ROASTABLE, "Kerberos", "anna@REALM", 23)
    assert said == (Said(Act.LOGIN, "Kerberos", "anna@REALM") if proof else plain)


def test_a_ticket_and_a_refusal() -> None:
    talk = KerberosTalk()
    assert list(talk.answer(reply(0x6D, "anna", "MSSQL/db", 23))) == [
        Said(Act.TICKET, "MSSQL/db", "anna@REALM", 23)
    ]
    list(talk.request(as_req("anna", proof=True)))
    for code, told in ((24, [Said(Act.REFUSED, "Kerberos", "anna@REALM", 24)]), (25, [])):
        assert list(talk.answer(tlv(0x7E, tlv(0x30, tlv(0xA6, integer(code)))))) == told


def ntlm_response(domain: str, user: str, station: str) -> bytes:
    data, texts = bytearray(64), b""
    data[:12] = b"NTLMSSP\0" + struct.pack("<I", 3)
    data[60:64] = struct.pack("<I", 1)
    for field, text in ((28, domain), (36, user), (44, station)):
        raw = text.encode("utf-16-le")
        data[field : field + 8] = struct.pack("<HHI", len(raw), len(raw), 64 + len(texts))
        texts += raw
    return bytes(data) + texts


def test_ntlm_wherever_it_is() -> None:
    message = b"junk" + ntlm_response("CORP", "anna", "PC-1")
    assert list(ntlm(message)) == [Said(Act.RESPONSE, "PC-1", "CORP\\anna")]
    assert not list(ntlm(ntlm_response("", "", "PC-1")))  # anonymous
    challenge = b"NTLMSSP\0" + struct.pack("<I", 2) + bytes(12) + bytes(range(8))
    assert [one.what for one in ntlm(challenge)] == ["0001020304050607"]


def test_control_characters_in_names_are_made_safe() -> None:
    [said] = ntlm(ntlm_response("CORP", "an\x1b[31mna\u202e", "PC"))
    assert said.who.isprintable() and "\x1b" not in said.who


def smb2(command: int, number: int, body: bytes, *, status: int = 0, tree: int = 0) -> bytes:
    head = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ", 64, 0, status, command, 0, 0, 0, number, 0,
                                    tree, 1) + bytes(16)  # fmt: skip
    return struct.pack(">I", 64 + len(body)) + head + body


def test_a_service_made_through_a_pipe() -> None:
    talk = SmbTalk()
    path, pipe = "\\\\FS\\IPC$".encode("utf-16-le"), "svcctl".encode("utf-16-le")
    handle = bytes(range(16))
    assert not list(talk.request(smb2(3, 1, struct.pack("<HHHH", 9, 0, 72, len(path)) + path)))
    assert list(talk.answer(smb2(3, 1, bytes(16), tree=7))) == [Said(Act.SHARE, "IPC$")]
    create = bytes(44) + struct.pack("<HHII", 120, len(pipe), 0, 0) + pipe
    assert not list(talk.request(smb2(5, 2, create, tree=7)))
    opened = list(talk.answer(smb2(5, 2, bytes(64) + handle + bytes(8), tree=7)))
    assert opened == [Said(Act.PIPE, "svcctl")]
    pdu = struct.pack("<BBBBIHHIIHH", 5, 0, 0, 3, 0x10, 24, 0, 1, 0, 0, 12)
    write = struct.pack("<HHIQ", 49, 112, 24, 0) + handle + bytes(16) + pdu
    assert list(talk.request(smb2(9, 3, write, tree=7))) == [
        Said(Act.CALL, "svcctl.CreateService", "", 12)
    ]


@pytest.mark.parametrize(("status", "act"), [(0, Act.LOGIN), (0xC000006D, Act.REFUSED)])
def test_whether_somebody_was_let_in(status: int, act: Act) -> None:
    talk = SmbTalk()
    blob = ntlm_response("CORP", "anna", "PC-1")
    setup = struct.pack("<HBBIIHHQ", 25, 0, 0, 0, 0, 88, len(blob), 0) + blob
    assert [one.act for one in talk.request(smb2(1, 4, setup))] == [Act.RESPONSE]
    assert list(talk.answer(smb2(1, 4, bytes(8), status=status))) == [
        Said(act, "SMB", "CORP\\anna", status)
    ]


def bind(interface: str, kind: int = 11) -> bytes:
    uuid = next(UUID(text) for text, name in rpc.INTERFACES.items() if name == interface)
    body = struct.pack("<HHIBBHHBB", 5840, 5840, 0, 1, 0, 0, 3, 1, 0) + uuid.bytes_le + bytes(24)
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, 1) + body


def test_calls_by_the_context_they_were_bound_to() -> None:
    talk = rpc.RpcTalk()
    assert list(talk.request(bind("drsuapi"))) == [Said(Act.BIND, "drsuapi")]
    for context, told in ((3, ["drsuapi.DRSGetNCChanges"]), (4, [])):
        pdu = struct.pack("<BBBBIHHIIHH", 5, 0, 0, 3, 0x10, 24, 0, 1, 0, context, 3)
        assert [one.what for one in talk.request(pdu)] == told


def test_the_endpoint_mapper_says_where_an_interface_is() -> None:
    talk = rpc.RpcTalk()
    list(talk.request(bind("epm")))
    svcctl = next(UUID(text) for text, name in rpc.INTERFACES.items() if name == "svcctl")
    tower = (
        b"\x13\0\x0d" + svcctl.bytes_le + bytes(4) + b"\x01\0\x07\x02\0" + struct.pack(">H", 49726)
    )
    head = struct.pack("<BBBBIHHIIHH", 5, 0, 2, 3, 0x10, 24 + len(tower), 0, 1, 0, 0, 0)
    assert not list(talk.answer(head + tower))
    assert talk.ports == {49726: "svcctl"}


def test_names_asked_and_answered() -> None:
    asked = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + b"\x05FILES\0" + struct.pack(">HH", 1, 1)
    assert llmnr(asked) == Said(Act.ASKED, "files", "LLMNR")
    answer = struct.pack(">6H", 1, 0x8000, 1, 1, 0, 0) + asked[12:]
    assert llmnr(answer) == Said(Act.ANSWERED, "files", "LLMNR")
    coded = b"".join(bytes([65 + (one >> 4), 65 + (one & 15)]) for one in b"WPAD".ljust(15) + b"\0")
    question = struct.pack(">6H", 1, 0x110, 1, 0, 0, 0) + b"\x20" + coded + b"\0\0\x20\0\1"
    assert nbns(question) == Said(Act.ASKED, "wpad", "NBT-NS")


def test_commands_to_controllers() -> None:
    write = struct.pack(">HHHBB", 1, 0, 6, 1, 6) + bytes(4)
    read = struct.pack(">HHHBB", 2, 0, 6, 1, 3) + bytes(4)
    assert [one.what for one in plc.modbus(write + read)] == ["Modbus write register", "Modbus"]
    stop = bytes.fromhex(
        "0300001b02f080 32010000000000080000 29000000000009505f50".replace(" ", "")
    )
    assert [one.what for one in plc.s7(stop)] == ["S7 stop"]
    cip = bytes.fromhex("10 03 20f5 2401 3005".replace(" ", "")) + bytes(4)
    items = struct.pack("<HHHHH", 2, 0, 0, 0xB2, len(cip))
    rest = struct.pack("<IHIIQI", 0x6F | (16 + len(cip)) << 16, 1, 0, 0, 0, 0)[:24]
    assert [one.what for one in plc.cip(rest.ljust(24, b"\0") + bytes(6) + items + cip)] == [
        "CIP set attribute"
    ]
