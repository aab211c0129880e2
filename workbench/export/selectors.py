"""Label selectors that pick exactly the wanted pods of one namespace among all known ones.

Source: Kubernetes API, LabelSelector v1 meta: `matchLabels` and `matchExpressions` are ANDed; an
empty selector picks every pod. `In` is the only operator used: NotIn and DoesNotExist would also
pick pods nobody has thought of yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from workbench.model.site import VOLATILE, Labels

PREFERRED = ("app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/component")


@dataclass(frozen=True, slots=True)
class Selector:
    """Pods that carry all `pairs` and, when `key` is set, one of `values` for it."""

    pairs: Labels = ()
    key: str = ""
    values: tuple[str, ...] = ()

    def picks(self, labels: frozenset[tuple[str, str]]) -> bool:
        """True when a pod with these labels is selected."""
        return labels.issuperset(self.pairs) and (
            not self.key or any((self.key, value) in labels for value in self.values)
        )

    def document(self) -> dict[str, Any]:
        """A fresh LabelSelector for YAML (PyYAML would write an alias for a shared one)."""
        found: dict[str, Any] = {}
        if self.pairs:
            found["matchLabels"] = dict(self.pairs)
        if self.key:
            found["matchExpressions"] = [
                {"key": self.key, "operator": "In", "values": list(self.values)}
            ]
        return found


def stable_labels(labels: Labels) -> frozenset[tuple[str, str]]:
    """The labels a policy may select by: those not tied to one roll-out or replica."""
    return frozenset((key, value) for key, value in labels if not VOLATILE.fullmatch(key))


def selectors(
    wanted: Sequence[frozenset[tuple[str, str]]], others: Sequence[frozenset[tuple[str, str]]]
) -> tuple[Selector, ...] | None:
    """Selectors whose union picks all of `wanted` and none of `others`; None when there are none.

    One selector when possible, else one for each set of labels.
    """
    if one := _selector(wanted, others):
        return (one,)
    alike = sorted(set(wanted), key=sorted)
    several = [_selector([labels], others) for labels in alike]
    found = tuple(selector for selector in several if selector)
    return found if len(found) == len(several) else None


def _selector(
    wanted: Sequence[frozenset[tuple[str, str]]], others: Sequence[frozenset[tuple[str, str]]]
) -> Selector | None:
    """One pair, then conjunctions, then `In` on one key, then every pod where nobody else is."""
    common = sorted(frozenset.intersection(*wanted), key=_rank)
    tellable = not any(map(frozenset(common).issubset, others))
    for size in sorted({1, 2, 3, len(common)} - {0}) if tellable else ():
        for pairs in combinations(common, size):
            if not _hits(found := Selector(pairs), others):
                return found
    keys = frozenset.intersection(*(frozenset(key for key, _ in labels) for labels in wanted))
    for pairs in ((), *((pair,) for pair in common), tuple(common)):
        for key in sorted(keys, key=lambda key: _rank((key, ""))):
            values = {value for labels in wanted for own, value in labels if own == key}
            if not _hits(found := Selector(pairs, key, tuple(sorted(values))), others):
                return found
    return None if others else Selector()


def _rank(pair: tuple[str, str]) -> tuple[int, str, str]:
    key, value = pair
    return PREFERRED.index(key) if key in PREFERRED else len(PREFERRED), key, value


def _hits(selector: Selector, others: Iterable[frozenset[tuple[str, str]]]) -> bool:
    return any(map(selector.picks, others))
