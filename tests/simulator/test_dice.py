import subprocess
import sys

import msgspec

from simulator.dice import Dice, Turns


def test_the_same_seed_destination_and_turn_give_the_same_roll() -> None:
    assert Dice(1).roll("8613800001111", 1) == Dice(1).roll("8613800001111", 1)


def test_another_seed_destination_or_turn_gives_another_roll() -> None:
    rolls = {Dice(1).roll("1", 1), Dice(2).roll("1", 1), Dice(1).roll("2", 1), Dice(1).roll("1", 2)}

    assert len(rolls) == 4


def test_another_process_rolls_the_same() -> None:
    code = "from simulator.dice import Dice; print(Dice(7).roll('8613800001111', 3))"
    outputs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }

    assert outputs == {f"{Dice(7).roll('8613800001111', 3)}\n"}


def test_delays_are_replayed_and_depend_on_seed_destination_and_turn() -> None:
    for draw in (Dice.receipt_delay, Dice.response_latency):
        chances = {draw(Dice(1), "1", 1), draw(Dice(2), "1", 1), draw(Dice(1), "2", 1), draw(Dice(1), "1", 2)}

        assert len(chances) == 4
        assert draw(Dice(1), "8613800001111", 1) == draw(Dice(1), "8613800001111", 1)
    assert Dice(1).receipt_delay("1", 1) != Dice(1).response_latency("1", 1)


def test_chances_are_spread_evenly_from_0_to_below_1() -> None:
    dice = Dice(1)
    phones = [str(13_800_000_000 + number) for number in range(4000)]
    rolls = [msgspec.structs.astuple(dice.roll(phone, 1)) for phone in phones]
    delays = [(dice.receipt_delay(phone, 1), dice.response_latency(phone, 1)) for phone in phones]
    turns = [(dice.receipt_delay("1", turn), dice.response_latency("1", turn)) for turn in range(1, 4001)]

    for chances in (*zip(*rolls, strict=True), *zip(*delays, strict=True), *zip(*turns, strict=True)):
        assert min(chances) >= 0
        assert max(chances) < 1
        assert abs(sum(chance < 0.25 for chance in chances) - 1000) < 120


def test_turns_count_each_key_by_itself() -> None:
    turns = Turns(100)

    assert [turns.next("a"), turns.next("b"), turns.next("a")] == [1, 1, 2]


def test_turns_of_a_key_in_use_are_kept_while_others_come_and_go() -> None:
    turns = Turns(100)

    for number in range(1000):
        turns.next(number)
        assert turns.next("in use") == number + 1
        assert len(turns) <= 101


def test_turns_of_a_key_out_of_use_begin_again() -> None:
    turns = Turns(10)
    turns.next("a")
    for number in range(20):
        turns.next(number)

    assert turns.next("a") == 1
