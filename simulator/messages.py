"""What the simulator knows of a message that it accepted, and of what is on its way to a client.

None of it is the garbage collector's: there are hundreds of thousands, and they make no cycles that last. A delivery
and its bind know each other only until the bind's session hands back what it has in flight.
"""

import msgspec

from gateway.smpp import Body, MessageState, Pdu, SubmitSm
from simulator.binds import Bind
from simulator.outcomes import Answer, Outcome


class Message(msgspec.Struct, gc=False):
    """One accepted submit_sm. Its `id`, as its answer says it, is made of `number`, which is unique in its account.

    Times are Unix times; `final_at` is when it reaches `final_state`.
    """

    submit: SubmitSm
    number: int
    id: str
    outcome: Outcome
    accepted_at: float
    final_at: float
    final_state: MessageState

    def state_at(self, at: float) -> MessageState:
        """Return the state of the message at a time."""
        return self.final_state if at >= self.final_at else MessageState.ENROUTE


class Delivery(msgspec.Struct, gc=False):
    """One deliver_sm that a client of account `system_id` is to take: a receipt of `message`, or an inbound message.

    `body` and `stat`, what it says, of a receipt are made when it is first sent. `bind` is the one that it should go to
    if it can; with `elsewhere` any other one of the account is better. `retries` counts how often it came again. One of
    an older `generation` than the present is of before a reset, and nobody waits for it any more.
    """

    system_id: str
    phone: str
    taken_as: str = ""  # the id of the message that it tells of, as its submit's answer said it
    message: Message | None = None
    bind: Bind | None = None
    is_intermediate: bool = False
    elsewhere: bool = False
    retries: int = 0
    generation: int = 0
    body: Body | None = None
    stat: str = ""


class Reply(msgspec.Struct, gc=False):
    """The answer to a submit_sm, and what goes wrong with it."""

    bind: Bind
    request: Pdu
    response: Body
    command_status: int
    phone: str
    answer: Answer = Answer.NORMAL
