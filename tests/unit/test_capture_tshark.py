"""Each conversation of real captures, its packets, bytes and times, as tshark sees it now."""

import shutil
from pathlib import Path

import pytest

from tests import against_tshark

SAME = [
    "lateral/apt29-day2/NEWYORK.cap",
    "lateral/apt29-day2/UTICA-A.s128.cap",
    "lateral/otrf/schtask_create_2020-12-1907003032.pcapng",
    "lateral/otrf/empire_dcsync_dcerpc_drsuapi_DsGetNCChanges_2020-09-21185829.cap",
    "zeek/pppoe-over-qinq.pcap",
    "tcpdump/gso-ipv6-vxlan-ipv4.pcap",
]


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", SAME)
def test_conversations_are_the_same(shared_data: Path, name: str) -> None:
    assert against_tshark.differences(shared_data / name) == []
    assert against_tshark.by_us(shared_data / name)


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_a_difference_is_told(shared_data: Path) -> None:
    """tshark does not recognise this Teredo: its packets are of the flow outside."""
    first, second = against_tshark.differences(shared_data / "zeek" / "Teredo.pcap")
    assert first.startswith("tcp 2001:0:4137:9e50") and "tshark None" in first
    assert second.startswith("udp 83.170.1.38 32900 – 192.168.2.16 3797: tshark Seen")
