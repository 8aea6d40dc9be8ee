import msgspec
import pytest

from gateway.policy.candidate import Draft
from loadtest.plan import Mix, make_plan


def test_a_plan_is_the_same_for_a_seed_and_another_for_another():
    first, again, other = (make_plan(300, batch=100, seed=seed, mix=Mix()) for seed in (5, 5, 6))
    assert (first.messages, first.bodies) == (again.messages, again.bodies)
    assert first.bodies != other.bodies


def test_the_requests_hold_every_message_in_order_and_the_last_one_the_rest():
    plan = make_plan(250, batch=100, seed=1, mix=Mix())
    requests = [msgspec.json.decode(body, type=list[Draft]) for body in plan.bodies]
    assert [len(request) for request in requests] == [100, 100, 50]
    sent = [draft.client_ref for request in requests for draft in request]
    assert sent == [message.client_ref for message in plan.messages]


def test_each_message_has_a_number_and_a_ref_of_its_own():
    plan = make_plan(2_000, batch=100, seed=1, mix=Mix())
    assert len({message.to for message in plan.messages}) == 2_000
    assert len({message.client_ref for message in plan.messages}) == 2_000


def test_the_mix_is_about_what_was_asked_for():
    plan = make_plan(5_000, batch=100, seed=1, mix=Mix(codes=0.2, two_parts=0.1))
    assert sum(message.category == "otp" for message in plan.messages) / 5_000 == pytest.approx(0.2, abs=0.02)
    assert plan.parts / 5_000 == pytest.approx(1.1, abs=0.02)


def test_a_mix_of_more_than_everything_is_refused():
    with pytest.raises(ValueError, match="at most 1"):
        Mix(codes=0.6, two_parts=0.5)
