"""Pauses that grow, and last for days in all."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.callbacks.pace import Pace, pause_seconds
from gateway.callbacks.post import Answer, Outcome
from gateway.callbacks.settings import CallbackSettings

DEFAULT = CallbackSettings()
GONE = Answer(Outcome.UNREACHABLE, "timeout")


def test_pauses_double_from_a_second_to_five_minutes():
    pauses = [pause_seconds(DEFAULT, failures, GONE, random=0.0) for failures in range(1, 12)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_three_days_of_a_receiver_that_is_gone_are_some_hundred_tries():
    waited, tries = 0.0, 0
    while waited < DEFAULT.retry_for_seconds:
        tries += 1
        waited += pause_seconds(DEFAULT, tries, GONE, random=0.5)
    assert 800 < tries < 1_800


@given(
    failures=st.integers(1, 10_000),
    random=st.floats(0, 1, exclude_max=True),
    asked=st.floats(0, 1e9),
    busy=st.booleans(),
)
def test_a_pause_is_never_longer_than_the_longest_nor_shorter_than_half_of_what_is_due(failures, random, asked, busy):
    answer = Answer(Outcome.REFUSED, "status 503", asked, is_busy=busy)
    pause = pause_seconds(DEFAULT, failures, answer, random=random)
    assert 0.5 * min(300.0, 2.0 ** min(failures - 1, 30)) <= pause <= 300.0
    assert pause >= min(asked, 300.0)


async def test_so_many_pass_in_a_second_whoever_waits():
    pace = Pace(200)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(pace.wait() for _ in range(41)))
    assert asyncio.get_running_loop().time() - began > 0.19
