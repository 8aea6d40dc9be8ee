"""Messages from subscribers: on disk before they are acknowledged, whole, once, and with whose they are."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.account import Account
from gateway.delivery.inbound import NOBODY
from gateway.delivery.owners import Owners
from gateway.delivery.settings import Alphabet, BindMode, CarrierSettings, LongText
from gateway.delivery.wording import word
from gateway.message import Status
from gateway.replies import Noted, Reply
from gateway.smpp import BindReceiver, CommandStatus, DataSm, DeliverSm, TlvTag, make_tlv
from gateway.store.api import INBOUND, EventId, InboundMessage, StoreDamagedError, StoreUnavailableError
from tests.delivery.rig import Rig, SlowStore, running
from tests.delivery.samples import CARRIER, a_message, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, scripted

SUBSCRIBER, SERVICE = "8613800138000", "10690001"


def a_carrier(smsc: ScriptedSmsc, **fields: Any) -> CarrierSettings:
    return carrier_settings(bind_settings(smsc.port), **({"response_timeout_seconds": 5.0} | fields))


def said(text: str = "好的", **fields: Any) -> DeliverSm:
    """A short message of a subscriber."""
    values = {
        "source_addr": SUBSCRIBER,
        "destination_addr": SERVICE,
        "data_coding": 8,
        "short_message": text.encode("utf-16-be"),
    }
    return DeliverSm(**(values | fields))


def part(number: int, total: int, text: str, *, reference: int = 7, **fields: Any) -> DeliverSm:
    header = bytes((5, 0, 3, reference, total, number))
    return said(esm_class=0x40, short_message=header + text.encode("utf-16-be"), **fields)


async def heard(rig: Rig, count: int = 1) -> list[InboundMessage]:
    """The messages from subscribers on disk, once so many are there and nothing of them is left over."""
    await eventually(lambda: len(rig.store._inbound) >= count and not rig.store._entries)
    return list(rig.store._inbound)


async def bound(smsc: ScriptedSmsc, count: int = 1) -> None:
    await eventually(lambda: smsc.bind_count >= count and smsc.binds)


# --- on disk, then acknowledged ---------------------------------------------------------------------------------------


async def test_a_message_is_acknowledged_only_when_it_is_on_disk():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        rig.store.hold()
        sent = smsc.send(said())
        await asyncio.sleep(0.05)
        assert smsc.answer_to(sent) is None
        rig.store.let_go()
        await eventually(lambda: smsc.answer_to(sent) == 0)
        [message] = await heard(rig)
        assert (message.source, message.destination, message.text) == ("+8613800138000", SERVICE, "好的")
        assert (message.carrier, message.account, message.answers, message.missing) == (CARRIER, "", 0, ())
        assert rig.metrics.inbound.value((NOBODY,)) == 1


async def test_what_cannot_be_written_is_refused_for_now_and_taken_when_it_comes_again():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        rig.store.break_down("disk full")
        assert await smsc.deliver(said()) == CommandStatus.ESME_RX_T_APPN
        assert await smsc.deliver(said()) == CommandStatus.ESME_RX_T_APPN
        rig.store.repair()
        assert await smsc.deliver(said()) == 0
        assert len(await heard(rig)) == 1


class FailingOnce(SlowStore):
    """Its first commit of a message from a subscriber fails, after its part was written."""

    failed = False

    def _cut(self) -> None:
        if self._new_inbound and not self.failed:
            self.failed = True
            self.break_down("disk full")
            super()._cut()
            self.repair()
        else:
            super()._cut()


async def test_an_acknowledged_message_whose_text_cannot_be_written_is_written_later():
    store = FailingOnce()
    async with scripted() as smsc, running(a_carrier(smsc), store=store) as rig:
        await bound(smsc)
        assert await smsc.deliver(said()) == 0
        await eventually(lambda: store.failed)
        assert [message.text for message in await heard(rig)] == ["好的"]


async def test_a_stop_writes_what_was_acknowledged():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        for n in range(20):
            assert await smsc.deliver(said(f"{n}")) == 0
        await rig.drain()
        assert [message.text for message in rig.store._inbound] == [f"{n}" for n in range(20)]


async def test_past_the_limit_no_more_are_taken_until_some_are_written():
    async with scripted() as smsc, running(a_carrier(smsc), inbound_waiting=2) as rig:
        await bound(smsc)
        hold = asyncio.Event()
        real = rig.store.sent_to

        async def slow(phones: Any, **terms: Any) -> Any:
            await hold.wait()
            return await real(phones, **terms)

        rig.store.sent_to = slow
        assert [await smsc.deliver(said(text)) for text in "ab"] == [0, 0]
        assert await smsc.deliver(said("c")) == CommandStatus.ESME_RX_T_APPN
        hold.set()
        await heard(rig, 2)
        assert await smsc.deliver(said("c")) == 0
        assert [message.text for message in await heard(rig, 3)] == ["a", "b", "c"]


# --- whatever it holds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"short_message": b"Hello"}, "Hello"),
        ({"short_message": b"\x05\x00\x03\x07\x01\x01Hello", "esm_class": 0x40}, "Hello"),  # one part of one
        ({"short_message": b"\x50\x00", "esm_class": 0x40}, "P@"),
        ({"short_message": b"", "esm_class": 0x40}, ""),
        ({"short_message": b"\x00", "data_coding": 8}, "\ufffd"),
        ({"short_message": b"caf\xe9", "data_coding": 3}, "café"),
        # 3GPP TS 23.038, section 4: in the coding group 1111 bit 2 says "8-bit data": octets are kept as they are,
        ({"short_message": b"\xff\x1b", "data_coding": 0xF7}, "\xff\x1b"),
        ({"short_message": b"\xff\x1b", "data_coding": 0xF3}, "\ufffd\ufffd"),  # and without it the default alphabet.
        ({"tlvs": (make_tlv(TlvTag.MESSAGE_PAYLOAD, b"long"),)}, "long"),
    ],
)
async def test_whatever_a_message_holds_it_is_taken(fields: dict[str, Any], text: str):
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        assert await smsc.deliver(DeliverSm(source_addr=SUBSCRIBER, destination_addr="1069", **fields)) == 0
        [message] = await heard(rig)
        assert message.text == text


@pytest.mark.parametrize(("alphabet", "text"), [(Alphabet.GSM7, "@à"), (Alphabet.LATIN1, "\x00\x7f")])
async def test_data_coding_0_is_read_in_the_alphabet_of_the_carrier(alphabet: Alphabet, text: str):
    async with scripted() as smsc, running(a_carrier(smsc, alphabet=alphabet)) as rig:
        await bound(smsc)
        await smsc.deliver(said(data_coding=0, short_message=b"\x00\x7f"))
        [message] = await heard(rig)
        assert message.text == text


async def test_a_message_may_come_as_data_sm():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        payload = make_tlv(TlvTag.MESSAGE_PAYLOAD, "好的".encode("utf-16-be"))
        body = DataSm(source_addr=SUBSCRIBER, destination_addr=SERVICE, data_coding=8, tlvs=(payload,))
        rig.store.break_down("disk full")
        assert await smsc.deliver(body) == CommandStatus.ESME_RX_T_APPN
        rig.store.repair()
        assert await smsc.deliver(body) == 0
        [message] = await heard(rig)
        assert message.text == "好的"


# --- in parts ---------------------------------------------------------------------------------------------------------


@given(
    text=st.text(alphabet="水😀a€\n", min_size=1, max_size=300),
    long_text=st.sampled_from(LongText),
    alphabet=st.sampled_from(Alphabet),
    data=st.data(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_cut_as_we_cut_comes_back_whole_in_any_order(
    text: str, long_text: LongText, alphabet: Alphabet, data: st.DataObject
):
    carrier = carrier_settings(bind_settings(1), long_text=long_text, alphabet=alphabet)
    wording = word(a_message(text=text), carrier)
    bodies = [
        said(
            esm_class=wording.esm_class,
            data_coding=wording.data_coding,
            short_message=wording.short_messages[n],
            tlvs=wording.tlvs_of(n),
        )
        for n in range(wording.parts)
    ]
    asyncio.run(deliver_all(carrier, data.draw(st.permutations(bodies)), text))


async def deliver_all(carrier: CarrierSettings, bodies: list[DeliverSm], text: str) -> None:
    async with scripted() as smsc, running(a_carrier(smsc, **settings_of(carrier))) as rig:
        await bound(smsc)
        for body in bodies:
            assert await smsc.deliver(body) == 0
        [message] = await heard(rig)
        assert (message.text, message.missing, len(message.parts)) == (text, (), len(bodies))


def settings_of(carrier: CarrierSettings) -> dict[str, Any]:
    return {"alphabet": carrier.alphabet, "long_text": carrier.long_text}


async def test_the_parts_of_a_text_may_come_by_different_binds_of_the_carrier():
    async with scripted() as smsc:
        transmitter = bind_settings(smsc.port, "trx")
        receiver = bind_settings(smsc.port, "rx", mode=BindMode.RECEIVER)
        async with running(carrier_settings(transmitter, receiver)) as rig:
            await bound(smsc, 2)
            by_receiver = next(bind for bind in smsc.binds if type(smsc.bodies[bind]) is BindReceiver)
            by_other = next(bind for bind in smsc.binds if bind is not by_receiver)
            assert await smsc.deliver(part(2, 2, "后"), by_receiver) == 0
            assert await smsc.deliver(part(1, 2, "前"), by_other) == 0
            assert [message.text for message in await heard(rig)] == ["前后"]


async def test_texts_of_different_subscribers_numbers_and_references_are_kept_apart():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        keys = [{}, {"source_addr": "8613900139000"}, {"destination_addr": "10690002"}, {"reference": 8}]
        for number in (1, 2):
            for n, key in enumerate(keys):
                await smsc.deliver(part(number, 2, f"{n}{number} ", **key))
        assert sorted(message.text for message in await heard(rig, 4)) == ["01 02 ", "11 12 ", "21 22 ", "31 32 "]


async def test_what_came_is_given_out_marked_when_a_part_does_not_come():
    async with scripted() as smsc, running(a_carrier(smsc), reassembly_seconds=0.3) as rig:
        await bound(smsc)
        await smsc.deliver(part(3, 4, "丙"))
        await smsc.deliver(part(1, 4, "甲"))
        assert rig.store._inbound == []
        [message] = await heard(rig)
        assert (message.text, message.missing) == ("甲丙", (2, 4))


async def test_past_the_memory_limit_of_a_carrier_the_oldest_text_is_given_out():
    async with scripted() as smsc, running(a_carrier(smsc), reassembly_bytes=65_536) as rig:
        await bound(smsc)
        for reference in range(100):
            assert await smsc.deliver(part(1, 2, f"{reference}", reference=reference)) == 0
        await eventually(lambda: rig.store._inbound)
        assert rig.store._inbound[0].text == "0"
        assert rig.store._inbound[0].missing == (2,)
        assert len(rig.store._entries) < 100


# --- whose it is ------------------------------------------------------------------------------------------------------


async def sent(rig: Rig, **fields: Any) -> Any:
    record = await rig.accept(**fields)
    await rig.until(record, Status.SUBMITTED)
    return record


@pytest.mark.parametrize("address", [SUBSCRIBER, "+8613800138000", "13800138000", "008613800138000"])
@pytest.mark.parametrize("destination", [SERVICE, "8610690001", "+8610690001"])
async def test_a_reply_belongs_to_the_account_of_the_last_message_to_that_phone(address: str, destination: str):
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await sent(rig, account="other")
        last = await sent(rig, account="demo")
        await sent(rig, account="third", to="+8613900139000")
        await smsc.deliver(said(source_addr=address, destination_addr=destination))
        [message] = await heard(rig)
        assert (message.account, message.answers, message.source) == ("demo", last.id, "+8613800138000")
        assert rig.metrics.inbound.value(("demo",)) == 1


async def test_of_two_numbers_that_wrote_to_a_phone_the_one_that_is_answered_counts():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        asked = await sent(rig, account="demo", sender="88")
        await sent(rig, account="other", sender="99")
        await smsc.deliver(said(destination_addr=f"{SERVICE}88"))
        [message] = await heard(rig)
        assert (message.account, message.answers) == ("demo", asked.id)


async def test_a_reply_to_a_number_that_wrote_to_nobody_is_nobodys():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await sent(rig)
        await smsc.deliver(said(destination_addr="10690002"))
        [message] = await heard(rig)
        assert (message.account, message.answers, message.source) == ("", 0, "+8613800138000")


async def test_what_left_without_a_source_number_is_answered_to_whatever_number_its_carrier_gave_it():
    async with scripted() as smsc, running(a_carrier(smsc, source="")) as rig:
        last = await sent(rig)
        await smsc.deliver(said(destination_addr="106575257"))
        [message] = await heard(rig)
        assert message.answers == last.id


async def test_the_message_that_is_answered_is_found_on_disk_when_memory_has_forgotten_it():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await sent(rig, account="other")
        last = await sent(rig, account="demo")
        await sent(rig, account="third", sender="99")
        rig.shared.last_sent = type(rig.shared.last_sent)(2)
        await smsc.deliver(said())
        [message] = await heard(rig)
        assert (message.account, message.answers) == ("demo", last.id)


async def test_a_message_that_is_too_old_is_not_answered_any_more():
    async with scripted() as smsc, running(a_carrier(smsc), reply_seconds=60.0) as rig:
        await sent(rig)
        rig.shared.last_sent = type(rig.shared.last_sent)(2)
        rig.ahead_milliseconds = 61_000
        await smsc.deliver(said())
        [message] = await heard(rig)
        assert message.answers == 0


async def test_where_no_message_is_known_the_number_says_whose_it_is():
    owners = Owners([Account(name="a", senders=("10690001",)), Account(name="b")], {CARRIER: SERVICE})
    async with scripted() as smsc, running(a_carrier(smsc), owners=owners) as rig:
        await bound(smsc)
        await smsc.deliver(said())
        await smsc.deliver(said(destination_addr="1069000177"))
        assert [(message.account, message.answers) for message in await heard(rig, 2)] == [("a", 0), ("b", 0)]


async def test_a_name_or_a_short_number_is_kept_as_the_carrier_wrote_it():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        for address in ("10086", "BANK", ""):
            await smsc.deliver(said(source_addr=address))
        assert [message.source for message in await heard(rig, 3)] == ["10086", "BANK", ""]


# --- acted upon -------------------------------------------------------------------------------------------------------


class Acting:
    """Acts on replies; remembers each, and how many messages were on disk then. The first `failing` times it cannot."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self.noted: list[Reply] = []
        self.store: SlowStore | None = None
        self.on_disk: list[int] = []

    async def note(self, reply: Reply) -> Noted | None:
        self.noted.append(reply)
        if self.store is not None:
            self.on_disk.append(len(self.store._inbound))
        if len(self.noted) <= self.failing:
            raise StoreUnavailableError("disk full")
        return None


async def test_what_a_reply_asks_for_is_done_before_the_message_counts_as_written():
    acting = Acting()
    async with scripted() as smsc, running(a_carrier(smsc), replies=acting) as rig:
        acting.store = rig.store
        asked = await sent(rig)
        assert await smsc.deliver(said("退订")) == 0
        [message] = await heard(rig)
        [reply] = acting.noted
        assert (reply.account, reply.phone, reply.text) == ("demo", "+8613800138000", "退订")
        assert reply.answers == asked.message
        assert (reply.id, acting.on_disk) == (message.parts[0].key, [0])


async def test_a_reply_that_could_not_be_acted_upon_is_so_again_under_the_same_name_and_written_then():
    acting = Acting(failing=1)
    async with scripted() as smsc, running(a_carrier(smsc), replies=acting) as rig:
        await sent(rig)
        assert await smsc.deliver(said("退订")) == 0
        await heard(rig)
        first, second = acting.noted
        assert first.id == second.id
        assert len(rig.store._inbound) == 1


class Broken(Acting):
    """A rule with a bug."""

    async def note(self, reply: Reply) -> Noted | None:
        await super().note(reply)
        raise KeyError("a bug")


async def test_a_bug_in_acting_on_a_reply_holds_up_no_message():
    acting = Broken()
    async with scripted() as smsc, running(a_carrier(smsc), replies=acting) as rig:
        await sent(rig)
        for text in ("退订", "好的"):
            assert await smsc.deliver(said(text)) == 0
        assert [message.text for message in await heard(rig, 2)] == ["退订", "好的"]
        assert len(acting.noted) == 2


async def test_a_damaged_file_holds_up_no_message():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)

        async def damaged(*_: Any, **__: Any) -> Any:
            raise StoreDamagedError("a file")

        rig.store.sent_to = damaged
        assert await smsc.deliver(said()) == 0
        assert [message.text for message in await heard(rig)] == ["好的"]


async def test_nobody_acts_on_what_is_nobodys():
    acting = Acting()
    async with scripted() as smsc, running(a_carrier(smsc), replies=acting) as rig:
        await bound(smsc)
        assert await smsc.deliver(said("退订")) == 0
        await heard(rig)
        assert acting.noted == []


async def test_the_account_is_told_of_the_message_in_the_commit_that_writes_it():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        told: list[int] = []
        rig.store.watch_events({"demo": frozenset({INBOUND})}, lambda counts: told.append(counts["demo"]))
        asked = await sent(rig)
        assert await smsc.deliver(said()) == 0
        [message] = await heard(rig)
        [event] = await rig.store.events("demo", after=EventId(0), limit=10)
        assert told == [1]
        assert (event.message_id, event.type, event.source, event.to, event.text, event.answers) == (
            message.id,
            INBOUND,
            "+8613800138000",
            SERVICE,
            "好的",
            asked.id,
        )


# --- again ------------------------------------------------------------------------------------------------------------


async def test_who_writes_the_same_twice_is_heard_twice():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        both = [smsc.send(said("1")) for _ in range(2)]
        await eventually(lambda: [smsc.answer_to(each) for each in both] == [0, 0])
        assert await smsc.deliver(said("1")) == 0
        assert [message.text for message in await heard(rig, 3)] == ["1", "1", "1"]


@pytest.mark.parametrize("answered", [True, False])
async def test_what_comes_again_after_its_connection_broke_is_the_same_message(answered: bool):
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        if answered:
            assert await smsc.deliver(said()) == 0
        else:
            rig.store.hold()
            smsc.send(said())
            await asyncio.sleep(0.05)
        smsc.binds[0].abort()
        await bound(smsc, 2)
        again = smsc.send(said())
        await asyncio.sleep(0.02)
        assert answered or smsc.answer_to(again) is None
        rig.store.let_go()
        await eventually(lambda: smsc.answer_to(again) == 0)
        assert len(await heard(rig)) == 1

        assert await smsc.deliver(said()) == 0  # that answer arrived: this is another
        assert len(await heard(rig, 2)) == 2


async def test_a_part_that_comes_again_after_its_connection_broke_counts_once():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await bound(smsc)
        assert await smsc.deliver(part(1, 2, "前")) == 0
        smsc.binds[0].abort()
        await bound(smsc, 2)
        for body in (part(1, 2, "前"), part(2, 2, "后")):
            assert await smsc.deliver(body) == 0
        [message] = await heard(rig)
        assert (message.text, message.missing) == ("前后", ())


# --- after a crash ----------------------------------------------------------------------------------------------------


async def test_parts_that_were_acknowledged_before_a_crash_are_joined_by_those_that_come_after_it():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            assert await smsc.deliver(part(2, 2, "后")) == 0
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            await bound(smsc, 2)
            assert await smsc.deliver(part(1, 2, "前")) == 0
            [message] = await heard(rig)
            assert (message.text, message.missing) == ("前后", ())


async def test_a_text_that_was_acknowledged_and_not_written_before_a_crash_is_written_after_it_and_known_again():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            rig.delivery._inbound._correspondence.answered = never
            assert await smsc.deliver(said()) == 0
            store = await rig.store.after_a_crash()
        assert store._inbound == []
        async with running(a_carrier(smsc), store=store) as rig:
            await heard(rig)
            await bound(smsc, 2)
            assert await smsc.deliver(said()) == 0
            assert await smsc.deliver(said("别的")) == 0
            assert [message.text for message in await heard(rig, 2)] == ["好的", "别的"]


async def never(*_: Any) -> Any:
    """What a crash came before."""
    await asyncio.sleep(3_600)


async def test_a_text_that_was_written_before_a_crash_is_not_written_again_from_parts_that_were_not_dropped():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            drops, rig.delivery._inbound._drop = rig.delivery._inbound._drop, lambda: None
            assert await smsc.deliver(said()) == 0
            await eventually(lambda: rig.store._inbound)
            store = await rig.store.after_a_crash()
            drops()
        assert store._entries
        async with running(a_carrier(smsc), store=store) as rig:
            await bound(smsc, 2)
            assert await smsc.deliver(said()) == 0  # the carrier had no answer
            await eventually(lambda: not store._entries)
            assert len(store._inbound) == 1


async def test_a_text_written_before_a_crash_whose_parts_are_gone_is_known_when_it_comes_again():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            assert await smsc.deliver(said()) == 0
            await heard(rig)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            await bound(smsc, 2)
            assert await smsc.deliver(said()) == 0
            assert await smsc.deliver(said("别的")) == 0
            assert [message.text for message in await heard(rig, 2)] == ["好的", "别的"]


async def test_of_two_alike_that_came_before_a_crash_each_is_known_again_once():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            for _ in range(2):
                assert await smsc.deliver(said("1")) == 0
            await heard(rig, 2)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            await bound(smsc, 2)
            for _ in range(3):
                assert await smsc.deliver(said("1")) == 0
            assert [message.text for message in await heard(rig, 3)] == ["1", "1", "1"]


async def test_time_that_passed_while_the_gateway_was_down_counts():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            assert await smsc.deliver(part(1, 2, "前")) == 0
            store = await rig.store.after_a_crash()
        [(key, value)] = store._entries.items()
        stored = msgspec.msgpack.decode(value)
        stored[6] -= 301_000  # `at`
        store._entries[key] = msgspec.msgpack.encode(stored)
        async with running(a_carrier(smsc), store=store) as rig:
            [message] = await heard(rig)
            assert (message.text, message.missing) == ("前", (2,))


async def test_parts_of_a_carrier_that_is_gone_are_given_out_all_the_same():
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            await bound(smsc)
            rig.delivery._inbound._correspondence.answered = never
            assert await smsc.deliver(said()) == 0
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc, name="another"), store=store) as rig:
            [message] = await heard(rig)
            assert (message.carrier, message.text) == (CARRIER, "好的")
