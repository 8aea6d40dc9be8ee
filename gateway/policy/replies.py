"""What a subscriber's reply asks for: to be left alone from now on, or to be written to again. Pure.

Only a reply that is nothing else counts, once width, case, spaces, punctuation and an optional 回复 in front are taken
away: `Ｒ。` and `回复 TD` do, `不退订` and `R号楼` do not.
"""

import unicodedata
from enum import StrEnum
from typing import Final

# The words that subscribers are told to answer with, or have learned elsewhere.
OPT_OUT_WORDS: Final = (
    "r", "t", "td", "n", "退订", "拒收", "0000", "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout",
)  # fmt: skip
OPT_IN_WORDS: Final = ("订阅", "start", "unstop")

_LONGEST: Final = 200  # characters of a reply that are looked at: whoever writes more says something else
_REPLY: Final = "回复"
_OPT_OUT: Final = frozenset(OPT_OUT_WORDS)
_OPT_IN: Final = frozenset(OPT_IN_WORDS)


class Wish(StrEnum):
    """What a reply asks for."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


def wish(text: str, opt_out_words: frozenset[str] = _OPT_OUT) -> Wish | None:
    """What a reply asks for; None when it asks for neither. `opt_out_words`: those of the account it is for."""
    said = bare(text)
    if said in opt_out_words:
        return Wish.OPT_OUT
    return Wish.OPT_IN if said in _OPT_IN else None


def bare(text: str) -> str:
    """A reply without all that makes no difference."""
    if len(text) > _LONGEST:
        return text
    letters = "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if _counts(each))
    return letters.removeprefix(_REPLY) or letters


def _counts(character: str) -> bool:
    """Whether a character is more than space, punctuation, or what nobody sees."""
    return unicodedata.category(character)[0] not in "ZPC"
