"""Commands and blocks: `table`, `add`, `flush`, `delete`, in order, on an empty kernel."""

from dataclasses import dataclass, field, replace
from typing import TypeVar

from workbench.verify.nft import rules
from workbench.verify.nft.cursor import Cursor
from workbench.verify.nft.lexer import CannotRead, tokens
from workbench.verify.nft.ruleset import (
    EVERY_TABLE,
    TOPS,
    Chain,
    Element,
    Hook,
    NamedSet,
    Rule,
    Ruleset,
    Table,
    Verdict,
)

FAMILIES = ("inet", "ip", "ip6")
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50}
PRIORITIES |= {"srcnat": 100}


@dataclass
class _Chain:
    hook: Hook | None = None
    rules: list[Rule] = field(default_factory=list)


@dataclass
class _Set:
    types: tuple[str, ...]
    is_map: bool
    elements: dict[Element, None] = field(default_factory=dict)
    expires: bool = False


@dataclass
class _Table:
    chains: dict[str, _Chain] = field(default_factory=dict)
    sets: dict[str, _Set] = field(default_factory=dict)


TRANSLATED = {"prerouting": -100, "postrouting": 100}
"""Priorities of address translation (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC): chains before the one
and behind the other see other addresses than a policy names; up to -200 there is no ct state."""
EMPTY = Ruleset()
_Name = tuple[str, str]
_T = TypeVar("_T")


def read(text: str, before: Ruleset = EMPTY) -> Ruleset:
    """What the file leaves in a kernel that held `before`. Raises CannotRead."""
    try:
        return _Reader(text, before).read()
    except RecursionError:
        raise CannotRead(1, "nested too deeply") from None


class _Reader:
    def __init__(self, text: str, before: Ruleset) -> None:
        self.cursor = Cursor(tokens(text))
        self.touched: set[str] = set()
        self.tables: dict[_Name, _Table] = {
            (table.family, table.name): _thawed(table) for table in before.tables
        }

    def read(self) -> Ruleset:
        self.cursor.skip_blank()
        while not self.cursor.done:
            self.command()
            self.cursor.end()
            if self.cursor.sees("}"):
                raise self.cursor.refuse("unexpected '}'")
            self.cursor.skip_blank()
        tables = tuple(_frozen(name, table) for name, table in self.tables.items())
        return Ruleset(tables, frozenset(self.touched))

    def command(self) -> None:
        if self.cursor.takes("add", "create"):
            self.add()
        elif self.cursor.takes("flush"):
            self.flush()
        elif self.cursor.takes("delete", "destroy"):
            self.delete()
        else:
            self.add()

    def add(self) -> None:
        cursor = self.cursor
        kind = cursor.next("word")
        if kind == "table":
            table = self.tables.setdefault(self.table_name(), _Table())
            if cursor.sees("{"):
                self.table_block(table)
        elif kind == "chain":
            table = self.known_table()
            chain = table.chains.setdefault(self.name(), _Chain())
            if cursor.sees("{"):
                self.chain_block(chain)
        elif kind in ("set", "map"):
            self.set_block(self.known_table(), kind)
        elif kind == "element":
            found = self.known(self.known_table().sets)
            found.elements |= dict.fromkeys(cursor.elements(found.types, is_map=found.is_map))
            self.lasting(found)
        elif kind == "rule":
            table = self.known_table()
            self.known(table.chains).rules.append(rules.rule(cursor))
        else:
            raise cursor.refuse(f"unknown command {kind!r}")

    def flush(self) -> None:
        kind = self.cursor.next("word")
        if kind == "ruleset":
            self.tables.clear()
            self.touched.add(EVERY_TABLE)
        elif kind == "table":
            for chain in self.known_table().chains.values():
                chain.rules.clear()
        elif kind == "chain":
            self.known(self.known_table().chains).rules.clear()
        elif kind in ("set", "map"):
            self.known(self.known_table().sets).elements.clear()
        else:
            raise self.cursor.refuse(f"unknown command 'flush {kind}'")

    def delete(self) -> None:
        kind = self.cursor.next("word")
        if kind == "table":
            self.tables.pop(self.table_name(), None)
        elif kind == "chain":
            self.known_table().chains.pop(self.name(), None)
        elif kind in ("set", "map"):
            self.known_table().sets.pop(self.name(), None)
        else:
            raise self.cursor.refuse(f"unknown command 'delete {kind}'")

    def name(self) -> str:
        return self.cursor.next("word", "string")

    def table_name(self) -> _Name:
        family = self.cursor.next("word") if self.cursor.sees(*FAMILIES) else "ip"
        if self.cursor.sees("arp", "bridge", "netdev"):
            raise self.cursor.refuse("only the families inet, ip and ip6 are read")
        name = family, self.name()
        self.touched.add(" ".join(name))
        return name

    def known_table(self) -> _Table:
        name = self.table_name()
        if name not in self.tables:
            raise self.cursor.refuse(f"there is no table {' '.join(name)}")
        return self.tables[name]

    def known(self, things: dict[str, _T]) -> _T:
        name = self.name()
        if name not in things:
            raise self.cursor.refuse(f"there is no {name!r}")
        return things[name]

    def table_block(self, table: _Table) -> None:
        cursor = self.cursor
        cursor.expect("{")
        while cursor.inside():
            kind = cursor.next("word")
            if kind == "chain":
                self.chain_block(table.chains.setdefault(self.name(), _Chain()))
            elif kind in ("set", "map"):
                self.set_block(table, kind)
            elif kind == "comment":
                cursor.next("string")
            else:
                raise cursor.refuse(f"unknown {kind!r} in a table")
            cursor.end()

    def chain_block(self, chain: _Chain) -> None:
        cursor = self.cursor
        cursor.expect("{")
        while cursor.inside():
            if cursor.takes("type"):
                self.hook(chain)
            elif cursor.takes("policy"):
                self.policy(chain)
            elif cursor.takes("comment"):
                cursor.next("string")
            else:
                chain.rules.append(rules.rule(cursor))
            cursor.end()

    def hook(self, chain: _Chain) -> None:
        """`type filter hook forward priority filter + 5`."""
        cursor = self.cursor
        if not cursor.takes("filter"):
            raise cursor.refuse("only chains of type filter are read")
        cursor.expect("hook")
        hook = cursor.next("word")
        if hook not in HOOKS:
            raise cursor.refuse(f"unknown hook {hook!r}")
        cursor.expect("priority")
        accepts = chain.hook.accepts if chain.hook else True
        priority = self.priority()
        if hook == "prerouting" and priority <= TRANSLATED[hook]:
            raise cursor.refuse("a chain before addresses are translated")
        if hook == "postrouting" and priority >= TRANSLATED[hook]:
            raise cursor.refuse("a chain behind the translation of addresses")
        chain.hook = Hook(hook, priority, accepts)

    def priority(self) -> int:
        cursor = self.cursor
        if cursor.takes("-"):
            return -cursor.number()
        text = cursor.next("word", "number")
        if text[0].isdigit():
            return cursor.whole(text)
        if text not in PRIORITIES:
            raise cursor.refuse(f"unknown priority {text!r}")
        offset = 0
        if cursor.sees("+", "-"):
            offset = cursor.number() if cursor.next("mark") == "+" else -cursor.number()
        return PRIORITIES[text] + offset

    def policy(self, chain: _Chain) -> None:
        if chain.hook is None or not self.cursor.sees("accept", "drop"):
            raise self.cursor.refuse("expected `policy accept` or `policy drop` of a base chain")
        chain.hook = replace(chain.hook, accepts=self.cursor.next("word") == "accept")

    def set_block(self, table: _Table, kind: str) -> None:
        cursor = self.cursor
        name = self.name()
        old = table.sets.get(name)
        found = _Set((), kind == "map")
        cursor.expect("{")
        while cursor.inside():
            self.set_option(found)
            cursor.end()
        if not found.types:
            raise cursor.refuse(f"{kind} {name!r} has no type")
        if old and (old.types, old.is_map) != (found.types, found.is_map):
            raise cursor.refuse(f"{kind} {name!r} exists with another type")
        if old:
            found.expires |= old.expires
            found.elements = old.elements | found.elements
        self.lasting(found)
        table.sets[name] = found

    def lasting(self, found: _Set) -> None:
        """A set whose elements go away by themselves says something else tomorrow."""
        if found.expires and found.elements:
            raise self.cursor.refuse("the elements of this set expire")

    def set_option(self, found: _Set) -> None:
        cursor = self.cursor
        option = cursor.next("word")
        if option in ("type", "typeof"):
            found.types = self.set_type(found, typeof=option == "typeof")
        elif option == "flags":
            cursor.next("word")
            while cursor.takes(","):
                cursor.next("word")
        elif option in ("timeout", "gc-interval"):
            found.expires |= option == "timeout"
            cursor.next("time")
        elif option == "size":
            cursor.number()
        elif option == "policy":
            cursor.next("word")
        elif option == "comment":
            cursor.next("string")
        elif option == "elements":
            if not found.types:
                raise cursor.refuse("elements before the type of their set")
            cursor.expect("=")
            found.elements |= dict.fromkeys(cursor.elements(found.types, is_map=found.is_map))
        elif option not in ("auto-merge", "counter"):
            raise cursor.refuse(f"unknown {option!r} in a set")

    def set_type(self, found: _Set, *, typeof: bool) -> tuple[str, ...]:
        cursor = self.cursor
        if typeof:
            types = [part.datatype for part in rules.key(cursor)]
        else:
            types = [cursor.next("word")]
            while cursor.takes("."):
                types.append(cursor.next("word"))
        if unknown := [name for name in types if name not in TOPS]:
            raise cursor.refuse(f"unknown data type {unknown[0]!r}")
        if found.is_map:
            cursor.expect(":")
            cursor.expect("verdict")
        return tuple(types)


def _frozen(name: _Name, table: _Table) -> Table:
    chains = {key: Chain(chain.hook, tuple(chain.rules)) for key, chain in table.chains.items()}
    sets = {
        key: NamedSet(found.types, found.is_map, tuple(found.elements))
        for key, found in table.sets.items()
    }
    whole = Table(*name, chains, sets)
    everything = [rule for chain in chains.values() for rule in chain.rules]
    updated = {name for rule in everything for name in rule.updates}
    for rule in everything:
        _check(whole, rule, updated)
    return whole


def _thawed(table: Table) -> _Table:
    return _Table(
        {name: _Chain(chain.hook, list(chain.rules)) for name, chain in table.chains.items()},
        {
            name: _Set(found.types, found.is_map, dict.fromkeys(found.elements))
            for name, found in table.sets.items()
        },
    )


def _check(table: Table, rule: Rule, updated: set[str]) -> None:
    """Every name exists, has the right type, and no matched set changes with the traffic."""
    for match in (*rule.matches, *([rule.vmap] if rule.vmap else [])):
        if not match.set_name:
            continue
        found = table.sets.get(match.set_name)
        types = tuple(part.datatype for part in match.key)
        if found is None:
            raise CannotRead(rule.line, f"there is no set @{match.set_name}")
        if found.types != types or found.is_map != (match is rule.vmap):
            raise CannotRead(rule.line, f"@{match.set_name} is of another type")
        if match.set_name in updated:
            raise CannotRead(rule.line, f"@{match.set_name} changes with the traffic")
    for verdict in _verdicts(table, rule):
        if verdict.chain and verdict.chain not in table.chains:
            raise CannotRead(rule.line, f"there is no chain {verdict.chain!r}")


def _verdicts(table: Table, rule: Rule) -> list[Verdict]:
    found = [rule.verdict] if rule.verdict else []
    if rule.vmap:
        name = rule.vmap.set_name
        elements = table.sets[name].elements if name else rule.vmap.elements
        found += [element.verdict for element in elements if element.verdict]
    return found
