"""Label selectors: exact, short, and stable over roll-outs."""

import pytest

from workbench.export.selectors import Selector, selectors, stable_labels


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairs.items())


FRONT = labels(app="shop", tier="front", env="prod")
BACK = labels(app="shop", tier="back", env="prod")
TEST = labels(app="shop", tier="front", env="test")
PAY = labels(app="pay", env="prod")


@pytest.mark.parametrize(
    ("wanted", "others", "found"),
    [
        ([FRONT, BACK], [PAY], Selector((("app", "shop"),))),
        ([FRONT], [PAY, BACK], Selector((("tier", "front"),))),
        ([FRONT], [BACK, TEST], Selector((("env", "prod"), ("tier", "front")))),
        ([FRONT, PAY], [labels(app="db")], Selector((("env", "prod"),))),
        ([BACK, PAY], [labels(app="db", env="prod")], Selector((), "app", ("pay", "shop"))),
        (
            [FRONT, BACK],
            [TEST, labels(app="shop", tier="third", env="prod")],
            Selector((("env", "prod"),), "tier", ("back", "front")),
        ),
        ([labels(), FRONT], [], Selector()),
        ([labels(a="1"), labels(a="2")], [], Selector((), "a", ("1", "2"))),
    ],
)
def test_the_shortest_exact_selector(
    wanted: list[frozenset[tuple[str, str]]],
    others: list[frozenset[tuple[str, str]]],
    found: Selector,
) -> None:
    assert selectors(wanted, others) == (found,)
    assert all(map(found.picks, wanted)) and not any(map(found.picks, others))


def test_several_selectors_when_one_is_not_exact() -> None:
    wanted = [labels(app="a", tier="x"), labels(role="b")]
    picked = selectors(wanted, [labels(app="a", tier="y")])
    assert picked == (Selector((("tier", "x"),)), Selector((("role", "b"),)))


def test_none_when_labels_are_equal_or_contained() -> None:
    assert selectors([PAY], [PAY]) is None
    assert selectors([PAY], [PAY | labels(more="x")]) is None
    assert selectors([labels()], [PAY]) is None


def test_only_stable_labels_count() -> None:
    pairs = (
        ("app", "x"),
        ("app.kubernetes.io/name", "x"),
        ("pod-template-hash", "1"),
        ("statefulset.kubernetes.io/pod-name", "db-0"),
        ("batch.kubernetes.io/job-completion-index", "0"),
        ("empty", ""),
    )
    assert stable_labels(pairs) == {
        ("app", "x"),
        ("app.kubernetes.io/name", "x"),
        ("empty", ""),
    }
