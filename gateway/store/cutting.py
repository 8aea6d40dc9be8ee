"""Cutting a batch: what was handed over becomes bytes for each file, and the commits know what they wait for."""

from collections.abc import Mapping

import msgspec

from gateway.message import MessageId, Milliseconds, Record, Status, time_of_id
from gateway.store.api import Commit, InboundMessage, StoreError, UnmatchedReceipt
from gateway.store.events import EventFile, EventLog, News
from gateway.store.files import Catalog, DataFile, Layout, data_file
from gateway.store.pending import Chunk, Gathered, PendingEntries
from gateway.store.rows import Lanes, encode_appended, encode_changed, encode_entries, encode_list, is_untouched
from gateway.store.settings import StoreSettings
from gateway.store.tallies import BatchFile, Changes, Refused, Tallies
from gateway.store.writer import Batch, FileWrites, Report


class Taken(msgspec.Struct):
    """What goes into one cut."""

    appended: list[Chunk]
    changed: list[Chunk]
    kept: Gathered[UnmatchedReceipt]
    dropped: Gathered[UnmatchedReceipt]
    entries: PendingEntries
    refused: Refused

    def commits(self) -> list[Commit]:
        gathered = (self.kept.commit, self.dropped.commit, self.entries.commit)
        return [chunk.commit for chunk in (*self.appended, *self.changed)] + [
            one for one in gathered if one is not None
        ]

    def __bool__(self) -> bool:
        return bool(self.appended or self.changed or self.kept or self.dropped or self.entries or self.refused)


class _ForFile(msgspec.Struct):
    """What goes into one file."""

    appended: list[Record] = msgspec.field(default_factory=list)
    changed: list[Record] = msgspec.field(default_factory=list)
    inbound: list[InboundMessage] = msgspec.field(default_factory=list)

    def encoded(self, file: DataFile, lanes: Lanes, news: News | None, changes: Changes | None) -> FileWrites:
        changed = self.changed + [record for record in self.appended if not is_untouched(record)]
        put_off = [
            (record.id, record.due_at)
            for record in (*self.appended, *self.changed)
            if record.state.status is Status.SCHEDULED
        ]
        return FileWrites(
            file=file,
            appended=encode_appended(self.appended, lanes) if self.appended else None,
            changed=encode_changed(changed, lanes) if changed else None,
            inbound=encode_list(self.inbound) if self.inbound else b"",
            scheduled=encode_list(put_off) if put_off else b"",
            events=encode_list(news.rows) if news else b"",
            tallies=encode_list(changes.rows) if changes and changes.counts else b"",
            latest=self._latest(),
        )

    def _latest(self) -> Milliseconds:
        times = [record.state.timeline[-1].at for record in self.changed]
        times += [record.state.timeline[-1].at for record in self.appended]
        times += [record.message.accepted_at for record in self.appended]
        times += [message.at for message in self.inbound]
        return max(times, default=0)


class Cut(msgspec.Struct):
    """A batch for the writer, and what each commit waits for."""

    batch: Batch
    taken: Taken
    waits: dict[Commit, set[MessageId]]  # the first ids of the files that it is about
    lane_count: int  # how many lanes are known when it is written
    news: dict[MessageId, News]  # the events of each file, by its first id
    changes: dict[MessageId, Changes]  # and what it changes in the counts

    def error_of(self, commit: Commit, report: Report) -> StoreError | None:
        """Why a commit failed; None when it did not."""
        errors = [report.files[first_id] for first_id in self.waits.get(commit, ()) if first_id in report.files]
        if commit is self.taken.dropped.commit:
            errors += report.files.values()
            errors += [report.drops] if report.drops else []
        if commit is self.taken.entries.commit:
            errors += [report.entries] if report.entries else []
        return report.control or (errors[0] if errors else None)


class Cutter:
    """Cuts batches, and learns from the writer's reports. Belongs to the loop."""

    def __init__(
        self,
        layout: Layout,
        settings: StoreSettings,
        catalog: Catalog,
        lanes: Lanes,
        events: EventLog,
        tallies: Tallies,
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._catalog = catalog
        self._lanes = lanes
        self._events = events
        self._tallies = tallies
        self._saved_lanes = 0
        self._live_messages = 0  # in the newest file
        self._last_id = MessageId(0)  # the highest that was written
        self._planned: DataFile | None = None  # to be begun, and could not be created yet

    def start(self, *, live_messages: int, last_id: MessageId) -> None:
        """Go on with the files, and the lanes, that were found at a start."""
        self._live_messages = live_messages
        self._last_id = last_id
        self._saved_lanes = len(self._lanes.numbers)

    def cut(self, taken: Taken, *, indexed_through: MessageId) -> Cut:
        """Encode everything as it is now. Raises UnicodeEncodeError for what is no text (a lone surrogate)."""
        catalog = self._catalog
        new_file = self._new_file(taken)
        live = new_file or catalog.live
        content: dict[DataFile, _ForFile] = {}
        waits: dict[Commit, set[MessageId]] = {}
        if live is not None:  # nothing can be in a file before there is one
            content[live] = _ForFile()
            for chunk in taken.appended:
                content[live].appended += chunk.records.values()
                content[live].inbound += chunk.inbound
                waits[chunk.commit] = {live.first_id}
            for chunk in taken.changed:
                waits[chunk.commit] = self._sort_in(chunk.records, content, live)
        changes = self._changes(content, live, taken.refused)
        content = {file: one for file, one in content.items() if one != _ForFile() or file.first_id in changes}
        if new_file is not None:
            self._events.begin_block()
        news = self._news(content)
        files = [
            one.encoded(file, self._lanes, news.get(file.first_id), changes.get(file.first_id))
            for file, one in content.items()
        ]
        batch = Batch(
            files=tuple(files),
            new_file=new_file,
            new_lanes=self._new_lanes(),
            kept_receipts=encode_list(taken.kept.values) if taken.kept else b"",
            dropped_receipts=encode_list(taken.dropped.values) if taken.dropped else b"",
            entries=encode_entries(taken.entries.values) if taken.entries else None,
            perhaps_closed=tuple(self._perhaps_closed(content, live)),
            indexed_through=indexed_through,
            event_files=tuple(self._event_files(news)),
            batch_files=tuple(self._batch_files(changes)),
        )
        return Cut(batch, taken, waits, len(self._lanes.numbers), news, changes)

    @property
    def last_id(self) -> MessageId:
        """The highest id that was written, or would have been."""
        return self._last_id

    def learn(self, cut: Cut, report: Report) -> int:
        """Take in what the writer did; returns how many messages are new."""
        self._planned = cut.batch.new_file or self._planned
        if report.created is not None:
            self._planned = None
            self._catalog.add(report.created, is_open=True)
            self._live_messages = 0
            self._tallies.forget_but(report.created.first_id)
        if report.control is not None:
            self._events.settled()
            return 0
        self._events.saved(cut.batch.event_files)
        for first_id, news in cut.news.items():
            if first_id not in report.files:
                news.confirm()
        self._events.settled()
        self._tallies.saved(cut.batch.batch_files)
        for first_id, changes in cut.changes.items():
            if first_id not in report.files:
                self._tallies.confirm(changes)
        self._saved_lanes = cut.lane_count
        self._catalog.close(report.closed)
        for chunk in cut.taken.appended:
            self._last_id = max((self._last_id, *_ids(chunk)))
        written = [writes for writes in cut.batch.files if writes.file.first_id not in report.files]
        appended = sum(writes.appended_count for writes in written)  # all of them to the live file
        self._live_messages += appended
        return appended

    def _new_file(self, taken: Taken) -> DataFile | None:
        """The file to begin with this cut; None when the live one goes on. Ids are the clock here."""
        first_id = min((message_id for chunk in taken.appended for message_id in _ids(chunk)), default=None)
        if first_id is None:
            return None
        live = self._catalog.live
        if live is not None:
            assert first_id > self._last_id, f"id {first_id} follows {self._last_id}"
            age_seconds = (time_of_id(first_id) - time_of_id(live.first_id)) / 1000
            if self._live_messages < self._settings.file_messages and age_seconds < self._settings.file_seconds:
                return None
        return self._planned or data_file(self._layout.data, first_id)

    def _sort_in(
        self, records: Mapping[MessageId, Record], content: dict[DataFile, _ForFile], live: DataFile
    ) -> set[MessageId]:
        """Put changed records to their files; returns the first ids of these."""
        if min(records, default=live.first_id) >= live.first_id:  # nearly always
            content[live].changed += records.values()
            return {live.first_id}
        first_ids: set[MessageId] = set()
        for message_id, record in records.items():
            file = live if message_id >= live.first_id else self._catalog.holding(message_id)
            assert file is not None, f"message {message_id} was never appended"
            content.setdefault(file, _ForFile()).changed.append(record)
            first_ids.add(file.first_id)
        return first_ids

    def _news(self, content: Mapping[DataFile, _ForFile]) -> dict[MessageId, News]:
        """The events that these changes are, by file."""
        found: dict[MessageId, News] = {}
        for file, one in content.items():
            news = self._events.news_of((one.appended, one.changed), one.inbound)
            if news is not None:
                found[file.first_id] = news
        return found

    def _event_files(self, news: Mapping[MessageId, News]) -> list[EventFile]:
        """What `control.db` must know of them before they are written."""
        return [each for first_id, one in news.items() for each in self._events.unknown_files(first_id, one.rows)]

    def _changes(
        self, content: Mapping[DataFile, _ForFile], live: DataFile | None, refused: Refused
    ) -> dict[MessageId, Changes]:
        """What these changes are to the counts, by file; what was refused counts in the live one."""
        found: dict[MessageId, Changes] = {}
        for file, one in content.items():
            changes = self._tallies.changes_of((one.appended, one.changed), refused if file == live else {})
            if changes is not None:
                found[file.first_id] = changes
        return found

    def _batch_files(self, changes: Mapping[MessageId, Changes]) -> list[BatchFile]:
        """What `control.db` must know of them before they are written."""
        return [each for first_id, one in changes.items() for each in self._tallies.new_files(first_id, one)]

    def _new_lanes(self) -> tuple[tuple[int, str], ...]:
        """The lanes that `control.db` does not know."""
        numbers = list(self._lanes.numbers.items())[self._saved_lanes :]
        return tuple((number, name) for name, number in numbers)

    def _perhaps_closed(self, content: Mapping[DataFile, _ForFile], live: DataFile | None) -> list[DataFile]:
        """The older files in which the last open message may end with this cut."""
        closing = [
            file
            for file, one in content.items()
            if file != live and self._catalog.is_open(file) and any(record.is_final for record in one.changed)
        ]
        previous = self._catalog.live
        if previous is not None and previous != live and previous not in closing:
            closing.append(previous)
        return closing


def _ids(chunk: Chunk) -> list[MessageId]:
    """The first and the last id in a chunk, of messages and of inbound ones."""
    ids = list(chunk.records)
    inbound = [message.id for message in chunk.inbound]
    return [*ids[:1], *ids[-1:], *inbound[:1], *inbound[-1:]]
