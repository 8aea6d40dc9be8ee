"""Which syllables of pinyin sound alike: many speakers do not tell them apart, and disguises rely on it."""

from typing import Final

SYLLABLE_LETTERS: Final = 6  # of the longest: zhuang


def sound_of(syllable: str) -> str:
    """The syllable that stands for all that sound like this one: zh ch sh as z c s, -ing -eng -ang as -in -en -an."""
    if syllable.startswith(("zh", "ch", "sh")):
        syllable = syllable[0] + syllable[2:]
    if syllable.endswith(("ing", "eng", "ang")):
        syllable = syllable[:-1]
    return syllable
