"""Numbers as people read them."""

from workbench.model.text import noun, plural, short_count


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
