"""How the suite damages files: it must damage what it says, and no more."""

import random
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from tests.faults.files import tear


@pytest.mark.parametrize("seed", range(5))
def test_a_torn_log_has_more_octets_and_the_same_rows(tmp_path: Path, seed: int):
    path, log, crashed = tmp_path / "some.db", tmp_path / "some.db-wal", tmp_path / "crashed"
    connection = dbapi2.connect(str(path), isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (x)")
    for x in range(10):
        connection.execute("INSERT INTO t VALUES (?)", (x,))
    crashed.mkdir()
    for file in (path, log):  # as a kill leaves them
        (crashed / file.name).write_bytes(file.read_bytes())
    connection.close()

    before = (crashed / log.name).read_bytes()
    assert tear(crashed / log.name, random.Random(seed))
    after = (crashed / log.name).read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)
    connection = dbapi2.connect(str(crashed / path.name))
    assert connection.execute("SELECT x FROM t").fetchall() == [(x,) for x in range(10)]
    connection.close()


def test_a_log_without_frames_is_left_alone(tmp_path: Path):
    log = tmp_path / "empty-wal"
    log.write_bytes(b"")
    assert not tear(log, random.Random(1))
    assert log.read_bytes() == b""
