"""What the commands share: open the workspace, read the filter line, save the draft."""

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli.table import say, say_few
from workbench.model.errors import InputError, StoreError
from workbench.model.filters import NO_FILTER, Filter, parse_time

if TYPE_CHECKING:
    from workbench.model.simulation import Changes
    from workbench.session import Session

Options = argparse.Namespace


def open_session(options: Options, *, create: bool = False, on: date | None = None) -> "Session":
    """The session of the workspace named on the command line; `on`: the day expiry is judged by."""
    folder: Path = options.workspace
    from workbench.session import Session, is_workspace

    if not create and not is_workspace(folder):
        problem = (
            "nothing of a workspace in this folder" if folder.is_dir() else "no such workspace"
        )
        raise InputError(f"{folder}: {problem}; `workbench ingest {folder} CAPTURE` makes one")

    return Session.open(folder, on=on, sharing=not create)


def open_findings(options: Options, *, on: date | None = None) -> "Session":
    """The session in which findings are looked for: a writer, if payload is still to be read."""
    session = open_session(options, on=on)
    if not session.findings.unread:
        return session
    session.close()
    from workbench.session import Session

    try:
        return Session.open(options.workspace, on=on)
    except StoreError:  # somebody else is in it, or it may not be written
        return open_session(options, on=on)


def chosen(session: "Session", options: Options) -> Filter:
    """The filter line of `--where`."""
    return session.parse(options.where) if options.where else NO_FILTER


def moment(text: str) -> int | None:
    """A time as microseconds; None for no words. Raises InputError."""
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise InputError(f"{text!r} is not a time such as 2026-03-31T12:00") from None


def in_words(change: "Changes") -> str:
    """What an edit, or another policy, does to the recorded traffic."""
    return f"newly allowed {change.newly_allowed:,}, newly blocked {change.newly_blocked:,}"


def save(session: "Session") -> int:
    """Write the draft, and say what it was and which guardrails it breaks."""
    changed = session.draft.changed
    broken = (f"{one.id}: {one.witness} ({one.because})" for one in session.newly_broken())
    say_few(("broken guardrails", f"warning: this breaks guardrail {one}") for one in broken)
    session.save()
    say(f"saved: {session.draft.last_edit}" if changed else "nothing to change")
    return 0


def warn_uncompiled() -> None:
    """Before a load: one warning where packets are decoded slowly."""
    from workbench.session import kernel_compiled

    if not kernel_compiled():
        say("warning: the packet kernel is not compiled; loading will be some 100 times slower")
