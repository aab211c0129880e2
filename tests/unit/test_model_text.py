"""Numbers as people read them."""

from workbench.model.text import did_you_mean, duration, few_of_each, noun, plural, short_count


def test_one_is_no_plural() -> None:
    words = ("flow", "address", "mismatch", "policy", "key")
    assert [plural(1, word) for word in words] == [f"1 {word}" for word in words]
    many = ["1,204 flows", "1,204 addresses", "1,204 mismatches", "1,204 policies", "1,204 keys"]
    assert [plural(1204, word) for word in words] == many
    assert plural(0, "flow") == "0 flows"


def test_a_noun_goes_with_a_number_that_is_written_otherwise() -> None:
    assert [f"{short_count(count)} {noun(count, 'host')}" for count in (1, 12_400)] == [
        "1 host",
        "12.4k hosts",
    ]


def test_durations_have_one_format() -> None:
    second = 1_000_000
    told = {
        0: "0 µs", 412: "412 µs", 31_000: "31 ms", 4_300_000: "4.3 s", 59_940_000: "59.9 s",
        59_960_000: "1 min", 99 * second: "1 min 39 s", 576 * second: "9 min 36 s",
        3599 * second: "59 min 59 s", 3600 * second: "1 h", 7500 * second: "2 h 5 min",
        86_399 * second: "23 h 59 min", 86_400 * second: "1 d", 100 * 3600 * second: "4 d 4 h",
        1000 * 86_400 * second + 7200 * second: "1,000 d",
    }  # fmt: skip
    assert {length: duration(length) for length in told} == told


def test_a_hint_names_each_once() -> None:
    """A host with two addresses has one name."""
    assert did_you_mean("web-l", ["web-1", "db", "web-1"]) == "; did you mean web-1?"
    assert did_you_mean("zzz", ["web-1"]) == ""


def test_of_many_lines_of_a_kind_a_few() -> None:
    lines = [("rules: unused", f"rule r-{at}: unused") for at in range(2005)]
    lines[3:3] = [("segments: idle", f"segment s-{at}: idle") for at in range(4)]
    told = list(few_of_each(lines, 3, "; --format json tells all"))
    assert told[:3] == ["rule r-0: unused", "rule r-1: unused", "rule r-2: unused"]
    assert told[3] == "… 2,002 more rules: unused; --format json tells all"
    assert told[4:] == [f"segment s-{at}: idle" for at in range(4)]  # not "1 more"
