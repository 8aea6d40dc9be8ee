import msgspec
import pytest

from gateway.policy.candidate import Draft
from gateway.text import count_parts
from loadtest.errors import CannotRun
from loadtest.supply import CATEGORIES, DEFAULT_MIX, Kind, Request, Supply
from loadtest.texts import SIGNATURE


def make(*, seed: int = 1, first: int = 13800138000, **weights: float) -> Supply:
    return Supply(weights or DEFAULT_MIX, iter(range(first, first + 10_000)), seed=seed, tag="load-7-")


def drafts(request: Request) -> list[Draft]:
    return msgspec.json.decode(request.body, type=list[Draft])


def test_a_request_says_of_itself_what_its_body_holds():
    supply = make(code=1, notice=1, long=1, invitation=1)
    supply.make_request(10)
    request = supply.make_request(200)
    found = drafts(request)
    assert [int(draft.to) for draft in found] == request.phones
    assert [count_parts(SIGNATURE + draft.text) for draft in found] == list(request.parts)
    assert [draft.category for draft in found] == [CATEGORIES[Kind(kind)] for kind in request.kinds]
    assert [draft.client_ref for draft in found] == [f"load-7-{n}" for n in range(10, 210)]


def test_messages_of_one_request_are_a_batch_and_one_alone_is_an_object_without():
    supply = make()
    first, second = (drafts(supply.make_request(2)) for _ in range(2))
    assert first[0].batch == first[1].batch != second[0].batch
    assert msgspec.json.decode(supply.make_request(1).body, type=Draft).batch == ""


def test_requests_are_the_same_for_a_seed_and_others_for_another():
    assert make(seed=4).make_request(100) == make(seed=4).make_request(100)
    assert make(seed=4).make_request(100) != make(seed=5).make_request(100)


def test_the_mix_is_about_what_was_asked_for_and_what_has_no_weight_does_not_occur():
    kinds = make(code=3, notice=1).make_request(4_000).kinds
    assert kinds.count(Kind.CODE) / 4_000 == pytest.approx(0.75, abs=0.03)
    assert not kinds.count(Kind.LONG) + kinds.count(Kind.INVITATION)


def test_long_ones_have_two_parts_and_all_others_one():
    assert set(make(long=1).make_request(500).parts) == {2}
    assert set(make(code=1, notice=1, invitation=1).make_request(500).parts) == {1}


def test_a_supply_without_numbers_says_so():
    with pytest.raises(CannotRun, match="no more numbers"):
        Supply(DEFAULT_MIX, iter([13800138000]), seed=1, tag="t").make_request(2)
