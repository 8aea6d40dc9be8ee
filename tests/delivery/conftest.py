"""Delivery runs on the loop that the gateway runs on."""

from collections.abc import Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, type[uvloop.Loop]]:
    return {"uvloop": uvloop.Loop}
