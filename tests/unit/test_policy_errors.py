"""Every refusal of policy.yaml names the file, the line, the path and what to do."""

from typing import Any

import pytest
import yaml

from workbench.documents import nodes
from workbench.model.errors import PolicyError
from workbench.model.policy import (
    Assertion,
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    Rule,
    Segment,
    ServiceGroup,
)
from workbench.policy import dump_policy, load_policy, validate

GOOD = """\
workbench: 1
name: plant
protect:
  plc: {directions: [ingress]}
segments:
  plc: {match: {role: plc}}
  hmi: {match: {role: [hmi, panel]}}
  net: {cidrs: [10.0.0.0/8], except: [10.9.0.0/16]}
services:
  modbus: [tcp/502]
rules:
  - id: hmi-reads-plc
    from: [hmi]
    to: [plc]
    services: [modbus, udp/2222-2230]
    reason: values
    expires: 2027-03-31
guardrails:
  - {id: net-never, never: {from: [net], to: [plc], services: [any]}}
exclusions:
  - {id: patches, from: [net], to: [any], services: [any], reason: patch night}
"""


@pytest.fixture(params=["libyaml", "pure"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both YAML parsers give the same answers."""
    loader = yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(nodes, "_PARSER", loader)


def test_the_good_policy_loads() -> None:
    policy = load_policy(GOOD)
    assert policy.rules[0].clients == ("hmi",)
    assert policy.segments[1].match == (("role", ("hmi", "panel")),)
    assert load_policy(dump_policy(policy)) == policy


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[modbus, ",
            "[modbos, ",
            "15: rules[0].services[0]: unknown service 'modbos'; did you mean 'modbus'?",
        ),
        (
            "from: [hmi]",
            "from: [hni]",
            "13: rules[0].from[0]: unknown segment 'hni'; did you mean 'hmi'?",
        ),
        (
            "    reason: values",
            "    raeson: values",
            "16: rules[0].raeson: unknown key 'raeson'; did you mean 'reason'?",
        ),
        ("    to: [plc]\n", "", "12: rules[0]: needs `to`"),
        ("to: [plc]\n    ser", "to:\n    ser", "12: rules[0]: needs `to`"),
        (
            "to: [plc]\n    ser",
            "to: []\n    ser",
            "14: rules[0].to: needs at least one segment, or any",
        ),
        ("to: [plc]\n    ser", "to: {a: b}\n    ser", "14: rules[0].to: expected a list"),
        ("from: [hmi]", "from: [hmi, hmi]", "13: rules[0].from[1]: 'hmi' is written twice"),
        ("udp/2222-2230", "udp/2230-2222", "15: rules[0].services[1]: 'udp/2230-2222': the range"),
        ("udp/2222-2230", "udp/99999", "15: rules[0].services[1]: 'udp/99999': expected a port"),
        ("2027-03-31", "31.3.2027", "17: rules[0].expires: '31.3.2027' is not a date such as"),
        ("2027-03-31", "2027-02-30", "17: rules[0].expires: '2027-02-30' is not a date such as"),
        ("id: hmi-reads-plc", "id: HMI", "12: rules[0].id: 'HMI' is not a name"),
        ("id: net-never", "id: hmi-reads-plc", "19: guardrails[0].id: 'hmi-reads-plc' is already"),
        ("never: {", "perhaps: {", "19: guardrails[0].perhaps: unknown key 'perhaps'"),
        (
            ", never: {from: [net], to: [plc], services: [any]}",
            "",
            "19: guardrails[0]: needs either",
        ),
        (", reason: patch night", "", "21: exclusions[0]: needs `reason`"),
        (
            "reason: patch night",
            "reason: ' '",
            "21: exclusions[0].reason: an exclusion needs a reason",
        ),
        ("10.0.0.0/8", "10.0.0.1/8", "8: segments.net.cidrs[0]: '10.0.0.1/8' has host bits set"),
        (
            "10.0.0.0/8",
            "10.0.0.0/255.0.0.0",
            "8: segments.net.cidrs[0]: '10.0.0.0/255.0.0.0' is not",
        ),
        ("10.0.0.0/8", "fe80::1%eth0", "8: segments.net.cidrs[0]: 'fe80::1%eth0' is not"),
        (
            "10.0.0.0/8",
            "'::ffff:0:0/96'",
            "8: segments.net.cidrs[0]: '::ffff:0:0/96' is IPv4 inside",
        ),
        ("10.9.0.0/16", "office", "8: segments.net.except[0]: 'office' is not an address"),
        (
            "match: {role: plc}",
            "match: {role: plc}, cidrs: []",
            "6: segments.plc.cidrs: is empty: name something, or leave it out",
        ),
        (
            "match: {role: plc}",
            "match: {role: plc}, cidrs: ",
            "6: segments.plc.cidrs: is empty: name something, or leave it out",
        ),
        ("{cidrs: [", "{match: {}, cidrs: [", "8: segments.net.match: is empty"),
        ("plc: {match: {role: plc}}", "plc: {}", "6: segments.plc: needs `match` or `cidrs`"),
        (
            "match: {role: plc}",
            "match: {Role: plc}",
            "6: segments.plc.match.Role: 'Role' is not a label",
        ),
        (
            "match: {role: plc}",
            "match: {role: ''}",
            "6: segments.plc.match.role: a label value has",
        ),
        (
            "match: {role: plc}",
            "match: {role: []}",
            "6: segments.plc.match.role: needs at least one",
        ),
        ("  net: {", "  any: {", "8: segments.any: 'any' is reserved"),
        ("  modbus: [", "  tcp: [", "10: services.tcp: 'tcp' is reserved"),
        ("  modbus: [tcp/502]", "  modbus: [modbus]", "10: services.modbus[0]: 'modbus': unknown"),
        (
            "  plc: {dir",
            "  plcs: {dir",
            "4: protect.plcs: unknown segment 'plcs'; did you mean 'plc'?",
        ),
        ("[ingress]", "[inbound]", "4: protect.plc.directions[0]: unknown direction 'inbound'"),
        ("[ingress]", "[]", "4: protect.plc.directions: needs ingress, egress or both"),
        ("  hmi: {", "  plc: {", "7: segments.plc: 'plc' is written twice"),
        ("workbench: 1", "workbench: 2", "1: workbench: this workbench reads version 1"),
        ("workbench: 1\n", "", "1: needs `workbench`"),
        ("name: plant", "name: [a]", "2: name: expected text, found a list"),
        ("name: plant", "name: ~", "1: needs `name`"),
        ("segments:", "segment:", "5: segment: unknown key 'segment'; did you mean 'segments'?"),
        ("rules:\n", "rules: 7\nx:\n", "12: x: unknown key 'x'"),
        ("reason: values", 'reason: "a\\x07b"', "16: rules[0].reason: holds the character U+0007"),
        ("reason: values", "reason: a\u202eb", "16: holds the character U+202E"),
        (
            "reason: values",
            "reason: &a values",
            "16: anchors and aliases (& and *) are not supported",
        ),
        ("reason: values", "reason: *a", "16: anchors and aliases (& and *) are not supported"),
        ("reason: values", "reason: !!python/name:os.system x", "16: tags (!) are not supported"),
        ("reason: values", "reason: " + "x" * 501, "16: rules[0].reason: longer than 500"),
        ("reason: values", "reason: {}", "16: rules[0].reason: expected text"),
        ("reason: values", "? [a]\n    : b", "16: rules[0]: keys must be plain text"),
        ("name: plant", "name: plant\n---\nname: b", "3: more than one document"),
        ("[hmi]", "[" * 20 + "hmi" + "]" * 20, "13: nested more than 12 levels deep"),
        ("    from: [hmi]", "\tfrom: [hmi]", "13: found "),
    ],
)
def test_refusals(old: str, new: str, message: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(PolicyError) as caught:
        load_policy(GOOD.replace(old, new, 1), "site/policy.yaml")
    assert str(caught.value).startswith(f"site/policy.yaml:{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "- a\n", "7", "\x00"])
def test_what_is_no_policy_at_all(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^policy\.yaml:?"):
        load_policy(text)


def test_a_bomb_of_aliases_never_expands() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(PolicyError, match="1: anchors and aliases"):
        load_policy(bomb)


def test_a_wall_of_brackets_is_refused_not_followed() -> None:
    with pytest.raises(PolicyError, match=r"nested more than|nesting depth"):  # ours, or libyaml's
        load_policy("a: " + "[" * 200_000)


def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_NODES", 1000)
    with pytest.raises(PolicyError, match="more than 1000 values in the document"):
        load_policy("a: [" + "[]," * 2000)


def test_too_large_is_refused_before_parsing() -> None:
    with pytest.raises(PolicyError, match="larger than 16 MB"):
        load_policy("#" * 16_000_001)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reason: yes", "yes"),
        ("reason: 010", "010"),
        ("reason: 2027-03-31", "2027-03-31"),
        ("reason: 'it''s: #1'", "it's: #1"),
        ("reason: >\n      folded\n      text", "folded text"),
        ("reason: größer – 工場", "größer – 工場"),
        ("reason: ~", ""),
    ],
)
def test_scalars_are_text_as_written(text: str, expected: str) -> None:
    policy = load_policy(GOOD.replace("reason: values", text))
    assert policy.rules[0].reason == expected
    assert load_policy(dump_policy(policy)) == policy


def test_one_name_may_stand_for_a_list_of_one() -> None:
    assert load_policy(GOOD.replace("from: [hmi]", "from: hmi")) == load_policy(GOOD)


def test_windows_line_ends_and_a_byte_order_mark_load() -> None:
    assert load_policy("\ufeff" + GOOD.replace("\n", "\r\n")) == load_policy(GOOD)


def test_an_empty_policy_is_a_policy() -> None:
    assert load_policy("workbench: 1\nname: empty\nrules:\nsegments: {}\n") == Policy("empty")
    assert load_policy(dump_policy(Policy())) == Policy()


def rule(**changes: Any) -> Rule:
    return Rule(
        **{"id": "r", "clients": ("a",), "servers": ("any",), "services": ("any",), **changes}
    )


SEGMENTS = (Segment("a", cidrs=("10.0.0.0/8",)),)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy("Bad Name"), "name: 'Bad Name' is not a name"),
        (Policy(rules=(rule(),)), "rules[0].from[0]: unknown segment 'a'"),
        (Policy(segments=SEGMENTS, rules=(rule(), rule())), "rules[1].id: 'r' is already the id"),
        (Policy(segments=SEGMENTS * 2), "segments.a: 'a' is written twice"),
        (
            Policy(segments=(Segment("a", match=(("k", ()),)),)),
            "segments.a.match.k: needs at least",
        ),
        (Policy(protect=(Protection("a"),)), "protect.a: unknown segment 'a'"),
        (
            Policy(segments=SEGMENTS, protect=(Protection("a"), Protection("a", frozenset()))),
            "protect.a: 'a' is written twice",
        ),
        (Policy(services=(ServiceGroup("g", ()),)), "services.g: needs at least one service"),
        (Policy(segments=SEGMENTS, rules=(rule(reason="a\nb"),)), "rules[0].reason: holds the"),
        (
            Policy(guardrails=(Guardrail("g", Assertion.NEVER, ("x",), ("any",), ("any",)),)),
            "guardrails[0].never.from[0]: unknown segment 'x'",
        ),
        (
            Policy(exclusions=(Exclusion("e", ("any",), ("any",), ("any",), ""),)),
            "exclusions[0].reason: an exclusion needs a reason",
        ),
    ],
)
def test_values_are_held_to_the_same_rules(policy: Policy, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        validate(policy)
    assert str(caught.value).startswith(message)
    assert caught.value.line is None
    with pytest.raises(PolicyError):
        dump_policy(policy)
