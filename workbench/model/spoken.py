"""What was said in flows, as far as payload shows it: the facts that sharpen findings."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from workbench.model.packets import printable

MOST_TEXT = 120
"""Characters that are kept of a name."""


class Act(StrEnum):
    """What a client asked, or a server answered."""

    SHARE = "share"
    """An SMB share was opened; `code` is the status, 0 for success."""
    PIPE = "pipe"
    """A named pipe was opened over SMB."""
    FILE = "file"
    """A file was written over SMB: `share\\path`."""
    SEALED = "sealed"
    """SMB 3 messages that are encrypted: nothing more can be read."""
    BIND = "bind"
    """An RPC interface was bound to, by name."""
    CALL = "call"
    """An RPC call, `interface.Operation`; `code` is the operation number."""
    LOGIN = "login"
    """A session was let in; `what` is the protocol, `who` the account where it is known."""
    REFUSED = "refused"
    """A session was refused, with the status or Kerberos error in `code`."""
    CHALLENGE = "challenge"
    """NTLM: the server's challenge (hexadecimal)."""
    RESPONSE = "response"
    """NTLM: the client's answer; `what` is the workstation it names."""
    ROASTABLE = "roastable"
    """Kerberos gave out material for an account that had proved nothing; `code`: its encryption."""
    TICKET = "ticket"
    """Kerberos gave out a service ticket for the name in `what`; `code`: its encryption."""
    ASKED = "asked"
    """LLMNR or NBT-NS: a name was asked for, mostly of everybody."""
    ANSWERED = "answered"
    """The server answered such a question of the client."""
    COMMAND = "command"
    """A controller was told to change: `what` says how, `code` is the function."""
    QUERY = "query"
    """A controller was asked for values."""


@dataclass(frozen=True, slots=True)
class Said:
    """One fact of a message. `what` and `who` come from packets: `clean` them first."""

    act: Act
    what: str = ""
    who: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """Equal facts of one conversation within a minute."""

    said: Said
    client: int
    """Address as a number."""
    server: int
    protocol: int
    port: int
    first_us: int
    last_us: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Heard:
    """What listening to one capture gave."""

    facts: tuple[Spoken, ...]
    problem: str = ""
    """Why it is not all; empty where nothing is missing."""


def clean(text: str) -> str:
    """A name from a packet, safe to show and of bounded length."""
    return printable(text, MOST_TEXT)


STATUS: Mapping[int, str] = {
    0xC0000064: "no such user",
    0xC000006A: "wrong password",
    0xC000006D: "logon failure",
    0xC000006E: "account restriction",
    0xC000006F: "outside of logon hours",
    0xC0000070: "workstation not allowed",
    0xC0000071: "password expired",
    0xC0000072: "account disabled",
    0xC0000193: "account expired",
    0xC0000224: "password must change",
    0xC0000234: "account locked out",
    0xC0000022: "access denied",
    6: "no such principal",
    18: "account revoked",
    23: "password expired",
    24: "pre-authentication failed",
}
"""NTSTATUS of refused sessions ([MS-ERREF] 2.3.1), Kerberos errors (RFC 4120 section 7.5.9)."""
RC4 = frozenset({23, 24, -128, -133, -135})
"""Kerberos encryption types that are cracked fast (RFC 4757; [MS-KILE] 2.2)."""
