from itertools import pairwise

from gateway.text import Coding, decode, split_header
from loadtest.smppsupply import SmppMessage, SmppSupply
from loadtest.supply import Kind
from loadtest.texts import SIGNATURE


def messages(count: int, *, seed: int = 1, **weights: float) -> list[SmppMessage]:
    supply = SmppSupply(weights, iter(range(13800138000, 13900000000)), seed=seed, source="10690001")
    return [supply.make_message() for _ in range(count)]


def test_each_part_asks_for_a_receipt_and_goes_to_the_number_that_is_told():
    for message in messages(50, code=1, notice=1, long=1, invitation=1):
        [phone] = message.request.phones
        assert {part.destination_addr for part in message.parts} == {f"86{phone}"}
        assert {part.registered_delivery for part in message.parts} == {1}
        assert len(message.parts) == message.request.parts[0]


def test_the_parts_of_a_long_message_share_a_reference_that_the_next_one_does_not_have():
    references = []
    for message in messages(300, long=1):
        places = [split_header(part.short_message)[0] for part in message.parts]
        assert [(place.number, place.total) for place in places] == [(1, 2), (2, 2)]
        [reference] = {place.reference for place in places}
        references.append(reference)
    assert all(earlier != later for earlier, later in pairwise(references))
    assert len(set(references)) == 256


def test_the_text_begins_with_the_signature():
    [message] = messages(1, notice=1)
    assert decode(message.parts[0].short_message, Coding(message.parts[0].data_coding)).startswith(SIGNATURE)


def test_messages_are_the_same_for_a_seed_and_others_for_another():
    assert messages(20, seed=4, code=1, long=1) == messages(20, seed=4, code=1, long=1)
    assert messages(20, seed=4, code=1, long=1) != messages(20, seed=5, code=1, long=1)


def test_what_has_no_weight_does_not_occur():
    assert {message.request.kinds[0] for message in messages(100, code=1, invitation=0)} == {Kind.CODE}
