"""The carriers as operators see them over the API, and what they do to them."""

from gateway.delivery.carriers import Carrier
from gateway.delivery.delivery import Delivery
from gateway.delivery.settings import WhenPaused
from gateway.http.operations import BindView, CarrierView


class CarrierDesk:
    """Looks at the carriers of a running gateway, pauses them, and binds again."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def carriers(self) -> list[CarrierView]:
        """Every carrier with its binds, in the order of the config."""
        return [_view(carrier) for carrier in self._delivery.carriers.values()]

    async def pause(self, name: str, queue: str | None) -> CarrierView | None:
        """Begin no more messages by a carrier. `queue`: "keep", "move", or None for what its settings say."""
        carrier = self._delivery.carriers.get(name)
        if carrier is None:
            return None
        await self._delivery.pause(name, None if queue is None else WhenPaused(queue))
        return _view(carrier)

    async def resume(self, name: str) -> CarrierView | None:
        """Go on with a carrier."""
        carrier = self._delivery.carriers.get(name)
        if carrier is None:
            return None
        await self._delivery.resume(name)
        return _view(carrier)

    def rebind(self, name: str) -> CarrierView | None:
        """Unbind and bind again; the carrier of the bind as it is now."""
        for carrier in self._delivery.carriers.values():
            for bind in carrier.binds:
                if bind.name == name:
                    bind.rebind()
                    return _view(carrier)
        return None


def _view(carrier: Carrier) -> CarrierView:
    return CarrierView(
        name=carrier.name,
        state="paused" if carrier.paused is not None else "up" if carrier.is_up else "down",
        rate=carrier.rate,
        queued=carrier.waiting,
        binds=tuple(
            BindView(
                name=bind.name,
                state="bound" if bind.is_up else "down",
                window=bind.settings.window,
                in_use=bind.in_use,
                since=bind.since,
                error=bind.error,
            )
            for bind in carrier.binds
        ),
    )
