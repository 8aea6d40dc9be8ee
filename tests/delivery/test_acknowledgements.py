"""What handsets send by themselves settles nothing and is stored nowhere; what users choose from menus is kept."""

import pytest

from gateway.delivery.acknowledgements import is_chosen, is_without_words
from gateway.message import Status
from gateway.smpp import DataSm, DeliverSm, EsmClass, TlvTag, make_tlv
from tests.delivery.rig import running
from tests.delivery.samples import CARRIER
from tests.delivery.scripted_smsc import receipt, scripted
from tests.delivery.test_inbound import Acting, a_carrier, bound, heard, said

READ, CHOSEN, BROKEN_OFF = (
    EsmClass.DELIVERY_ACKNOWLEDGEMENT,
    EsmClass.MANUAL_ACKNOWLEDGEMENT,
    EsmClass.CONVERSATION_ABORT,
)
PAYLOAD = (make_tlv(TlvTag.MESSAGE_PAYLOAD, b"1"),)


@pytest.mark.parametrize(
    ("body", "without_words", "chosen"),
    [
        (DeliverSm(short_message=b"R"), False, False),
        (DeliverSm(short_message=b"R", esm_class=EsmClass.UDHI), False, False),
        (DeliverSm(), False, False),
        (DeliverSm(short_message=b"read", esm_class=READ), True, False),
        (DeliverSm(esm_class=READ | EsmClass.REPLY_PATH), True, False),
        (DeliverSm(short_message=b"x", esm_class=BROKEN_OFF), True, False),
        (DeliverSm(esm_class=CHOSEN), True, True),
        (DeliverSm(short_message=b"1", esm_class=CHOSEN), False, True),
        (DeliverSm(esm_class=CHOSEN, tlvs=PAYLOAD), False, True),
        (DataSm(esm_class=CHOSEN, tlvs=PAYLOAD), False, True),
        (DataSm(esm_class=CHOSEN), True, True),
        (DataSm(esm_class=READ, tlvs=PAYLOAD), True, False),
    ],
)
def test_an_acknowledgement_is_known_by_its_message_type(body: DeliverSm | DataSm, without_words: bool, chosen: bool):
    assert (is_without_words(body), is_chosen(body)) == (without_words, chosen)


@pytest.mark.parametrize("esm_class", [READ, BROKEN_OFF])
async def test_what_a_handset_says_is_answered_and_is_neither_a_message_nor_a_receipt(esm_class: EsmClass):
    acting = Acting()
    async with scripted() as smsc, running(a_carrier(smsc), replies=acting) as rig:
        await bound(smsc)
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        told = receipt(smsc.submits[0], "1", esm_class=esm_class)
        assert await smsc.deliver(told) == 0
        assert await smsc.deliver(said("R", esm_class=esm_class)) == 0
        assert await smsc.deliver(said("after them")) == 0
        assert [message.text for message in await heard(rig)] == ["after them"]
        assert rig.status_on_disk(record) is Status.SUBMITTED
        assert rig.store.receipts == []
        assert rig.metrics.receipts.value((CARRIER, "acknowledgement", "intermediate")) == 2
        assert [reply.text for reply in acting.noted] == ["after them"]


async def test_what_was_chosen_from_a_menu_is_a_message_and_no_wish_to_hear_no_more():
    acting = Acting()
    async with scripted() as smsc, running(a_carrier(smsc), replies=acting) as rig:
        await bound(smsc)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert await smsc.deliver(said("N", esm_class=CHOSEN)) == 0
        assert await smsc.deliver(said("R")) == 0
        first, second = await heard(rig, 2)
        assert (first.text, first.account) == ("N", "demo")
        assert second.text == "R"
        assert [reply.text for reply in acting.noted] == ["R"]
