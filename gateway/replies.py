"""What a subscriber wrote back, as those see it who act on it: delivery hands it over, and knows nothing of the rules.

noted = await replies.note(reply)      # before the inbound message counts as taken in
"""

from typing import Protocol

import msgspec

from gateway.message import Message, MessageId, Milliseconds


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A message from a subscriber."""

    id: MessageId  # its own name, which no other has: the same when it is noted again after a crash
    account: str  # to whom it belongs
    phone: str  # whose it is: E.164
    text: str
    at: Milliseconds
    answers: Message | None = None  # the last message sent from the number it came to; None: not known


class Noted(msgspec.Struct, frozen=True):
    """A reply that asked for something, and got it. `wish`: "opt_out" or "opt_in"."""

    wish: str


class Replies(Protocol):
    """Acts on replies."""

    async def note(self, reply: Reply) -> Noted | None:
        """Do what a reply asks for, if it asks for anything. When this returns, what it did is on disk.

        An opt-out holds at once, before the first await. The same reply twice changes nothing more. Raises StoreError
        when it could not be written: note it again.
        """
