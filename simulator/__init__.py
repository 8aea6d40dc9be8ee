"""An SMSC that can misbehave: for testing SMPP clients, ours or anybody's."""

from simulator.checking import SettingError
from simulator.scenario import Scenario
from simulator.server import AddressTaken, Simulator
from simulator.settings import Settings

__all__ = ["AddressTaken", "Scenario", "SettingError", "Settings", "Simulator"]
