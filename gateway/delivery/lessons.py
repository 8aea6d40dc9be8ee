"""What receipts tell of numbers and carriers, for those who decide about the next message."""

from typing import Protocol


class Lessons(Protocol):
    """Who wants to know what receipts tell. Numbers are in E.164."""

    def ported(self, number: str, network: str) -> None:
        """This network serves the number now."""

    def suppress(self, carrier: str, number: str, code: str) -> None:
        """The carrier will never deliver to the number: it said so by this code."""

    def rest(self, carrier: str, number: str, seconds: float) -> None:
        """The carrier takes nothing more for the number for so long."""

    def outcome(self, carrier: str, network: str, *, delivered: bool, seconds: float) -> None:
        """A receipt settled a part that was handed over so long ago. `network`: of the number, at acceptance."""


class NoLessons:
    """Nobody wants to know."""

    def ported(self, number: str, network: str) -> None:
        pass

    def suppress(self, carrier: str, number: str, code: str) -> None:
        pass

    def rest(self, carrier: str, number: str, seconds: float) -> None:
        pass

    def outcome(self, carrier: str, network: str, *, delivered: bool, seconds: float) -> None:
        pass
