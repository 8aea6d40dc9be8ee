"""The tables of the store's files, as numbered steps, and what their columns mean.

`control.db` has one schema, every data file another; both have the number of the last step in `user_version`. Steps are
only ever added at the end. A message is one row:

    id          the message id; rows are appended in its order
    lane        what the message waits for: the number of its lane while it is queued, else the code of its status.
                More than 0 is open; the index holds these rows only
    expires_at  milliseconds since 1970
    due         when a scheduled message is looked at again, in the same; of others it means nothing
    body        the Message, as JSON
    state       the State, as JSON; NULL while it is what `new_record` makes of the message and its lane
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.message import Message, Status
from gateway.store.api import InboundMessage

APPLICATION_ID: Final = 0x595A5354  # "YZST", in the header of every file of ours

# In this order, what was not sent yet is one range of the index, and so is what moves: queued or being sent.
FIRST_LANE: Final = 16  # lanes are numbered from here,
END_OF_LANES: Final = 1 << 20  # and end before this
STATUS_CODES: Final[Mapping[Status, int]] = {
    Status.SCHEDULED: 1,
    Status.HELD: 2,
    Status.SENDING: END_OF_LANES,
    Status.IN_DOUBT: END_OF_LANES + 1,
    Status.SUBMITTED: END_OF_LANES + 2,
    Status.DELIVERED: -1,
    Status.FAILED: -2,
    Status.EXPIRED: -3,
    Status.CANCELLED: -4,
    Status.UNKNOWN: -5,
}

# Where a field of the message is in `body`.
PATHS: Final[Mapping[str, str]] = {name: f"$[{n}]" for n, name in enumerate(Message.__struct_fields__)}
INBOUND_PATHS: Final[Mapping[str, str]] = {name: f"$[{n}]" for n, name in enumerate(InboundMessage.__struct_fields__)}


class Step(msgspec.Struct, frozen=True):
    """What one version of the schema adds to the one before it."""

    control: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


# A lane's number or a status's code, to the status's name.
_STATUS_NAMES: Final = (
    " ".join(f"WHEN {code} THEN '{status}'" for status, code in STATUS_CODES.items()) + f" ELSE '{Status.QUEUED}'"
)

# One row: how many commits failed. It is written after each of them: see `database.run_in_transaction`.
_FAILED_COMMITS: Final = (
    "CREATE TABLE failed_commits (count INTEGER NOT NULL)",
    "INSERT INTO failed_commits VALUES (0)",
)

STEPS: Final[tuple[Step, ...]] = (
    Step(
        control=(
            "CREATE TABLE lane (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
            # is_open: some of its messages may not be final. Cleared after the last one ended, never before.
            "CREATE TABLE data_file (first_id INTEGER PRIMARY KEY, is_open INTEGER NOT NULL)",
            "CREATE TABLE receipt (number INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE)",
            # Attempts that were given their id when the index of their message was built already, or being built.
            """
            CREATE TABLE straggler (
                carrier_message_id TEXT NOT NULL, carrier TEXT NOT NULL, id INTEGER NOT NULL,
                PRIMARY KEY (carrier_message_id, carrier, id)
            ) WITHOUT ROWID
            """,
            *_FAILED_COMMITS,
        ),
        data=(
            """
            CREATE TABLE message (
                id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, expires_at INTEGER NOT NULL,
                body TEXT NOT NULL, state TEXT
            )
            """,
            "CREATE INDEX open_message ON message (lane, id, expires_at) WHERE lane > 0",
            "CREATE TABLE inbound (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
            # One row: how many messages the file has, and the latest time that anything in it tells of.
            "CREATE TABLE tally (messages INTEGER NOT NULL, latest INTEGER NOT NULL)",
            "INSERT INTO tally VALUES (0, 0)",
            *_FAILED_COMMITS,
        ),
    ),
    Step(
        control=(
            # What is small and no message: each owner has a name of its own in `space`.
            """
            CREATE TABLE entry (
                space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
            ) WITHOUT ROWID
            """,
        ),
    ),
    Step(
        data=(
            "ALTER TABLE message ADD COLUMN due INTEGER",
            f"""
            UPDATE message SET due = coalesce(body ->> '{PATHS["send_at"]}', 0)
            WHERE lane > 0 AND lane = {STATUS_CODES[Status.SCHEDULED]}
            """,  # noqa: S608 the paths are ours
            f"CREATE INDEX scheduled_message ON message (due) WHERE lane = {STATUS_CODES[Status.SCHEDULED]}",
        ),
    ),
    Step(
        control=(
            # Which data files may hold events of which block of ids: see `gateway.store.events`.
            """
            CREATE TABLE event_file (
                block INTEGER NOT NULL, first_id INTEGER NOT NULL, begun INTEGER NOT NULL,
                PRIMARY KEY (block, first_id)
            ) WITHOUT ROWID
            """,
        ),
        data=(
            # What accounts are to be told. `message` is in this file too, so of its content nothing is kept twice.
            """
            CREATE TABLE event (
                account TEXT NOT NULL, id INTEGER NOT NULL, message INTEGER NOT NULL, type TEXT NOT NULL,
                corrects TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
                PRIMARY KEY (account, id)
            ) WITHOUT ROWID
            """,
        ),
    ),
    Step(
        control=(
            # Which data files may hold messages of which batch: see `gateway.store.tallies`.
            """
            CREATE TABLE batch_file (
                account TEXT NOT NULL, batch TEXT NOT NULL, first_id INTEGER NOT NULL,
                PRIMARY KEY (account, batch, first_id)
            ) WITHOUT ROWID
            """,
            "ALTER TABLE data_file ADD COLUMN is_listed INTEGER NOT NULL DEFAULT 0",  # its batches are in `batch_file`
        ),
        data=(
            """
            CREATE TABLE batch_tally (
                account TEXT NOT NULL, batch TEXT NOT NULL, status TEXT NOT NULL,
                messages INTEGER NOT NULL, segments INTEGER NOT NULL,
                PRIMARY KEY (account, batch, status)
            ) WITHOUT ROWID
            """,
            f"""
            INSERT INTO batch_tally
            SELECT body ->> '{PATHS["account"]}', body ->> '{PATHS["batch"]}', CASE lane {_STATUS_NAMES} END,
                count(*), sum(body ->> '{PATHS["parts"]}')
            FROM message WHERE body ->> '{PATHS["batch"]}' <> '' GROUP BY 1, 2, 3
            """,  # noqa: S608 the paths are ours
            f"""
            INSERT INTO batch_tally
            SELECT body ->> '{PATHS["account"]}', '', 'open', count(*), 0 FROM message WHERE lane > 0 GROUP BY 1
            """,  # noqa: S608
        ),
    ),
)
