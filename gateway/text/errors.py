"""What can be wrong with a text that is to be sent. All of it is the sender's, none of it passes by trying again.

TextError            refuse the message
├── UnencodableText  a character that the coding has no code for, or half a surrogate pair
└── TooManyParts     more parts than a concatenation header can number
"""


class TextError(ValueError):
    """A text that cannot be sent as it is."""


class UnencodableText(TextError):  # noqa: N818
    """The character at `position` (in code points, from 0) has no code. The text is not kept here: it is private."""

    def __init__(self, coding_name: str, position: int) -> None:
        super().__init__(f"character {position} cannot be written in {coding_name}")
        self.coding_name = coding_name
        self.position = position


class TooManyParts(TextError):  # noqa: N818
    """The text would take `parts` parts, and `limit` is the most that can be numbered."""

    def __init__(self, parts: int, limit: int) -> None:
        super().__init__(f"{parts} parts, and at most {limit} can be numbered")
        self.parts = parts
        self.limit = limit
