"""Rules, by hand and proposed. Each edit is saved at once."""

from collections.abc import Sequence

from workbench.cli import heads, records
from workbench.cli.commands.opening import Options, in_words, moment, open_session, save
from workbench.cli.output import emit
from workbench.cli.table import say
from workbench.model.days import last_day
from workbench.model.errors import InputError
from workbench.model.policy import Rule
from workbench.model.simulation import Simulation, Suggestion
from workbench.model.text import plural
from workbench.model.verdict import Class
from workbench.session import Session


def allow(options: Options) -> int:
    """A rule added, saved."""
    with open_session(options) as session:
        expires = last_day(options.expires, session.resolved.on)
        ends = options.clients, options.servers
        rule = Rule(options.id, *ends, options.services, options.reason, expires)
        session.draft.put_rule(rule)
        say(_change(session))
        return save(session)


def revoke(options: Options) -> int:
    """Rules removed, saved."""
    with open_session(options) as session:
        told = []
        for rule_id in dict.fromkeys(options.rules):
            session.draft.remove_rule(rule_id)
            told.append(_change(session))
        for line in told:  # only now: all of them are there
            say(line)
        return save(session)


def _refuse_unknown(wanted: Sequence[str], suggestion: Suggestion) -> None:
    proposed = {proposal.rule.id for proposal in suggestion.proposals}
    for rule_id in wanted:
        if rule_id not in proposed:
            raise InputError(f"no proposed rule is called {rule_id!r}; nothing was saved")


def _tell_left(after: Simulation) -> None:
    """What no proposal is for, so that nobody takes the proposals for everything."""
    if left := after.totals.by_class[Class.WOULD_BLOCK]:
        say(
            f"{plural(left, 'conversation')} that worked would still be blocked: nothing tells "
            "client from server, or a guardrail forbids them; `workbench simulate` lists them"
        )


def _tell_breaking(suggestion: Suggestion, accepting: bool) -> None:
    """What is not taken unless it is named."""
    for one in suggestion.proposals:
        if one.breaks:
            does = f"proposed rule {one.rule.id} breaks guardrail {', '.join(one.breaks)}"
            how = f"--accept {one.rule.id} takes it all the same"
            say(f"{does}: {'left out; ' if accepting else ''}{how}")


def _change(session: Session) -> str:
    told, change = session.last_change()
    return f"{told}: {in_words(change)}"


def suggest(options: Options) -> int:
    """Proposed rules: a policy document, or their evidence; with --accept they are saved."""
    shown = (
        "id", "conversations", "flows", "clients", "servers", "caution", "from", "to", "services",
    )  # fmt: skip
    with open_session(options) as session:
        before = moment(options.before)
        suggestion = (
            session.suggest() if before is None else session.response.learn(session.policy, before)
        )
        _refuse_unknown(options.accept or (), suggestion)
        if options.format == "yaml":
            print(session.suggestion_yaml(suggestion), end="")
        else:
            found = map(records.proposal_record, suggestion.proposals)
            emit(found, options.format, heads.PROPOSAL, columns=shown, limit=0)
        say(f"{plural(len(suggestion.proposals), 'rule')} proposed")
        if not suggestion.policy.protect:
            say(
                "nothing is protected, and nothing was found to protect: public addresses are "
                "taken for the internet unless inventory.yaml names their network"
            )
        accepting = options.accept is not None
        if not options.accept:  # what is named is meant
            _tell_breaking(suggestion, accepting)
        if accepting:
            session.draft.accept(suggestion, options.accept or suggestion.harmless)
        if before is None:
            _tell_left(session.simulation if accepting else session.try_policy(suggestion.policy))
        return save(session) if accepting else 0
