import pytest

from loadtest.errors import CannotRun
from loadtest.weights import parse_weights, shown


def test_weights_are_written_as_they_are_read():
    weights = parse_weights("a=1, b=2.5,c=0", ["a", "b", "c"], option="--mix")
    assert weights == {"a": 1.0, "b": 2.5, "c": 0.0}
    assert shown(weights) == "a=1,b=2.5,c=0"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("d=1", "'d' is none of a, b"),
        ("", "'' is none of a, b"),
        ("a", "a must have a number"),
        ("a=-1", "a must be 0 to 1000000"),
        ("a=nan", "a must be 0 to 1000000"),
        ("a=0,b=0", "one of them must be more than 0"),
    ],
)
def test_weights_that_cannot_be_are_named_with_the_option(text: str, complaint: str):
    with pytest.raises(CannotRun, match="--mix") as error:
        parse_weights(text, ["a", "b"], option="--mix")
    assert complaint in str(error.value)
