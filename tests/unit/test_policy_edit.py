"""Edits of a policy: each a new valid value, or a PolicyError that says what stands in the way."""

from dataclasses import replace
from datetime import date

import pytest

from workbench.model.errors import PolicyError
from workbench.model.policy import (
    Policy,
    Protection,
    Rule,
    Segment,
    ServiceGroup,
    Side,
    slug,
    unused,
)
from workbench.model.site import Inventory
from workbench.policy import (
    duplicate_rule,
    fresh_id,
    lint,
    load_policy,
    put_exclusion,
    put_guardrail,
    put_protection,
    put_rule,
    put_segment,
    put_services,
    remove_exclusion,
    remove_guardrail,
    remove_protection,
    remove_rule,
    remove_segment,
    remove_services,
    resolve,
    restrict,
    update_text,
)

TEXT = """\
workbench: 1
name: shop
protect:
  web: {}
  db: {directions: [ingress]}
segments:
  web: {cidrs: [10.1.0.0/24]}   # front
  db: {cidrs: [10.2.0.0/24]}
  admins: {cidrs: [10.9.0.0/24]}
services:
  sql: [tcp/5432]
rules:
  # the shop's heart
  - id: web-db
    from: [web]
    to: [db]   # never the replica
    services: [sql]
  - id: admin-all
    from: [admins]
    to: [web, db]
    services: [tcp/22]
guardrails:
  - {id: web-never-admins, never: {from: [web], to: [admins], services: [sql]}}
exclusions:
  - {id: scans, from: [admins], to: [any], services: [any], reason: scanner}
"""


@pytest.fixture
def shop() -> Policy:
    return load_policy(TEXT)


def test_rules_come_go_and_are_replaced_in_place(shop: Policy) -> None:
    web_db = shop.rules[0]
    new = replace(web_db, id="new", reason="more")
    assert [r.id for r in put_rule(shop, new).rules] == ["web-db", "admin-all", "new"]
    assert put_rule(shop, new, replaces="web-db").rules[0] == new
    assert remove_rule(put_rule(shop, new), "new") == shop
    with pytest.raises(PolicyError, match="'web-db' is already the id of rules"):
        put_rule(shop, web_db)
    with pytest.raises(PolicyError, match="unknown rule 'web-dp'; did you mean 'web-db'"):
        remove_rule(shop, "web-dp")
    with pytest.raises(PolicyError, match="unknown segment 'wep'; did you mean 'web'"):
        put_rule(shop, replace(new, clients=("wep",)))


def test_a_copy_has_a_fresh_id_and_stands_behind_its_original(shop: Policy) -> None:
    twice = duplicate_rule(duplicate_rule(shop, "web-db"), "web-db")
    assert [r.id for r in twice.rules] == ["web-db", "web-db-3", "web-db-2", "admin-all"]
    assert {r.services for r in twice.rules[:3]} == {("sql",)}


def test_fresh_ids_stay_slugs(shop: Policy) -> None:
    assert fresh_id(shop, "free") == "free"
    assert fresh_id(shop, "scans") == "scans-2"
    assert fresh_id(shop, "web-never-admins") == "web-never-admins-2"
    long = Policy(rules=(Rule("x" * 63, ("any",), ("any",), ("any",)),))
    assert fresh_id(long, "x" * 63) == "x" * 61 + "-2"


def test_a_port_at_the_end_of_an_id_is_not_counted_on(shop: Policy) -> None:
    """`web-db-tcp-8081` would read like a rule for another port."""
    port = put_rule(shop, replace(shop.rules[0], id="web-db-tcp-8080"))
    assert fresh_id(port, "web-db-tcp-8080") == "web-db-tcp-8080-2"
    copied = duplicate_rule(port, "web-db-tcp-8080")
    assert fresh_id(copied, "web-db-tcp-8080-2") == "web-db-tcp-8080-3"


def test_names_are_slugs_and_unique() -> None:
    assert slug("10.1.2", "hosts") == "hosts-10-1-2"
    assert slug("Web (prod)", "host") == "web-prod"
    assert slug("x" * 99, "host") == "x" * 63
    assert unused("a", {"a", "a-2"}) == "a-3"
    assert len(unused("x" * 63, {"x" * 63})) == 63


def test_renaming_a_segment_renames_its_uses(shop: Policy) -> None:
    renamed = put_segment(shop, replace(shop.segments[0], name="front"), replaces="web")
    assert renamed.protect[0].segment == "front"
    assert renamed.rules[0].clients == ("front",)
    assert renamed.rules[1].servers == ("front", "db")
    assert renamed.guardrails[0].clients == ("front",)
    assert load_policy(update_text(TEXT, renamed)) == renamed
    with pytest.raises(PolicyError, match="'db' is written twice"):
        put_segment(shop, replace(shop.segments[0], name="db"), replaces="web")


def test_a_segment_in_use_stays(shop: Policy) -> None:
    with pytest.raises(PolicyError) as caught:
        remove_segment(shop, "web")
    assert str(caught.value) == (
        "segments.web: still used by protect web, rule web-db, rule admin-all, "
        "guardrail web-never-admins"
    )
    free = put_segment(shop, Segment("spare", cidrs=("10.3.0.0/24",)))
    assert remove_segment(free, "spare") == shop


def test_service_groups(shop: Policy) -> None:
    renamed = put_services(shop, ServiceGroup("postgres", ("tcp/5432",)), replaces="sql")
    assert renamed.rules[0].services == ("postgres",)
    assert renamed.guardrails[0].services == ("postgres",)
    with pytest.raises(PolicyError, match="still used by rule web-db, guardrail web-never-admins"):
        remove_services(shop, "sql")
    assert remove_services(put_services(shop, ServiceGroup("ping", ("icmp",))), "ping") == shop


def test_protections_are_added_changed_and_dropped(shop: Policy) -> None:
    more = put_protection(shop, Protection("admins", frozenset({Side.EGRESS})))
    assert [p.segment for p in more.protect] == ["web", "db", "admins"]
    assert put_protection(more, Protection("admins")).protect[2].directions == frozenset(Side)
    assert remove_protection(more, "admins") == shop


def test_guardrails_and_exclusions(shop: Policy) -> None:
    guardrail = replace(shop.guardrails[0], reason="audit")
    assert put_guardrail(shop, guardrail, replaces=guardrail.id).guardrails == (guardrail,)
    assert remove_guardrail(shop, guardrail.id).guardrails == ()
    exclusion = replace(shop.exclusions[0], id="other")
    assert remove_exclusion(put_exclusion(shop, exclusion), "other") == shop


def test_restricting_keeps_rules_and_protects_less(shop: Policy) -> None:
    first = restrict(shop, ["db"])
    assert [p.segment for p in first.protect] == ["db"]
    assert first.rules == shop.rules
    with pytest.raises(PolicyError, match="unknown protected segment 'admins'"):
        restrict(shop, ["admins"])


def test_saving_touches_only_what_changed(shop: Policy) -> None:
    """Comments behind fields of a changed rule stay too."""
    changed = replace(shop.rules[0], services=("sql", "tcp/6432"))
    assert update_text(TEXT, put_rule(shop, changed, replaces="web-db")) == TEXT.replace(
        "services: [sql]\n", "services: [sql, tcp/6432]\n", 1
    )
    assert update_text(TEXT, remove_rule(shop, "web-db")) == TEXT.replace(
        TEXT[TEXT.index("  # the shop's heart") : TEXT.index("  - id: admin-all")], ""
    )
    assert update_text(TEXT, replace(shop, exclusions=())) == TEXT[: TEXT.index("exclusions:")]


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("web: {cidrs: [10.1.0.0/24]}   # front", "web: {cidrs: [10.5.0.0/24]}   # front", "cidrs"),
        ("web: {cidrs: [10.1.0.0/24]}   # front", "shop: {cidrs: [10.1.0.0/24]}   # front", "name"),
    ],
)
def test_comments_behind_a_changed_line_stay(shop: Policy, old: str, new: str, change: str) -> None:
    web = shop.segments[0]
    edited = {
        "cidrs": replace(web, cidrs=("10.5.0.0/24",)),
        "name": replace(web, name="shop"),
    }[change]
    saved = update_text(TEXT, put_segment(shop, edited, replaces="web"))
    assert new in saved.splitlines()[6]
    assert old not in saved


def test_comments_behind_a_changed_item_stay() -> None:
    text = TEXT.replace("reason: scanner}", "reason: scanner}   # nightly")
    shop = load_policy(text)
    changed = replace(shop.exclusions[0], reason="audit")
    assert update_text(text, put_exclusion(shop, changed, replaces="scans")) == text.replace(
        "reason: scanner}", "reason: audit}"
    )


def test_a_comment_about_a_removed_field_goes_with_it(shop: Policy) -> None:
    text = TEXT.replace("services: [sql]\n", "services: [sql]\n    reason: x   # about x\n")
    changed = replace(load_policy(text).rules[0], reason="", expires=date(2027, 1, 1))
    assert update_text(text, put_rule(shop, changed, replaces="web-db")) == TEXT.replace(
        "services: [sql]\n", "services: [sql]\n    expires: 2027-01-01\n", 1
    )


def test_saving_keeps_the_users_own_layout() -> None:
    text = """\
# Written by hand.
name: hand      # any order will do
workbench: 1

rules:
- id: a
  services: any
  to: any
  from:
  - web     # the front
  - other   # the rest

- {id: b, from: [web], to: [any], services: [any]}   # short
# TODO: more rules
segments:
  web:
    cidrs: [10.0.0.0/8]
    # nobody knows why
    except:
      - 10.1.0.0/16
  other: {cidrs: [192.168.0.0/16]}
"""
    policy = load_policy(text)
    changed = replace(policy.rules[0], clients=("web",), reason="less")
    edited = put_rule(policy, changed, replaces="a")
    edited = put_rule(edited, Rule("c", ("web",), ("web",), ("tcp/80",)))
    edited = put_protection(edited, Protection("web"))
    expected = (
        text.replace("  - other   # the rest\n", "  reason: less\n")
        .replace("# TODO", "- {id: c, from: [web], to: [web], services: [tcp/80]}\n# TODO")
        .replace("workbench: 1\n", "workbench: 1\nprotect:\n  web: {}\n")
    )
    assert load_policy(update_text(text, edited)) == edited
    saved = update_text(text, edited)
    assert sorted(saved.splitlines()) == sorted(expected.splitlines())
    places = [
        saved.index(part) for part in ("name:", "workbench:", "services: any", "to: any", "from:")
    ]
    assert places == sorted(places), "the user's own order of fields"


def test_windows_line_ends_stay() -> None:
    text = TEXT.replace("\n", "\r\n")
    saved = update_text(text, remove_rule(load_policy(text), "web-db"))
    assert saved.count("\r\n") == saved.count("\n") > 10


def test_a_text_that_is_no_policy_gives_way(shop: Policy) -> None:
    assert load_policy(update_text("}{", shop)) == shop


def test_warnings(shop: Policy) -> None:
    on = date(2026, 6, 15)

    def warnings(policy: Policy) -> tuple[str, ...]:
        return tuple(one.text for one in lint(policy, resolve(policy, Inventory(), (), on)))

    assert warnings(shop) == ()
    every = Rule("open", ("any",), ("any",), ("any",))
    idle = Rule("idle", ("admins",), ("admins",), ("tcp/22",))
    mixed = Rule("mixed", ("any", "web"), ("db",), ("tcp/1",), expires=date(2026, 6, 20))
    old = Rule("old", ("web",), ("db",), ("tcp/2",), expires=date(2026, 6, 14))
    more = put_segment(shop, Segment("ghost", match=(("role", ("ghost",)),)))
    more = put_services(more, ServiceGroup("ping", ("icmp",)))
    for rule in (every, idle, mixed, old):
        more = put_rule(more, rule)
    assert warnings(more) == (
        "segment ghost: no host belongs to it",
        "segment ghost: nothing uses it",
        "service ping: nothing uses it",
        "rule idle: neither its clients nor its servers are protected",
        "rule open: allows any to any on any",
        "rule mixed: `any` already holds the segments beside it",
        "rule mixed: expires soon, on 2026-06-20",
        "rule old: expired on 2026-06-14",
    )
    assert warnings(replace(shop, protect=())) == (
        "protect: no segment is protected, so nothing is in scope",
    )
