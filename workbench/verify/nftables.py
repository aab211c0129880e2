"""An nftables file → what it does with conversations that a gateway forwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.model import verdict
from workbench.model.net import ICMP, ICMPV6, parse_address
from workbench.model.rendered import Check, Verification
from workbench.model.text import plural
from workbench.verify.batch import Batch
from workbench.verify.compare import Case, Found, compare, differing, expected
from workbench.verify.kernel import ask
from workbench.verify.kinds import kinds
from workbench.verify.nft import (
    CannotRead,
    Fate,
    Packets,
    Ruleset,
    client_ports,
    judge,
    read,
    telling,
)
from workbench.verify.nft.ruleset import (
    ESTABLISHED,
    INVALID,
    RELATED,
    UNTRACKED,
    Chain,
    Element,
    Rule,
    Table,
    Verdict,
)
from workbench.verify.probes import boundary_probes

NAMES = (
    "",
    "accept",
    "drop",
    "depends on bytes that are no port (`th dport` without a protocol)",
    "accept, but the replies are dropped",
    "accept, but ICMP errors about it are dropped",
    "drop, but packets of no known connection are let through",
    "drop, but let through where a helper relates it to another connection",
    "depends on the client's port",
)
NO_REPLY, NO_ERROR, LEAK, RELATED_LEAK, BY_PORT = range(4, 9)
V6 = parse_address("2001:db8::7")
"""A client or server of the other family."""
SAMPLE = 4000
"""Observed conversations, and as many probes, that are sent through the kernel."""
UNDERSTOOD = "the file is understood"
LOADS = "loads in the kernel"
ALONE = "only one table is touched"
HOLDS = "the kernel holds what the file says"
SENT = "packets through the kernel"


def verify_nftables(files: Mapping[str, str], case: Case) -> Verification:
    """Judge the one `.nft` file among `files` as a gateway would enforce it."""
    observed = Batch.of_table(case.table)
    fit = observed.judgeable()
    observed, skipped = observed.take(fit), int(len(observed) - fit.sum())
    names = sorted(name for name in files if name.endswith(".nft"))
    if len(names) != 1:
        problem = f"expected one .nft file, found {', '.join(names) or 'none'}"
        return _unread(len(observed) + skipped, problem)
    text = files[names[0]]
    edges = Batch.of(boundary_probes(case.policy))
    try:
        ruleset = read(text)
        every = kinds(case.policy, telling(ruleset), case.tick)
        probes = [batch.take(batch.judgeable()) for batch in (edges, every.batch)]
        differences, checks = compare(case, observed, probes, lambda batch: found(ruleset, batch))
        extra = (_reload(text, ruleset), *_foreign(ruleset), *_mapped(ruleset, case, probes[1]))
    except CannotRead as error:
        return _unread(len(observed) + skipped, f"{names[0]}: {error}")
    checks = (Check(UNDERSTOOD, "passed", _contents(ruleset)), *extra, *checks)
    if case.kernel:
        checks += _kernel_checks(text, ruleset, case, (observed, *probes))
    else:
        checks += (Check(LOADS, "not checked", "the kernel was not asked"),)
    checks += every.unasked
    asked = sum(map(len, probes))
    return Verification("nftables", len(observed), asked, skipped, differences, checks)


def _kernel_checks(
    text: str, ruleset: Ruleset, case: Case, batches: Sequence[Batch]
) -> tuple[Check, ...]:
    """Load, list back, and send a sample of every batch."""
    case.step("asking the kernel", 0, 0)
    sample = Batch.joined([_sample(batch) for batch in batches])
    answer = ask(text, sample, lambda: case.step("asking the kernel", 0, 0))
    if answer.unasked:
        return (Check(LOADS, "not checked", answer.unasked),)
    if answer.load:
        return (Check(LOADS, "failed", " ".join(answer.load.split())),)
    checks = [Check(LOADS, "passed"), _listing_check(answer.listing, ruleset, sample)]
    if answer.trouble:
        return (*checks, Check(SENT, "not checked", answer.trouble))
    wanted = expected(sample, case.policy, case.decide)
    kernel = answer.found()
    sent = np.array([letter != "n" for letter in answer.fates], np.bool_)
    wrong = np.intersect1d(differing(wanted, kernel), np.flatnonzero(sent))
    words = [f"{sample.at(row)}: {kernel.names[kernel.codes[row]]}" for row in wrong[:3].tolist()]
    detail = f"{plural(int(sent.sum()), 'conversation')} sent, {len(wrong):,} different"
    if words:
        return (*checks, Check(SENT, "failed", f"{detail}: {'; '.join(words)}"))
    return (*checks, Check(SENT, "passed", detail))


def _sample(batch: Batch) -> Batch:
    """Evenly spread rows, at most SAMPLE."""
    return batch.take(np.arange(0, len(batch), max(1, -(-len(batch) // SAMPLE))))


def _listing_check(listing: str, ruleset: Ruleset, sample: Batch) -> Check:
    """What `nft list ruleset` prints must judge as the file does."""
    try:
        differ = found(read(listing), sample).codes != found(ruleset, sample).codes
    except CannotRead as error:
        return Check(HOLDS, "not checked", f"nft's listing: {error}")
    if differ.any():
        first = sample.at(int(np.flatnonzero(differ)[0]))
        return Check(
            HOLDS,
            "failed",
            f"{plural(int(differ.sum()), 'conversation')} judged differently, first {first}",
        )
    return Check(HOLDS, "passed", f"{plural(len(sample), 'conversation')} judged alike")


def _unread(skipped: int, problem: str) -> Verification:
    check = Check(UNDERSTOOD, "failed", problem)
    return Verification("nftables", 0, 0, skipped, (), (check,))


def _contents(ruleset: Ruleset) -> str:
    chains = [chain for table in ruleset.tables for chain in table.chains.values()]
    sets = [found for table in ruleset.tables for found in table.sets.values()]
    rules = sum(len(chain.rules) for chain in chains)
    elements = sum(len(found.elements) for found in sets)
    return ", ".join(
        plural(count, word)
        for count, word in (
            (len(chains), "chain"),
            (rules, "rule"),
            (len(sets), "set"),
            (elements, "element"),
        )
    )


def _reload(text: str, ruleset: Ruleset) -> Check:
    """Load the file over a kernel where the same names hold other things: all must be replaced."""
    name = "a reload leaves nothing of the old rules"
    stale = Ruleset(tuple(_stale(table) for table in ruleset.tables))
    after = read(text, stale)
    if after == ruleset:
        return Check(name, "passed")
    left = [
        f"{kind} {key}"
        for old, new in zip(ruleset.tables, after.tables, strict=False)
        for kind, before, now in (("chain", old.chains, new.chains), ("set", old.sets, new.sets))
        for key in before
        if before[key] != now.get(key)
    ]
    return Check(name, "failed", f"old entries survive in {', '.join(left[:5]) or 'a table'}")


def _foreign(ruleset: Ruleset) -> tuple[Check, ...]:
    """A file may only speak of one table: what others hold on the gateway is not known here."""
    if len(ruleset.touched) == 1:
        return ()
    return (Check(ALONE, "failed", f"it speaks of {', '.join(sorted(ruleset.touched))}"),)


def _mapped(ruleset: Ruleset, case: Case, batch: Batch) -> tuple[Check, ...]:
    """What is blocked is blocked in IPv6 packets, too, that carry IPv4 addresses (::ffff:0:0/96).

    No such packet belongs on a wire; with one mapped end or two, it must be dropped.
    """
    sample = _sample(batch.take(batch.v4[batch.client]))
    blocked = expected(sample, case.policy, case.decide) == verdict.Verdict.BLOCKED
    both = [sample.key(row) for row in np.flatnonzero(blocked).tolist()]
    half = [(V6, server, protocol, port) for _, server, protocol, port in both]
    half += [(client, V6, protocol, port) for client, _, protocol, port in both]
    mapped = Batch.of([*both, *half])
    passing = np.flatnonzero(judge(ruleset, Packets(mapped, mapped=True)) != Fate.DROP)
    if not len(passing):
        return ()
    detail = f"{mapped.at(int(passing[0]))} passes in an IPv6 packet"
    return (Check("IPv4-mapped addresses are dropped", "failed", detail),)


def _stale(table: Table) -> Table:
    rule = Rule(0, (), Verdict("accept"))
    return replace(
        table,
        chains={
            name: Chain(chain.hook, (rule, *chain.rules)) for name, chain in table.chains.items()
        },
        sets={
            name: replace(kept, elements=(Element(tuple((0, 0) for _ in kept.types)),))
            for name, kept in table.sets.items()
        },
    )


def found(ruleset: Ruleset, batch: Batch) -> Found:
    """The fate of each conversation, whatever the client's port.

    Raises CannotRead where the ruleset means nothing definite.
    """
    first, *others = client_ports(ruleset) or (None,)
    codes = _codes(ruleset, batch, first)
    for port in others:
        codes[_codes(ruleset, batch, port) != codes] = BY_PORT
    return Found(codes, NAMES, frozenset({Fate.ACCEPT}), frozenset({Fate.DROP}))


def _codes(ruleset: Ruleset, batch: Batch, port: int | None) -> NDArray[np.int64]:
    """The fate of each conversation: its first packet, and what follows from that."""
    codes = judge(ruleset, Packets(batch, client_port=port)).astype(np.int64)
    open_rows = np.flatnonzero(codes == Fate.ACCEPT)
    opened = batch.take(open_rows)
    errors = replace(
        opened,
        protocol=np.where(opened.v4[opened.client], ICMP, ICMPV6),
        port=np.where(opened.v4[opened.client], 3, 2),
    )
    for packets, code in (
        (Packets(errors, RELATED, True, port), NO_ERROR),
        (Packets(opened, ESTABLISHED, client_port=port), NO_REPLY),
        (Packets(opened, ESTABLISHED, True, port), NO_REPLY),
    ):
        codes[open_rows[judge(ruleset, packets) != Fate.ACCEPT]] = code
    shut = np.flatnonzero(codes == Fate.DROP)
    dropped = batch.take(shut)
    icmp = np.isin(dropped.protocol, (ICMP, ICMPV6))
    for state, code in ((INVALID, LEAK), (UNTRACKED, LEAK), (RELATED, RELATED_LEAK)):
        passes = judge(ruleset, Packets(dropped, state, client_port=port)) != Fate.DROP
        codes[shut[passes & ~(icmp & (state == RELATED))]] = code
    return codes
