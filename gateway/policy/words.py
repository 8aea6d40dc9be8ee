"""Words that a message may not have, must be looked at for, or is counted by: everywhere, not on the mainland only."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.policy.candidate import Candidate
from gateway.policy.signature import OPENING
from gateway.policy.verdict import Reason, Refusal
from gateway.words.lexicon import Found, Lexicon, Manner
from gateway.words.lists import Level

HOLD: Final = "words"  # why a reviewer must see it
_MAXIMUM_TOLD: Final = 20  # words of one refusal
_TAGS: Final[Mapping[Manner, str]] = {
    Manner.PLAIN: "words",
    Manner.SOUND: "words_by_sound",
    Manner.PIECES: "words_in_pieces",
}


class WordStage:
    """Refuse, hold or tag what has a listed word, by the gravest level of those found."""

    name = "words"

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._harmless = ""  # the last text without a word: often the next message to somebody else has it as well

    @property
    def lexicon(self) -> Lexicon:
        """What is looked for. Another one may be put in its place at any time."""
        return self._lexicon

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon) -> None:
        self._lexicon, self._harmless = lexicon, ""

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        text = candidate.text
        if text == self._harmless:
            return None
        found = self._lexicon.find(text)
        if not found:
            self._harmless = text
            return None
        exempt = candidate.account.word_exemptions
        found = [each for each in found if each.group not in exempt]
        tags = dict.fromkeys(f"{_TAGS[each.manner]}.{each.group}" for each in found)
        candidate.tags = (*candidate.tags, *tags)
        blocked = [each for each in found if each.level is Level.BLOCK]
        if blocked:
            return _refusal(candidate, blocked)
        if found:
            candidate.noticed = {"words": _noticed(candidate, found)}
        if any(each.level is Level.REVIEW for each in found):
            candidate.hold = HOLD
        return None

    def noticed(self, candidate: Candidate) -> Sequence[Mapping[str, Any]]:
        """The words of a message that was accepted before, for whoever reviews it."""
        exempt = candidate.account.word_exemptions
        found = [each for each in self._lexicon.find(candidate.text) if each.group not in exempt]
        return _noticed(candidate, found)


def _refusal(candidate: Candidate, blocked: Sequence[Found]) -> Refusal:
    """Tells the words as they are listed, never what the text makes of them."""
    groups = ", ".join(dict.fromkeys(each.group for each in blocked))
    return Refusal(
        Reason.SENSITIVE_WORDS,
        f"The text has words that may not be sent ({groups}).",
        {"words": _told(candidate, blocked)},
        chinese=f"正文含有禁止发送的词语（{groups}）。",
    )


def _told(candidate: Candidate, found: Sequence[Found]) -> list[dict[str, Any]]:
    """Where they stand in what the sender wrote: the signature may have been put in front since."""
    given = candidate.draft.text.startswith(OPENING) or not candidate.signature
    shift = 0 if given else len(candidate.signature) + 2
    return [_told_one(each, shift) for each in found[:_MAXIMUM_TOLD]]


def _noticed(candidate: Candidate, found: Sequence[Found]) -> list[dict[str, Any]]:
    """The same, and how grave and in which manner."""
    told = _told(candidate, found)
    return [line | {"level": each.level, "manner": each.manner} for line, each in zip(told, found, strict=False)]


def _told_one(found: Found, shift: int) -> dict[str, Any]:
    in_signature = found.start < shift
    where, position = ("signature", found.start - len(OPENING)) if in_signature else ("text", found.start - shift)
    return {
        "group": found.group,
        "word": found.word,
        "in": where,
        "position": position,
        "length": found.end - found.start,
    }
