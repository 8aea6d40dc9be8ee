import pytest

from loadtest.errors import CannotRun
from loadtest.requirements import parse_requirements

KNOWN = ("accept_p99", "lost", "rate")


@pytest.mark.parametrize(
    ("text", "value", "kept"),
    [
        ("accept_p99<50ms", 0.049, True),
        ("accept_p99<50ms", 0.050, False),
        ("accept_p99<=50ms", 0.050, True),
        ("accept_p99 < 1.5s", 1.4, True),
        ("accept_p99>0.1", 0.1, False),
        ("accept_p99=0", 0.0, True),
    ],
)
def test_a_requirement_compares_a_figure_with_its_bound_in_its_unit(text: str, value: float, kept: bool):
    [requirement] = parse_requirements(text, KNOWN)
    assert requirement.keeps({"accept_p99": value}) is kept


def test_several_are_separated_by_commas_and_keep_how_they_were_written():
    parsed = parse_requirements("rate>=10000, lost=0,,accept_p99<50ms", KNOWN)
    assert [each.text for each in parsed] == ["rate>=10000", "lost=0", "accept_p99<50ms"]
    assert parse_requirements("", KNOWN) == []


@pytest.mark.parametrize("text", ["rate", "rate=>5", "rate>=fast", "accept_p99<50 minutes", "rate>=-1"])
def test_what_cannot_be_read_is_named(text: str):
    with pytest.raises(CannotRun, match="must be like"):
        parse_requirements(text, KNOWN)


def test_a_figure_that_nobody_measures_is_named_with_those_that_are():
    with pytest.raises(CannotRun, match="losses is none of the figures: accept_p99, lost, rate"):
        parse_requirements("losses=0", KNOWN)
