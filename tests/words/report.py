"""`make words`: how many disguised words are found, and how many innocent messages are stopped.

Exit code 1 when it is fewer than 97 in 100, or an innocent message is refused, or more than one in 500 is held.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.config import Config
from gateway.wordbook import Wordbook
from gateway.words.lexicon import Found, Lexicon
from gateway.words.lists import GRAVITY, Level
from tests.words.corpus import DISGUISES, SEED, Sample, Sounds, disguised, innocent

DETECTED_AT_LEAST: Final = 0.97
HELD_AT_MOST: Final = 1 / 500


class Rate(msgspec.Struct, frozen=True):
    """So many of so many."""

    found: int
    of: int

    def __str__(self) -> str:
        return f"{self.found} of {self.of} ({100 * self.share:.2f} %)"

    @property
    def share(self) -> float:
        return self.found / self.of if self.of else 1.0


class Measured(msgspec.Struct, frozen=True):
    """One run."""

    detected: Rate
    detected_held_back: Rate
    by_disguise: dict[str, Rate]
    misses: list[Sample]
    tagged: dict[str, Rate]  # by sound and in pieces
    innocent: int
    blocked: list[str]
    held: list[str]
    noticed: list[tuple[str, Found]]  # words counted in innocent messages

    @property
    def good(self) -> bool:
        return (
            self.detected.share >= DETECTED_AT_LEAST
            and not self.blocked
            and len(self.held) <= self.innocent * HELD_AT_MOST
        )


def measure(lexicon: Lexicon, seed: int = SEED) -> Measured:
    """Search for every word in every disguise, and in the innocent messages."""
    samples = list(disguised(DISGUISES, seed))
    misses = [each for each in samples if not stopped(lexicon.find(each.text), each)]
    missed = Counter(each.disguise for each in misses)
    kinds = Counter(each.disguise for each in samples)
    held_back = [each for each in samples if each.held_back]
    by_sound = list(disguised(Sounds().disguises, seed))
    tagged = Counter(each.disguise for each in by_sound if noticed(lexicon.find(each.text), each))
    messages = innocent(seed)
    levels = {text: worst(lexicon.find(text)) for text, _ in messages}
    return Measured(
        detected=Rate(len(samples) - len(misses), len(samples)),
        detected_held_back=Rate(len(held_back) - sum(each.held_back for each in misses), len(held_back)),
        by_disguise={name: Rate(count - missed[name], count) for name, count in kinds.items()},
        misses=misses,
        tagged={name: Rate(tagged[name], count) for name, count in Counter(each.disguise for each in by_sound).items()},
        innocent=len(messages),
        blocked=[text for text, level in levels.items() if level is Level.BLOCK],
        held=[text for text, level in levels.items() if level is Level.REVIEW],
        noticed=[(text, each) for text, _ in messages for each in lexicon.find(text) if each.level is Level.TAG],
    )


def stopped(found: Iterable[Found], sample: Sample) -> bool:
    """Detected: the very word, refused or held as its list says."""
    return any(each.word == sample.word and each.level is sample.level for each in found)


def noticed(found: Iterable[Found], sample: Sample) -> bool:
    return any(each.word == sample.word for each in found)


def worst(found: Iterable[Found]) -> Level | None:
    return max((each.level for each in found), key=GRAVITY.index, default=None)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> int:
    lexicon = Wordbook(Config()).stage.lexicon
    measured = measure(lexicon)
    say(f"words: the shipped list, {len(lexicon)} entries; seed {SEED}")
    for name, rate in measured.by_disguise.items():
        say(f"  {name:38} {rate}")
    for miss in measured.misses:
        say(f"  missed: {miss.word} ({miss.disguise}): {miss.text!r}")
    say(f"detected (refused or held): {measured.detected}; of words never tuned for: {measured.detected_held_back}")
    say("noticed by sound or in pieces (counted, not stopped):")
    for name, rate in measured.tagged.items():
        say(f"  {name:38} {rate}")
    say(f"innocent messages: {measured.innocent}; refused {len(measured.blocked)}, held {len(measured.held)}")
    for text in measured.blocked + measured.held:
        say(f"  stopped: {text}: {[each.word for each in lexicon.find(text)]}")
    for text, each in measured.noticed:
        say(f"  counted: {each.word} ({each.manner}) in {text}")
    return 0 if measured.good else 1


if __name__ == "__main__":
    sys.exit(main())
