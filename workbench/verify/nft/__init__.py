"""A reader and evaluator of the nftables language, as far as it filters forwarded packets.

Written from nft(8) and from what `nft --debug=netlink` shows the kernel being told. What it does
not know it refuses: a statement that is skipped is a hole.
"""

from workbench.verify.nft.evaluate import Fate, Packets, judge
from workbench.verify.nft.lexer import CannotRead
from workbench.verify.nft.parser import read
from workbench.verify.nft.ruleset import Ruleset
from workbench.verify.nft.telling import client_ports, telling

__all__ = [
    "CannotRead",
    "Fate",
    "Packets",
    "Ruleset",
    "client_ports",
    "judge",
    "read",
    "telling",
]
