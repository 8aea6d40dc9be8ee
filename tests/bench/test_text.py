"""What text costs a message: `make bench`."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.text import Coding, count_parts, cut, decode

NOTICE = (
    "【阳光物业】尊敬的业主，因供水管网检修，3号楼将于11月26日9时至16时停水，请提前储水并关好水龙头，"
    "来水初期若有浑浊请稍放后使用，不便之处敬请谅解。"
)
SEVENTY = NOTICE[:70]

pytestmark = pytest.mark.bench


def test_cut_and_code_70_chinese_characters(benchmark: BenchmarkFixture):
    assert len(SEVENTY) == 70
    segments = benchmark(cut, SEVENTY, reference=1)
    assert len(segments.parts) == 1


def test_cut_and_code_200_chinese_characters(benchmark: BenchmarkFixture):
    segments = benchmark(cut, (SEVENTY * 3)[:200], reference=1)
    assert len(segments.parts) == 3


def test_cut_and_code_160_gsm_characters(benchmark: BenchmarkFixture):
    segments = benchmark(cut, "Your code is 123456." * 8, reference=1)
    assert len(segments.parts) == 1


def test_count_the_parts_of_70_chinese_characters(benchmark: BenchmarkFixture):
    assert benchmark(count_parts, SEVENTY) == 1


def test_decode_70_chinese_characters(benchmark: BenchmarkFixture):
    data = SEVENTY.encode("utf-16-be")
    assert benchmark(decode, data, Coding.UCS2) == SEVENTY
