"""Whatever bytes come: parsers give facts or nothing, and what they say is safe to show."""

import struct
from collections.abc import Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.capture.protocols import plc, rpc
from workbench.capture.protocols.kerberos import KerberosTalk
from workbench.capture.protocols.names import llmnr, nbns
from workbench.capture.protocols.ntlm import ntlm
from workbench.capture.protocols.smb import SmbTalk
from workbench.capture.protocols.streams import Stream
from workbench.capture.protocols.talks import PORTS, RPC, Talk
from workbench.model.spoken import MOST_TEXT, Said

HEADS = (
    b"", b"\0\0\0\x80\xfeSMB\x40\0", b"\0\0\0\x80\xffSMB\x73\0\0\0\0", b"\x05\0\x0b\x03\x10\0\0\0",
    b"\x05\0\0\x03\x10\0\0\0\xff\0", b"\x6a\x82\xff\xff\x30", b"\x6d\x30\x30\x30",
    b"NTLMSSP\0\3\0\0\0",
    b"NTLMSSP\0\2\0\0\0", b"\0\1\0\0\0\6\1\x10", b"\3\0\0\x1f\2\xf0\x80\x32\1", b"\x6f\0\x20\0",
    b"\x30\x84\xff\xff\xff\xff",
)  # fmt: skip
BYTES = st.builds(
    lambda head, rest, again: (head + rest) * again,
    st.sampled_from(HEADS),
    st.binary(max_size=300),
    st.integers(1, 4),
)


def everything(data: bytes) -> Iterable[Said]:
    for talk in (SmbTalk(), rpc.RpcTalk("svcctl"), KerberosTalk()):
        for _ in range(2):
            yield from talk.request(data)
            yield from talk.answer(data)
    yield from ntlm(data)
    yield from plc.modbus(data)
    yield from plc.s7(data)
    yield from plc.cip(data)
    yield from (one for one in (llmnr(data), nbns(data)) if one)


@settings(max_examples=300, deadline=None)
@given(BYTES)
@example(b"\x30\x80" * 5000)
@example(b"\0\0\xff\xff\xfeSMB" + b"\xff" * 300)
def test_no_bytes_make_a_parser_raise_or_say_what_is_unsafe(data: bytes) -> None:
    for said in everything(data):
        assert all(text.isprintable() for text in (said.what, said.who))
        assert max(len(said.what), len(said.who)) <= MOST_TEXT


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*PORTS.values(), RPC]),
    st.lists(st.tuples(st.booleans(), st.integers(0, 2**32 - 1), BYTES, st.integers(0, 2000))),
)
def test_no_segments_make_a_connection_raise(
    form: object, segments: list[tuple[bool, int, bytes, int]]
) -> None:
    talk = Talk(form)  # type: ignore[arg-type]
    for to_server, sequence, data, missing in segments:
        for said in talk.hear(to_server, sequence, data, len(data) + missing):
            assert isinstance(said, Said)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=40), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
    st.integers(1, 30),
)
def test_a_stream_is_put_in_order_whatever_the_order_and_cuts(
    messages: list[bytes], start: int, random: object, cut: int
) -> None:
    """The first segment aside: a connection that is joined late begins with what comes first."""
    whole = b"".join(b"M" + struct.pack(">H", len(one)) + one for one in messages)
    pieces = [(start + at, whole[at : at + cut]) for at in range(0, len(whole), cut)][:24]
    whole = b"".join(data for _, data in pieces)
    first, rest = pieces[0], pieces[1:]
    random.shuffle(rest)  # type: ignore[attr-defined]
    stream = Stream(
        3, lambda head: 3 + struct.unpack(">H", head[1:3])[0], lambda data: data[:1] == b"M", 64
    )
    told = []
    for sequence, data in [first, *rest, *rest]:  # everything comes twice
        told += stream.add(sequence % 2**32, data, len(data))
    expected, at = [], 0
    while at + 3 <= len(whole) and at + 3 + whole[at + 2] <= len(whole):
        expected.append(whole[at : at + 3 + whole[at + 2]])
        at += 3 + whole[at + 2]
    assert told == expected


def test_a_hole_costs_the_messages_it_touches_and_no_more() -> None:
    def message(text: bytes) -> bytes:
        return b"M" + struct.pack(">H", len(text)) + text

    stream = Stream(
        3, lambda head: 3 + struct.unpack(">H", head[1:3])[0], lambda data: data[:1] == b"M", 64
    )
    whole = message(b"x" * 100)
    # Captured short: what is known of the message, and the next one.
    assert list(stream.add(0, whole[:20], len(whole))) == [whole[:20]]
    assert list(stream.add(len(whole), message(b"next"), 7)) == [message(b"next")]
    # Lost: after enough segments nobody waits any more.
    at, told = 10_000, []
    for number in range(40):
        text = message(bytes([number]))
        told += stream.add(at, text, len(text))
        at += len(text)
    assert message(bytes([39])) in told and len(told) >= 15
