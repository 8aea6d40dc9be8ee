"""Makes of rules what a lexicon searches with: two automata and flat arrays, which another process can take in at once.

A hundred thousand objects would take a tenth of a second to come into being, and as much time of every full garbage
collection after it. So a rule is a row over the arrays, and its number is that of its pattern.
"""

from array import array
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.words.automaton import pack
from gateway.words.codes import Codes
from gateway.words.lists import GRAVITY, Level, Rule, WordListError
from gateway.words.tables import Tables

# Two syllables sound like something in every other sentence.
LEAST_SYLLABLES: Final = 3


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A lexicon as octets. Numbers are unsigned, of the machine's own order; places are counted from the start."""

    words: bytes  # an automaton over normal forms: the rules, then pieces of characters
    sounds: bytes  # an automaton over the upper octets of the forms of some rules
    sound_rules: bytes  # 32 bits each: which rules these are
    wholes: bytes  # UTF-16: for each piece pattern, the code of the character that falls apart into it
    listed: bytes  # UTF-8: the words as listed, one after the other
    listed_ends: bytes  # 32 bits each: where each ends
    forms: bytes  # UTF-16: their normal forms, one after the other
    form_ends: bytes  # 32 bits each: where each ends
    levels: bytes  # 8 bits each: places in GRAVITY
    disguised: bytes  # 8 bits each: places in GRAVITY; allow: not looked for
    groups: bytes  # 16 bits each: places in the names
    group_names: bytes  # UTF-8, a line each


def build(tables: Tables, codes: Codes, rules: list[Rule]) -> Built:
    """Raises WordListError for a word of which nothing or too little is left in its normal form."""
    forms = [codes.form(rule.word) for rule in rules]
    for rule, form in zip(rules, forms, strict=True):
        if len(form) < 2:
            raise WordListError(f"word = {rule.word}: must have at least two letters or characters that are not signs")
    heard = [
        n for n, rule in enumerate(rules) if _can_be_disguised(rule) and _syllables(codes, forms[n]) >= LEAST_SYLLABLES
    ]
    pieces = _pieces(tables, codes, {c for n, rule in enumerate(rules) if _can_be_disguised(rule) for c in forms[n]})
    names = list(dict.fromkeys(rule.group for rule in rules))
    number_of = {name: number for number, name in enumerate(names)}
    listed = [rule.word.encode() for rule in rules]
    return Built(
        words=pack([_octets(form) for form in forms] + [_octets(form) for form, _ in pieces]),
        sounds=pack([_octets(forms[n])[1::2] for n in heard]),
        sound_rules=array("I", heard).tobytes(),
        wholes=_octets("".join(whole for _, whole in pieces)),
        listed=b"".join(listed),
        listed_ends=_ends(listed),
        forms=_octets("".join(forms)),
        form_ends=_ends(forms),
        levels=bytes(GRAVITY.index(rule.level) for rule in rules),
        disguised=bytes(GRAVITY.index(rule.disguised or Level.ALLOW) for rule in rules),
        groups=array("H", [number_of[rule.group] for rule in rules]).tobytes(),
        group_names="\n".join(names).encode(),
    )


def _can_be_disguised(rule: Rule) -> bool:
    return rule.disguised is not None and rule.level is not Level.ALLOW


def _syllables(codes: Codes, form: str) -> int:
    return sum(code in codes.sound_of_code for code in form)


def _pieces(tables: Tables, codes: Codes, wanted: set[str]) -> list[tuple[str, str]]:
    """The forms of what the wanted characters fall apart into, each with the character's code."""
    found = []
    for character, ways in tables.pieces().items():
        code = codes.form(character)
        if code in wanted:
            found += [(codes.form(way), code) for way in ways]
    return found


def _octets(form: str) -> bytes:
    return form.encode("utf-16-le")


def _ends(values: Iterable[str] | Iterable[bytes]) -> bytes:
    ends, end = array("I"), 0
    for value in values:
        end += len(value)
        ends.append(end)
    return ends.tobytes()
