"""Which language people are answered in."""

import pytest

from gateway.http.languages import wants_chinese


@pytest.mark.parametrize(
    "header",
    ["zh", "zh-CN", "zh-Hans-CN,zh;q=0.9,en;q=0.8", "ZH-TW", "en;q=0.5, zh;q=0.6", "fr, zh;q=0.2", "zh, en"],
)
def test_chinese_is_wanted_where_it_comes_first(header):
    assert wants_chinese(header)


@pytest.mark.parametrize(
    "header", [None, "", "en", "en-US,en;q=0.9,zh;q=0.8", "fr", "*", "zh;q=0", "en, zh", "zh;q=nonsense", ",;,"]
)
def test_english_is_the_answer_to_all_others(header):
    assert not wants_chinese(header)
