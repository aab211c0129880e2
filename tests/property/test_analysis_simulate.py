"""The array path against the reference meaning, conversation by conversation."""

from dataclasses import replace

from analysis_strategies import any_policies, any_resolved, any_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import INSIDE, TODAY, inventories, resolved_policies

from workbench.analysis import Simulator, changes
from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable
from workbench.model.verdict import Class, Coverage, RuleUse, Totals, Verdict, class_of
from workbench.policy import decide, resolve


def by_the_book(policy: ResolvedPolicy, table: ConversationTable) -> Simulation:
    """The same answer, one conversation at a time."""
    seen = [table.at(row) for row in range(len(table))]
    decisions = [decide(policy, item) for item in seen]
    classes = [
        Class.EXCLUDED
        if any(
            skip.matches(item.client, item.server, item.protocol, item.port)
            for skip in policy.exclusions
        )
        else class_of(decision.verdict, item.outcome)
        for item, decision in zip(seen, decisions, strict=True)
    ]

    def count(*wanted: Class) -> int:
        return sum(klass in wanted for klass in classes)

    def octets(*wanted: Class) -> int:
        pairs = zip(seen, classes, strict=True)
        return sum(item.bytes for item, klass in pairs if klass in wanted)

    uses = []
    for rule in policy.rules:
        hits = [
            (item, decision)
            for item, decision, klass in zip(seen, decisions, classes, strict=True)
            if rule.id in decision.rules and klass is not Class.EXCLUDED
        ]
        uses.append(
            RuleUse(
                rule.id,
                len(hits),
                sum(len(decision.rules) == 1 for _, decision in hits),
                sum(item.flows for item, _ in hits),
                sum(item.bytes for item, _ in hits),
                max((item.last_us for item, _ in hits), default=None),
                "active" if hits else "unused",
            )
        )
    uses += [RuleUse(name, 0, 0, 0, 0, None, "expired") for name in policy.expired]
    covered = (Class.PERMITTED, Class.MISDROPPED)
    in_scope = (*covered, Class.WOULD_BLOCK, Class.REJECTED)
    return Simulation(
        table,
        policy,
        [decision.verdict for decision in decisions],
        classes,
        Totals(
            len(seen),
            sum(item.flows for item in seen),
            sum(item.bytes for item in seen),
            {klass: count(klass) for klass in Class},
            {klass: octets(klass) for klass in Class},
        ),
        Coverage(count(*covered), count(*in_scope), octets(*covered), octets(*in_scope)),
        tuple(uses),
    )


def assert_same(found: Simulation, expected: Simulation) -> None:
    assert found.verdicts.tolist() == list(expected.verdicts)
    assert found.classes.tolist() == list(expected.classes)
    assert found.totals == expected.totals
    assert found.coverage == expected.coverage
    assert found.rules == expected.rules


@given(any_resolved() | resolved_policies(), any_tables())
@settings(max_examples=250, deadline=None)
def test_simulation_agrees_with_decide(policy: ResolvedPolicy, table: ConversationTable) -> None:
    assert_same(Simulator(table).simulate(policy), by_the_book(policy, table))


@given(
    inventories(),
    any_policies(),
    st.lists(any_policies(), min_size=1, max_size=4),
    any_tables(),
    st.data(),
)
@settings(max_examples=120, deadline=None)
def test_edits_in_any_order_end_where_a_fresh_simulation_does(
    inventory: Inventory,
    policy: Policy,
    others: list[Policy],
    table: ConversationTable,
    data: st.DataObject,
) -> None:
    simulator = Simulator(table)
    before = simulator.simulate(resolve(policy, inventory, INSIDE, TODAY))
    for other in others:
        resolved = before.policy
        donor = resolve(other, inventory, INSIDE, TODAY)
        if data.draw(st.booleans(), label="rules only"):
            pool = [*resolved.rules, *donor.rules]
            picked = data.draw(st.lists(st.sampled_from(pool), max_size=8)) if pool else []
            rules = tuple(replace(rule, id=f"r-{at}") for at, rule in enumerate(picked))
            donor = replace(resolved, rules=rules)
        after = simulator.simulate(donor)
        assert_same(after, by_the_book(donor, table))
        found = changes(before, after)
        pairs = list(zip(before.classes.tolist(), after.classes.tolist(), strict=True))
        assert found.rows.tolist() == [at for at, (old, new) in enumerate(pairs) if old != new]
        for verdict, number in (
            (Verdict.ALLOWED, found.newly_allowed),
            (Verdict.BLOCKED, found.newly_blocked),
        ):
            assert number == sum(
                after.verdicts[row] == verdict != before.verdicts[row]
                for row in found.rows.tolist()
            )
        before = after
