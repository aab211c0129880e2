"""Days as people write them."""

from datetime import date

from workbench.model.errors import InputError


def read_day(text: str | None) -> date | None:
    """`2027-03-31`; None for no words. Raises InputError."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(f"{text!r} is not a date such as 2027-03-31") from None


def last_day(text: str | None, today: date, kept: date | None = None) -> date | None:
    """The last day something holds: not over yet, or the one it had before (`kept`).

    What is over when it is said was meant otherwise. None for no words. Raises InputError.
    """
    day = read_day(text)
    if day and day != kept and day < today:
        raise InputError(f"{day} is over: the last day is today ({today}) or a later one")
    return day
