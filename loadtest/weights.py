"""Weights on the command line: `code=10,notice=85`, against the names that there are."""

from collections.abc import Mapping, Sequence

from loadtest.errors import CannotRun


def parse_weights(text: str, names: Sequence[str], *, option: str) -> dict[str, float]:
    """Return the weights by name. Raises CannotRun, with the option, where one is not known or all are 0."""
    weights: dict[str, float] = {}
    for each in text.split(","):
        name, _, value = each.strip().partition("=")
        if name not in names:
            raise CannotRun(f"{option} {text!r}: {name!r} is none of {', '.join(names)}")
        try:
            weights[name] = float(value)
        except ValueError:
            raise CannotRun(f"{option} {text!r}: {name} must have a number, such as {name}=10") from None
        if not 0 <= weights[name] <= 1e6:
            raise CannotRun(f"{option} {text!r}: {name} must be 0 to 1000000")
    if not any(weights.values()):
        raise CannotRun(f"{option} {text!r}: one of them must be more than 0")
    return weights


def shown(weights: Mapping[str, float]) -> str:
    """Return weights as they are written."""
    return ",".join(f"{name}={value:g}" for name, value in weights.items())
