"""An nftables file → what it does with conversations that a gateway forwards."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from workbench.model.net import ICMP, ICMPV6
from workbench.model.rendered import Check, Verification
from workbench.model.text import plural
from workbench.verify.batch import Batch
from workbench.verify.compare import Case, Found, compare, differing, expected
from workbench.verify.kernel import ask
from workbench.verify.nft import CannotRead, Fate, Packets, Ruleset, judge, read
from workbench.verify.nft.ruleset import (
    ESTABLISHED,
    INVALID,
    RELATED,
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
)
NO_REPLY, NO_ERROR, LEAK = 4, 5, 6


SAMPLE = 4000
"""Observed conversations, and as many probes, that are sent through the kernel."""
UNDERSTOOD = "the file is understood"
LOADS = "loads in the kernel"
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
    probes = Batch.of(boundary_probes(case.policy))
    probes = probes.take(probes.judgeable())
    try:
        ruleset = read(text)
        differences, checks = compare(case, observed, probes, lambda batch: found(ruleset, batch))
        reload = _reload(text, ruleset)
    except CannotRead as error:
        return _unread(len(observed) + skipped, f"{names[0]}: {error}")
    checks = (Check(UNDERSTOOD, "passed", _contents(ruleset)), reload, *checks)
    if case.kernel:
        checks += _kernel_checks(text, ruleset, case, (observed, probes))
    else:
        checks += (Check(LOADS, "not checked", "the kernel was not asked"),)
    return Verification("nftables", len(observed), len(probes), skipped, differences, checks)


def _kernel_checks(
    text: str, ruleset: Ruleset, case: Case, batches: tuple[Batch, Batch]
) -> tuple[Check, ...]:
    """Load, list back, and send a sample of both batches."""
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
    """The fate of each conversation: its first packet, and what follows from that.

    Raises CannotRead where the ruleset means nothing definite.
    """
    codes = judge(ruleset, Packets(batch)).astype(np.int64)
    open_rows = np.flatnonzero(codes == Fate.ACCEPT)
    opened = batch.take(open_rows)
    errors = replace(
        opened,
        protocol=np.where(opened.v4[opened.client], ICMP, ICMPV6),
        port=np.where(opened.v4[opened.client], 3, 2),
    )
    for packets, code in (
        (Packets(errors, RELATED, reply=True), NO_ERROR),
        (Packets(opened, ESTABLISHED), NO_REPLY),
        (Packets(opened, ESTABLISHED, reply=True), NO_REPLY),
    ):
        codes[open_rows[judge(ruleset, packets) != Fate.ACCEPT]] = code
    shut_rows = np.flatnonzero(codes == Fate.DROP)
    invalid = judge(ruleset, Packets(batch.take(shut_rows), INVALID))
    codes[shut_rows[invalid != Fate.DROP]] = LEAK
    return Found(codes, NAMES, frozenset({Fate.ACCEPT}), frozenset({Fate.DROP}))
