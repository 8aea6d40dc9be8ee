"""The binds of one carrier that can send: which of them takes the next part."""

from collections.abc import Collection, Sequence

from gateway.delivery.binds import Bind


class Pool:
    """Binds that share a carrier's rate. `takes_kept`: what is kept of their windows for one-time passwords counts."""

    def __init__(self, binds: Sequence[Bind]) -> None:
        self._binds = binds

    @property
    def is_up(self) -> bool:
        """Whether some bind could send."""
        return any(bind.is_up for bind in self._binds)

    def next_bind(self, in_the_middle: Collection[str], *, takes_kept: bool) -> Bind | None:
        """One that is in the middle of a message, else the one with most free slots; None when there is no slot."""
        best, most = None, 0
        for bind in self._binds:
            free = bind.free if takes_kept else bind.free_for_others
            if free > 0 and in_the_middle and bind.name in in_the_middle:
                return bind
            if free > most:
                best, most = bind, free
        return best

    def goes_on(self, in_the_middle: Collection[str], *, takes_kept: bool) -> bool:
        """Whether a bind that is in the middle of a message has room for its next part."""
        return bool(in_the_middle) and any(
            bind.name in in_the_middle and (bind.free if takes_kept else bind.free_for_others) > 0
            for bind in self._binds
        )
