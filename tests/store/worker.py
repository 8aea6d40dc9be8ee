"""A process with a store of its own, to be hurt. Takes commands, one JSON object a line; answers each with a line.

`{"append": 3}` answers the ids or the error; `{"update": [id, "cancelled"]}`, `{"receipt": "id-1"}`, `{"inbound": "T"}`
answer true or the error; `{"limit": bytes}` lets no file grow past a size, 0 any; `{"failure": true}` answers why the
store cannot write. `{"traffic": seed}` never answers: it goes on by itself, and reports each commit by a line.
"""

import asyncio
import random
import resource
import sys

import msgspec

from gateway.message import (
    Attempt,
    Entry,
    IdSource,
    Message,
    MessageId,
    Part,
    PartStatus,
    Record,
    Status,
    new_record,
)
from gateway.store.api import InboundMessage, StoreUnavailableError, UnmatchedReceipt
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

PATH = (Status.QUEUED, Status.SENDING, Status.SUBMITTED, Status.DELIVERED)


class Worker:
    def __init__(self, settings: StoreSettings) -> None:
        self.store = SqliteStore(settings)
        self.records: dict[MessageId, Record] = {}
        self.now = 1_800_000_000_000

    async def run(self) -> None:
        recovered = await self.store.open()
        self.ids = IdSource(node=0, last=recovered.last_id)
        tell("ready")
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            [(name, argument)] = msgspec.json.decode(line).items()
            try:
                tell(await getattr(self, name)(argument))
            except StoreUnavailableError as error:
                tell({"error": str(error)})
        await self.store.close()

    async def append(self, count: int) -> list[MessageId]:
        records = [self._record() for _ in range(count)]
        await self.store.append(records)
        self.records |= {record.id: record for record in records}
        return [record.id for record in records]

    async def update(self, change: tuple[MessageId, str]) -> bool:
        record = self.records[change[0]]
        self._enter(record, Status(change[1]))
        if record.status is Status.SUBMITTED:
            record.set_part(0, Part(PartStatus.SUBMITTED, (Attempt("a", "a-1", self.now, f"id-{record.id}", 0),)))
        await self.store.update(record)
        return True

    async def receipt(self, carrier_message_id: str) -> bool:
        await self.store.keep_receipt(UnmatchedReceipt("a", carrier_message_id, "", "", 2, "", self.now))
        return True

    async def inbound(self, text: str) -> MessageId:
        message = InboundMessage(self.ids.next(self.now), "a", "", "", text, self.now)
        await self.store.append_inbound(message)
        return message.id

    async def limit(self, size_bytes: int) -> bool:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes or hard, hard))
        return True

    async def failure(self, _: bool) -> str | None:
        return None if self.store.failure is None else str(self.store.failure)

    async def traffic(self, seed: int) -> None:
        dice = random.Random(seed)
        await asyncio.gather(*(self._sender(dice) for _ in range(8)))

    async def _sender(self, dice: random.Random) -> None:
        while True:
            ids = await self.append(dice.randint(1, 12))
            tell({"status": dict.fromkeys(ids, 0)})
            await asyncio.gather(*(self._follow(message_id, dice) for message_id in ids))
            text = f"{ids[0]}"
            await (self.receipt(text) if dice.random() < 0.5 else self.inbound(text))
            tell({"kept": text})

    async def _follow(self, message_id: MessageId, dice: random.Random) -> None:
        for step, status in enumerate(PATH[1 : dice.randint(1, 4)], 1):
            await asyncio.sleep(dice.choice([0, 0, 0.01]))
            await self.update((message_id, status))
            tell({"status": {message_id: step}})

    def _record(self) -> Record:
        self.now += 1
        message = Message(
            id=self.ids.next(self.now),
            account="demo",
            to="+8613800138000",
            text="水" * 60,
            accepted_at=self.now,
            expires_at=self.now + 1000,
        )
        return new_record(message, Status.QUEUED, lane="a/normal")

    def _enter(self, record: Record, status: Status) -> None:
        self.now += 1
        record.state.status = status
        record.state.timeline.append(Entry(self.now, status))


def tell(answer: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(Worker(msgspec.json.decode(sys.argv[1], type=StoreSettings)).run())
