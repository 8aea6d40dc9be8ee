"""What becomes of messages that were accepted, when their account asks for it: cancel, and for whole batches pause too.

The values that delivery answers the API with, which knows nothing else of it.
"""

import msgspec

from gateway.message import Record
from gateway.store.api import BatchTally


class Cancelled(msgspec.Struct, frozen=True):
    """What became of a message: the record as it is then; `done`: it is cancelled, and that is on disk."""

    record: Record
    done: bool


class BatchState(msgspec.Struct, frozen=True):
    """A batch as it stands. `state`: active, paused, cancelling, or finished when all of it has ended."""

    state: str
    tally: BatchTally


class TooManyStopped(Exception):  # noqa: N818 - it is an answer
    """The account has as many batches paused, or being cancelled, as it may."""
