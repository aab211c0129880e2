"""Whether the kernel is compiled."""

from workbench.capture import decode, link, records, table


def kernel_compiled() -> bool:
    """False where the kernel runs as plain Python: the same results, about a hundredth the speed."""
    return not any(str(part.__file__).endswith(".py") for part in (records, link, decode, table))
