"""A real capture against Suricata's flow records of it: client, server, packets, bytes, times.

Suricata counts whole frames, here Ethernet: 14 bytes a packet more than the IP layer, and 60 at
least.
"""

import gzip
import json
from datetime import datetime
from pathlib import Path

from truth import load

from workbench.model.traffic import Outcome

ENDS = ("server", "client")
ETHERNET, SHORTEST = 14, 60
RST = 40
"""IP-layer bytes of what the refusing servers sent: padded each."""


def test_flows_equal_those_of_suricata(shared_data: Path) -> None:
    folder = shared_data / "flowlogs" / "vast-triple"
    theirs = []
    with gzip.open(folder / "suricata-eve.json.gz", "rt") as lines:
        for event in map(json.loads, lines):
            if event["event_type"] == "flow":
                assert event["proto"] == "TCP"
                counts = event["flow"]
                theirs.append(
                    (
                        (event["src_ip"], event["src_port"]),
                        (event["dest_ip"], event["dest_port"]),
                        *(counts[f"{what}_to{end}"] for end in ENDS for what in ("pkts", "bytes")),
                        *(microseconds(counts[edge]) for edge in ("start", "end")),
                    )
                )
    ours = []
    for flow in load(folder / "example.pcap.gz")[1]:
        figures = []
        for end in ENDS:
            packets, size = flow[f"packets_to_{end}"], flow[f"bytes_to_{end}"]
            padding = 0
            if flow["outcome"] == Outcome.REFUSED and end == "client":
                assert size == packets * RST
                padding = packets * (SHORTEST - RST - ETHERNET)
            figures += [packets, size + packets * ETHERNET + padding]
        ours.append((flow["client"], flow["server"], *figures, flow["first_us"], flow["last_us"]))
    assert len(ours) == 21
    assert sorted(ours) == sorted(theirs)


def microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round(moment.timestamp() * 1_000_000)
