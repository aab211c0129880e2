"""Who is who: labels, names, segments. Each is saved at once."""

from workbench.cli.commands.opening import Options, in_words, open_session, save
from workbench.cli.table import say
from workbench.cli.words import listed
from workbench.model.errors import InputError
from workbench.model.policy import BOTH_SIDES, Protection, Segment, Side
from workbench.session import Session, read_hosts


def _pairs(texts: list[str]) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"{text!r}: expected KEY=VALUE")
        if key in pairs:
            raise InputError(f"{text!r}: {key} is there already, as {key}={pairs[key] or ''}")
        pairs[key] = value or None
    return pairs


def label(options: Options) -> int:
    """Labels on hosts, saved."""
    with open_session(options) as session:
        addresses = [one for text in options.hosts for one in session.addresses(text)]
        labels = _pairs(options.labels)
        session.draft.label_hosts(addresses, labels)
        _tell_inherited(session, addresses, [key for key, value in labels.items() if not value])
        return _save(session)


def name(options: Options) -> int:
    """A host's name, saved."""
    with open_session(options) as session:
        [address] = session.addresses(options.address)[:1]
        session.draft.rename_host(address, options.name)
        return save(session)


def import_hosts(options: Options) -> int:
    """Hosts from elsewhere, merged and saved."""
    found = read_hosts(options.file, options.kind, say)  # what cannot be read makes no workspace
    with open_session(options, create=True) as session:
        session.draft.merge_hosts(found, options.file.name)
        return _save(session)


def segment(options: Options) -> int:
    """A segment defined or redefined, saved."""
    match = tuple(
        (key, listed(value or "") or ("",)) for key, value in _pairs(options.match).items()
    )
    wanted = Segment(options.name, match, tuple(options.cidr), tuple(options.excepts))
    with open_session(options) as session:
        known = {segment.name for segment in session.policy.segments}
        replaces = wanted.name if wanted.name in known else None
        session.draft.put_segment(wanted, replaces=replaces)
        if options.protect:
            sides = BOTH_SIDES if options.protect == "both" else frozenset({Side(options.protect)})
            session.draft.put_protection(Protection(wanted.name, sides))
        if not session.resolved.segment(wanted.name):
            say(f"warning: no host belongs to segment {wanted.name}")
        return _save(session)


def _tell_inherited(session: Session, addresses: list[int], removed: list[str]) -> None:
    """A label that is taken from a host may be its network's, and then it stays."""
    for key in removed:
        kept = {
            session.inventory.name(one) for one in addresses if key in session.inventory.labels(one)
        }
        if kept:
            say(f"{key} stays on {', '.join(sorted(kept))}: the network around has it")


def _save(session: Session) -> int:
    """Rules allow what segments hold: who moves hosts between them is told what that does."""
    change = session.changes()
    if change.newly_allowed or change.newly_blocked:
        say(in_words(change))
    return save(session)
