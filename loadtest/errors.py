"""Why a run could not take place. What a run found out is never an error: that is its result."""


class CannotRun(Exception):  # noqa: N818 - a state of affairs, and the exit code 2
    """The run cannot begin or go on. The text says what is in the way, and what to do about it."""
