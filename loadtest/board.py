"""Where every message of a sample stands: its answer, then its status as the list shows it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from loadtest.answers import FINAL, MessageSeen, Result
from loadtest.sample import REFUSED, Ending, Entry


class Board:
    """Knows each entry by its `client_ref`, and takes in what the gateway says of it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._results: dict[str, Result] = {}
        self._seen: dict[str, MessageSeen] = {}
        self.strangers = 0  # messages that the gateway lists and nobody sent

    def take_results(self, entries: Sequence[Entry], results: Sequence[Result]) -> None:
        """The answer to a request with these entries: one result each, in their order."""
        assert len(entries) == len(results), "the caller has compared them"
        for entry, result in zip(entries, results, strict=True):
            self._results[entry.ref] = result

    def take_list(self, messages: Iterable[MessageSeen]) -> None:
        """The whole list as it is now."""
        ids = {result.id: ref for ref, result in self._results.items() if result.id}
        self._seen.clear()
        self.strangers = 0
        for message in messages:
            ref = ids.get(message.id)
            if ref is None:
                self.strangers += 1
            else:
                self._seen[ref] = message

    def result(self, entry: Entry) -> Result | None:
        """The answer that the entry got; None as long as it has none."""
        return self._results.get(entry.ref)

    def seen(self, entry: Entry) -> MessageSeen | None:
        """The message as the list showed it last; None where it was not in it."""
        return self._seen.get(entry.ref)

    def status(self, entry: Entry) -> str | None:
        """Its status at the latest that is known; None as long as it was not answered."""
        seen = self._seen.get(entry.ref)
        if seen is not None:
            return seen.status
        result = self._results.get(entry.ref)
        return None if result is None else result.status

    def ending(self, entry: Entry) -> Ending | None:
        """How it stands, in the words of an expectation; None as long as it was not answered."""
        status, result = self.status(entry), self._results.get(entry.ref)
        if status is None or result is None:
            return None
        if status == REFUSED:
            return Ending(REFUSED, code=result.error.code if result.error is not None else None)
        seen = self._seen.get(entry.ref)
        return Ending(status, parts=result.parts if seen is None else len(seen.parts))

    @property
    def counts(self) -> Counter[str]:
        """How many entries have each status, `refused` among them."""
        return Counter(status for status in map(self.status, self.entries) if status is not None)

    @property
    def accepted(self) -> int:
        """How many entries were accepted."""
        return sum(result.status != REFUSED for result in self._results.values())

    @property
    def finished(self) -> int:
        """How many entries are in a final state, or were refused."""
        return sum(count for status, count in self.counts.items() if status in FINAL or status == REFUSED)


def differences(board: Board) -> list[str]:
    """Name everything that is not as the sample expects it, a line each, in the order of the sample."""
    lines = [
        f"{entry.ref} ({entry.note}): {difference}"
        for entry in board.entries
        for difference in differences_of(entry.expect, board.ending(entry))
    ]
    if board.strangers:
        lines.append(f"the gateway lists {board.strangers} messages that are not in the sample")
    return lines


def differences_of(expected: Ending, found: Ending | None) -> list[str]:
    """Name every member in which an ending is not as expected."""
    if found is None:
        return [f"status must be {expected.status}, was never answered"]
    return [
        f"{member} must be {wanted}, is {'absent' if actual is None else actual}"
        for member in Ending.__struct_fields__
        for wanted, actual in [(getattr(expected, member), getattr(found, member))]
        if wanted is not None and wanted != actual
    ]
