"""A running simulator: every SMSC of a config, each behind its listener, and the control HTTP beside them."""

from types import TracebackType
from typing import Any, Final, Self

from simulator.control import start_control
from simulator.journal import Journal
from simulator.scenario import Scenario
from simulator.settings import MAIN, Settings, split_address
from simulator.smsc import Smsc
from simulator.station import Station, join_address


class AddressTaken(OSError):  # noqa: N818 - the state of an address
    """A listener cannot have its address; the message names both."""


class Simulator:
    """The SMSCs of a config, listening while the context lasts.

    `async with Simulator(settings) as simulator:` gives it with `port` and `control_port`, also where the settings have
    port 0. What it does by itself it does to the main SMSC; `stations` has all. Raises AddressTaken, and SettingError
    for settings that do not fit each other.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings: Final = settings if settings is not None else Settings()
        self.stations: dict[str, Station] = {}

    async def __aenter__(self) -> Self:
        self.stations = {name: Station(name, settings) for name, settings in self.settings.of_each().items()}
        control_host, control_port = split_address(self.settings.control.listen)
        try:
            for name, station in self.stations.items():
                where = "smpp" if name == MAIN else f"smsc[{name}]"
                await _taking(f"{where}.listen", station.settings.smpp.listen, station.start())
            control = start_control(self.stations, (control_host, control_port))
            self._control = await _taking("control.listen", self.settings.control.listen, control)
        except AddressTaken:
            for station in self.stations.values():
                await station.stop()
            raise
        self.control_port: int = self._control.addresses[0][1]
        self.control_address: str = join_address(control_host, self.control_port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._control.cleanup()
        for station in self.stations.values():
            await station.stop()

    @property
    def main(self) -> Station:
        """The SMSC that `[smpp]` is about."""
        return self.stations[MAIN]

    @property
    def smsc(self) -> Smsc:
        """What is behind the listener."""
        return self.main.smsc

    @property
    def port(self) -> int:
        """The port of the listener."""
        return self.main.port

    @property
    def address(self) -> str:
        """Where it listens, host:port."""
        return self.main.address

    @property
    def journal(self) -> Journal:
        """What went over every connection."""
        return self.smsc.journal

    def counts(self) -> dict[str, Any]:
        """Return what `GET /counts` answers."""
        return self.main.counts()

    def change(self, scenario: Scenario) -> None:
        """Behave by another scenario from now on."""
        self.main.change(scenario)

    def reset(self) -> None:
        """Forget messages, receipts that are still to come, the journal and the counts."""
        self.main.reset()

    def send_inbound(self, source: str, destination: str, text: str) -> int:
        """Send a subscriber's message and return its parts. Raises NobodyReceives, TextError."""
        return self.main.send_inbound(source, destination, text)

    def drop(self) -> int:
        """Reset every connection, and return how many there were."""
        return self.main.drop()

    async def unbind(self) -> int:
        """End every session in order, and return how many there were."""
        return await self.main.unbind()


async def _taking(setting: str, address: str, listening: Any) -> Any:
    """Wait for a listener. Raises AddressTaken."""
    try:
        return await listening
    except OSError as error:
        raise AddressTaken(f"{setting} = {address!r}: {error.strerror or error}") from error
