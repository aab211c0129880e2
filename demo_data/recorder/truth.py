"""What the capture must show, as plain data: written to truth.json, compared by the tests."""

from typing import Any

from recorder.calls import Call, Step
from recorder.hosts import GHOST, HOSTS, NETS
from recorder.story import BEFORE, day

_BEST = ("established", "refused", "unanswered", "one-way", "mid-stream")


def stamp(seconds: float) -> str:
    """Seconds of the day as RFC 3339."""
    minutes, rest = divmod(int(seconds), 60)
    return f"2026-09-15T{minutes // 60:02}:{minutes % 60:02}:{rest:02}Z"


def _seen(call: Call) -> bool:
    """Attempts at addresses of the own subnet that nobody has end with ARP."""
    return call.server in HOSTS or call.server == GHOST or call.service == "multicast"


def _client(call: Call) -> str:
    return "link-local" if call.server_address.startswith("ff02") else call.client_address


def conversations(steps: list[Step]) -> list[dict[str, Any]]:
    """Each planned conversation, by addresses, with its best outcome and who made it."""
    found: dict[tuple[str, str, int, int], dict[str, Any]] = {}
    planned = [(call, "normal") for call in BEFORE]
    planned += [
        (call, "intrusion" if step.intrusion else "normal")
        for step in steps
        for call in step.calls
        if _seen(call)
    ]
    sessions: set[str] = set()
    for call, side in planned:
        key = _client(call), call.server_address, call.protocol, call.port
        fact = found.setdefault(
            key,
            dict(zip(("client", "server", "protocol", "port"), key, strict=True))
            | {"service": call.service, "outcome": call.outcome, "flows": 0, "part_of": []},
        )
        fact["flows"] += call.session not in sessions
        sessions |= {call.session} - {""}
        fact["outcome"] = min(fact["outcome"], call.outcome, key=_BEST.index)
        fact["part_of"] = sorted({*fact["part_of"], side})
    return [found[key] for key in sorted(found)]


def truth() -> dict[str, Any]:
    """Hosts, conversations, and the steps of the intrusion."""
    steps = day()
    return {
        "site": "Kestrel Pumps",
        "begins": stamp(28_800),
        "ends": stamp(61_200),
        "networks": [
            {"name": net.name, "v4": f"{net.v4}.0/24", "v6": f"{net.v6}/64"}
            for net in NETS.values()
        ],
        "hosts": [
            {
                "name": host.name,
                "what": host.what,
                "addresses": [host.v4, host.v6] if host.has_v6 else [host.v4],
                "services": list(host.services),
            }
            for host in HOSTS.values()
        ]
        + [
            {
                "name": "router-1",
                "what": "the router between all subnets",
                "addresses": [
                    f"{prefix}1" for net in NETS.values() for prefix in (f"{net.v4}.", net.v6)
                ],
                "services": [],
            }
        ],
        "conversations": conversations(steps),
        "icmp_errors": [
            {"client": client, "server": HOSTS["mon-1"].v4, "about": about}
            for client, about in (
                (HOSTS["plc-2"].v4, "udp/161 is closed"),
                (f"{NETS['core'].v4}.1", f"{GHOST} is gone"),
            )
        ],
        "intrusion": [
            {
                "at": stamp(step.at),
                "client": step.calls[-1].client_address,
                "server": step.calls[-1].server_address,
                "what": step.intrusion,
            }
            for step in steps
            if step.intrusion
        ],
    }
