"""Ask the kernel itself: load the file in a throw-away namespace, send packets through it.

Nothing outside the namespace is touched: `unshare -rn` gives gateway.py a network of its own,
which vanishes with the process. Where that cannot be had the answer is "not checked" and why.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.model.net import V4_BASE, is_v4
from workbench.verify.batch import Batch
from workbench.verify.compare import Found

PROGRAM = Path(__file__).with_name("gateway.py")
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""nft and ip live in sbin, which is not on every user's PATH."""
PATIENCE = 600
"""Seconds until we stop waiting."""
FATES = {
    "a": "accept",
    "d": "drop",
    "r": "accept, but the reply is dropped",
}


@dataclass(frozen=True)
class Answer:
    """What the kernel did."""

    unasked: str = ""
    """Why it could not be asked at all; empty when it was."""
    load: str = ""
    """nft's complaint; empty when the file loaded, twice."""
    listing: str = ""
    """The ruleset as the kernel holds it, in nft's words."""
    trouble: str = ""
    """Why no packets could be sent; empty when they were."""
    fates: str = ""
    """One letter a packet: a key of FATES, or n for a packet that was not sent."""

    def found(self) -> Found:
        """The fates of the packets, in the words of the evaluators."""
        codes = np.frombuffer(self.fates.encode(), np.uint8).astype(np.int64)
        names = tuple(FATES.get(chr(code), "not sent") for code in range(128))
        return Found(codes, names, frozenset({ord("a")}), frozenset({ord("d")}))


def ask(ruleset: str, batch: Batch, tick: Callable[[], None]) -> Answer:
    """Load the ruleset and send the first packet (and the reply) of every conversation.

    `tick` is called now and then and may raise to stop.
    """
    for tool in ("unshare", "nft", "ip"):
        if sys.platform != "linux" or not shutil.which(tool, path=PATH):
            return Answer(unasked=f"{tool} is not installed here")
    packets = [_packet(batch, row) for row in range(len(batch))]
    return _run(json.dumps({"ruleset": ruleset, "packets": packets}), tick)


def _packet(batch: Batch, row: int) -> tuple[str, str, int, int]:
    seen = batch.at(row)
    return _hex(seen.client), _hex(seen.server), seen.protocol, seen.port


def _hex(address: int) -> str:
    return f"{address - V4_BASE:08x}" if is_v4(address) else f"{address:032x}"


def _run(request: str, tick: Callable[[], None]) -> Answer:
    """As an ordinary user of a user namespace; as root also without, where limits are wider."""
    answer = _child(["unshare", "-rn"], request, tick)
    if answer.unasked and os.geteuid() == 0:
        answer = _child(["unshare", "-n"], request, tick)
    return answer


def _child(unshare: list[str], request: str, tick: Callable[[], None]) -> Answer:
    with subprocess.Popen(
        [*unshare, sys.executable, "-I", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": PATH, "LC_ALL": "C"},
    ) as child:
        try:
            output, errors = _wait(child, request, tick)
        except BaseException:
            child.kill()
            raise
    if child.returncode or not output:
        last = (errors.strip() or f"ended with {child.returncode}").splitlines()[-1]
        return Answer(unasked=f"no namespace of our own: {last}")
    return Answer(**json.loads(output))


def _wait(
    child: "subprocess.Popen[str]", request: str, tick: Callable[[], None]
) -> tuple[str, str]:
    pending: str | None = request
    for _ in range(PATIENCE * 4):
        try:
            return child.communicate(pending, timeout=0.25)
        except subprocess.TimeoutExpired:
            pending = None
            tick()
    child.kill()
    return "", f"no answer within {PATIENCE} s"
