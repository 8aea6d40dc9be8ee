"""Messages, records and settings for the tests of delivery."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from gateway.delivery.settings import BindSettings, CarrierSettings
from gateway.message import Attempt, IdSource, Message, MessageId, PartStatus, Record, Status, new_record

MORNING = 1_800_000_000_000  # 2027-01-15T08:00:00Z
PHONE = "+8613800138000"
TEXT = "【阳光物业】您的快递已到物业前台。"
# Of two parts, and of three.
OF_TWO = "【阳光物业】" + "明天上午九点至十一点停水检修，请提前储水。" * 5
LONG = "【阳光物业】" + "明天上午九点至十一点停水检修，请提前储水。" * 8
CARRIER = "cmcc-a"
LANE = "cmcc-a/normal/demo"

_ids = IdSource(node=1, last=MessageId(0))


def next_id() -> MessageId:
    """Ids that grow, whatever test asks."""
    return _ids.next(MORNING)


def a_message(**fields: Any) -> Message:
    """A notification of one part, valid for a day."""
    accepted_at = fields.get("accepted_at", MORNING)
    values = {
        "id": fields["id"] if "id" in fields else next_id(),
        "account": "demo",
        "to": PHONE,
        "text": TEXT,
        "network": "cmcc",
        "accepted_at": accepted_at,
        "expires_at": accepted_at + 86_400_000,
        "carriers": (CARRIER,),
    }
    return Message(**(values | fields))


def a_record(status: Status = Status.QUEUED, *, lane: str = LANE, **fields: Any) -> Record:
    """A message that was just accepted."""
    return new_record(a_message(**fields), status, lane=lane)


def an_attempt(carrier_message_id: str = "", *, at: int = MORNING, **fields: Any) -> Attempt:
    """One submit_sm. With an id: the carrier took it."""
    status = 0 if carrier_message_id else None
    values = {"carrier": CARRIER, "bind": f"{CARRIER}-1", "at": at, "carrier_message_id": carrier_message_id}
    return Attempt(**(values | {"command_status": status} | fields))


def statuses(record: Record) -> list[PartStatus]:
    """Of each part, in order."""
    return [part.status for part in record.state.parts]


def bind_settings(port: int, name: str = "cmcc-a-1", **fields: Any) -> BindSettings:
    """A bind to this machine that comes back quickly."""
    values = {
        "name": name,
        "host": "127.0.0.1",
        "port": port,
        "system_id": "gateway",
        "password": "secret",
        "reconnect_first_seconds": 0.02,
        "reconnect_longest_seconds": 0.1,
        "connect_timeout_seconds": 2.0,
    }
    return BindSettings(**(values | fields))


def carrier_settings(*binds: BindSettings, **fields: Any) -> CarrierSettings:
    """A carrier that may be sent as much as it takes, whose whole window is for everybody."""
    values = {"name": CARRIER, "throughput": 100_000, "source": "10690001", "bind": binds, "otp_share": 0.0}
    return CarrierSettings(**(values | fields))


async def eventually(condition: Callable[[], object], *, seconds: float = 15.0) -> None:
    """Wait until `condition` is true of something that tells nobody when it changes."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {inspect.getsource(condition).strip()}") from None
