"""Messages whose receipt is overdue are asked for, at carriers that answer query_sm."""

import asyncio
from typing import Any

from gateway.message import Status
from gateway.smpp import CommandStatus, MessageState, Pdu, QuerySm, QuerySmResp
from tests.delivery.rig import Rig, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, receipt, scripted


class Answering:
    """Answers queries with states, by message id, and remembers what it was asked."""

    def __init__(self, smsc: ScriptedSmsc) -> None:
        self.states: dict[str, MessageState | None] = {}
        self.otherwise: MessageState | None = None  # None: an error
        self.asked: list[QuerySm] = []
        smsc.on_request = self.take

    def take(self, connection: Any, pdu: Pdu) -> None:
        body = pdu.body
        assert isinstance(body, QuerySm)
        self.asked.append(body)
        state = self.states.get(body.message_id, self.otherwise)
        if state is None:
            connection.respond(pdu, QuerySmResp(), command_status=CommandStatus.ESME_RQUERYFAIL)
        else:
            connection.respond(pdu, QuerySmResp(message_id=body.message_id, message_state=state, error_code=7))


def a_carrier(smsc: ScriptedSmsc, **fields: Any) -> Any:
    settings = {"receipt_overdue_seconds": 100.0, "query_sm": True, "source": "10690001"}
    return carrier_settings(bind_settings(smsc.port, "a"), **(settings | fields))


async def submitted(rig: Rig, **fields: Any) -> Any:
    return await rig.until(await rig.accept(**fields), Status.SUBMITTED)


async def test_an_answer_with_a_final_state_is_as_good_as_a_receipt() -> None:
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        answering = Answering(smsc)
        answering.otherwise = MessageState.DELIVERED
        record = await submitted(rig)

        rig.ahead_milliseconds = 101_000
        await rig.until(record, Status.DELIVERED)

        [query] = answering.asked
        assert query.message_id == next(iter(smsc.accepted))
        assert query.source_addr == next(iter(smsc.accepted.values())).body.source_addr
        assert rig.metrics.receipts.value((CARRIER, "delivered", "asked")) == 1


async def test_what_failed_has_failed_with_the_code_of_the_answer() -> None:
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        Answering(smsc).otherwise = MessageState.UNDELIVERABLE
        record = await submitted(rig)

        rig.ahead_milliseconds = 101_000
        stored = await rig.until(record, Status.FAILED)

        assert stored.state.timeline[-1].reason == "receipt UNDELIVERABLE 007"


async def test_what_is_on_its_way_or_not_known_is_asked_for_again_after_the_same_time() -> None:
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        answering = Answering(smsc)
        answering.otherwise = MessageState.ENROUTE
        record = await submitted(rig)

        rig.ahead_milliseconds = 101_000
        await eventually(lambda: len(answering.asked) == 1)
        await asyncio.sleep(0.1)  # some sweeps
        assert len(answering.asked) == 1
        answering.otherwise = None
        rig.ahead_milliseconds = 202_000
        await eventually(lambda: len(answering.asked) == 2)
        answering.otherwise = MessageState.DELIVERED
        rig.ahead_milliseconds = 303_000
        await rig.until(record, Status.DELIVERED)


async def test_parts_are_asked_for_one_by_one_and_only_those_without_a_receipt() -> None:
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        answering = Answering(smsc)
        answering.otherwise = MessageState.DELIVERED
        record = await submitted(rig, text=LONG, parts=3)
        first, submit = next(iter(smsc.accepted.items()))
        await smsc.deliver(receipt(submit, first))

        rig.ahead_milliseconds = 101_000
        await rig.until(record, Status.DELIVERED)

        assert {query.message_id for query in answering.asked} == set(smsc.accepted) - {first}


async def test_few_are_asked_for_at_a_time() -> None:
    async with scripted() as smsc, running(a_carrier(smsc, response_timeout_seconds=60.0)) as rig:
        asked: list[Pdu] = []
        smsc.on_request = lambda _, pdu: asked.append(pdu)
        for n in range(20):
            await submitted(rig, to=f"+8613800138{n:03}")

        rig.ahead_milliseconds = 101_000
        await eventually(lambda: len(asked) == 10)
        await asyncio.sleep(0.1)

        assert len(asked) == 10


async def test_a_carrier_that_does_not_answer_queries_is_not_asked() -> None:
    async with scripted() as smsc, running(a_carrier(smsc, query_sm=False)) as rig:
        answering = Answering(smsc)
        await submitted(rig)

        rig.ahead_milliseconds = 101_000
        await eventually(lambda: rig.delivery.receipts_overdue == {CARRIER: 1})
        await asyncio.sleep(0.1)

        assert answering.asked == []
