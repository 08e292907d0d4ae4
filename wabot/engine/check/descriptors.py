"""How event descriptors match: by dotted prefix, as SCXML has it."""

from collections.abc import Iterable


def bare(descriptor: str) -> str:
    """`message.*` and `message.` as `message`; `*` as the empty prefix."""
    return "" if descriptor == "*" else descriptor.removesuffix(".*").removesuffix(".")


def matches(descriptor: str, event: str) -> bool:
    prefix = bare(descriptor)
    return not prefix or event == prefix or event.startswith(f"{prefix}.")


def covers(descriptors: Iterable[str], other: str) -> bool:
    """Whether one of `descriptors` takes every event that `other` takes."""
    return any(matches(one, bare(other)) for one in descriptors)


def meets(descriptor: str, event: str) -> bool:
    """Whether `descriptor` may take `event` or one of its longer forms (`answered`, `answered.x`)."""
    return matches(descriptor, event) or bare(descriptor).startswith(f"{event}.")
