"""Lists of words: what a line means, and what is wrong with it."""

import pytest

from gateway.words import lists
from gateway.words.lists import Level, Rule, WordList, WordListError, read_rules


def read(text: str, name: str = "lists/ours.txt", **fields) -> list[Rule]:
    return read_rules([WordList(name=name, text=text, **fields)])


def test_a_plain_list_is_one_group_named_like_its_file():
    rules = read("\ufeff代开发票\r\n\r\n# comment\r\n  假证 \r\n", level=Level.REVIEW)
    assert rules == [
        Rule("代开发票", "ours", Level.REVIEW, Level.TAG),
        Rule("假证", "ours", Level.REVIEW, Level.TAG),
    ]
    assert read("一二", name="x/敏感 词.v2.txt")[0].group == "-"


def test_the_level_of_a_word_wins_over_its_groups_and_that_over_the_files():
    rules = read("甲甲\n[g1] review why: because\n乙乙\n丙丙\tblock\n[g2]\n丁丁\n戊戊\tallow", level=Level.TAG)
    assert [(rule.word, rule.group, rule.level) for rule in rules] == [
        ("甲甲", "ours", Level.TAG),
        ("乙乙", "g1", Level.REVIEW),
        ("丙丙", "g1", Level.BLOCK),
        ("丁丁", "g2", Level.TAG),
        ("戊戊", "g2", Level.ALLOW),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("假证\tsevere", "line 2: level = severe: must be one of allow tag review block"),
        ("[two words", "line 2: must be \\[group\\] level reason"),
        ("[组]", "line 2: must be \\[group\\] level reason"),
        ("[" + "g" * 33 + "]", "line 2: must be \\[group\\] level reason"),
        ("字" * 41, "line 2: must be a word of at most 40 characters"),
    ],
)
def test_a_line_that_says_nothing_is_refused_with_its_file_and_number(line: str, fault: str):
    with pytest.raises(WordListError, match=f"lists/ours.txt: {fault}"):
        read(f"好词\n{line}\n")


def test_no_more_words_and_groups_than_the_limits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "MAXIMUM_WORDS", 2)
    monkeypatch.setattr(lists, "MAXIMUM_GROUPS", 2)
    assert len(read("甲甲\n乙乙")) == 2
    with pytest.raises(WordListError, match="with it there are more than 2 words"):
        read("甲甲\n乙乙\n丙丙")
    monkeypatch.setattr(lists, "MAXIMUM_WORDS", 9)
    with pytest.raises(WordListError, match="3 groups: must be at most 2"):
        read("甲甲\n[a]\n乙乙\n[b]\n丙丙")
