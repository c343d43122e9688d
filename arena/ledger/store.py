"""The ledger: every battle that began and every vote, in one SQLite file.

WAL mode lets the leaderboard read while votes are written; with synchronous=FULL a stored vote survives a power cut,
and the reveal comes only after the commit. A failed write raises LedgerUnavailable within seconds and changes nothing:
if the file is locked, full, gone or replaced, a vote must never seem stored.
"""

import contextlib
import datetime
import json
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from arena.battle import (
    LEFT,
    NOT_LOST,
    RESTARTED,
    SAME_REPLIES,
    VOTED_BEFORE,
    VOTER_LEFT_OUT,
    Battle,
    State,
)
from arena.ledger.files import LedgerFiles
from arena.ledger.log_files import require_own_log
from arena.ledger.rows import has_voted_on, insert, now, read_battle, record_of, style_of
from ratings.ledger.kept_counts import disagreement, recount
from ratings.ledger.schema import migrations
from ratings.outcomes import Outcome

Source = Literal["human", "simulated"]

BUSY_SECONDS = 3.0  # how long to wait for another writer
CHECK_SECONDS = 1.0  # the same in check()
CLOSE_SECONDS = 1.0  # the same in close()
REST_SECONDS = 1.0  # after a failure writes are refused at once for so long, so that no queue builds up

ROOM = 1_000_000  # bytes; with less left on the disk, writes will soon fail

LOST_HOURS = 1

log = logging.getLogger(__name__)


class StoreError(Exception):
    """A ledger that cannot be opened or written: which file, and what to do."""


class LedgerUnavailable(StoreError):
    """The ledger cannot be used at the moment (locked, full, gone). Nothing was changed; a later call may work."""


class VoteRefused(Exception):
    """There is no battle with this id that this visitor may vote on."""


class Store:
    """One open ledger. Its methods may be called from any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it, and bring its schema up to date.

        Raises:
            StoreError: the file is not an SQLite database, belongs to another program, is newer than this code, or
                cannot be written.
        """
        self.path = path
        self._lock = threading.Lock()
        self._rests_until = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            require_own_log(path)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._db = Database(self._connection)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
            self._files = LedgerFiles(path, self._connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path} cannot be used as the vote ledger: {error}: pass --db another file") from None

    def _prepare(self) -> None:
        self._require_ours()
        self._db.enable_wal()
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("BEGIN IMMEDIATE")  # another process may open it too; this also makes the log
        migrations.apply(self._db)
        if problem := disagreement(self._connection):
            log.warning("%s: the counts it keeps %s; they are made anew from its votes", self.path, problem)
            recount(self._connection)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Write everything into the main file, so that it is complete without its log, and close it."""
        with self._lock:
            try:
                if not self._files.close(CLOSE_SECONDS):
                    log.warning("%s is in use elsewhere: a copy of it needs %s-wal too", self.path, self.path.name)
            except sqlite3.Error as error:
                log.warning("%s: a copy of it needs %s-wal too: %s", self.path, self.path.name, error)
            except OSError as error:
                log.error("%s: %s", self.path, error)

    def check(self) -> None:
        """Check that the ledger can be written, without writing.

        Raises:
            LedgerUnavailable: it cannot.
        """
        with self._writing(CHECK_SECONDS):
            pass
        if not os.access(self.path, os.W_OK):
            raise LedgerUnavailable(f"{self.path} is read-only")
        if (free := shutil.disk_usage(self.path.parent).free) < ROOM:
            raise LedgerUnavailable(f"{self.path} has {free} bytes left on its disk")

    def sweep(self) -> int:
        """Void the battles that were still running when an earlier process ended; return how many."""
        with self._writing() as ledger:
            swept = ledger.execute(
                "UPDATE battles SET state = 'void', void_reason = ? WHERE state = 'generating'", (RESTARTED,)
            )
            return swept.rowcount

    def begin(self, battle: Battle) -> None:
        """Record that a battle begins, before its first token.

        This ends a battle of the same visitor that still waits for a vote.
        """
        row = {
            "id": battle.id,
            "created": now(),
            "visitor": battle.visitor,
            "prompt": battle.first_prompt,
            "category": battle.category,
            "model_a": battle.draw.a,
            "model_b": battle.draw.b,
            "probability": battle.draw.probability,
            "state": State.GENERATING.value,
        }
        with self._writing() as ledger:
            ledger.execute(
                "UPDATE battles SET state = 'void', void_reason = ? WHERE visitor = ? AND state = 'ready'",
                (LEFT, battle.visitor),
            )
            insert(ledger, "battles", row)

    def go_on(self, battle: Battle) -> None:
        """Record that a battle goes on with one more prompt, before the first token of its replies.

        Raises:
            StoreError: the battle does not wait for a vote any more. Nothing was changed.
        """
        turn = {"battle_id": battle.id, "turn": len(battle.earlier) + 1, "prompt": battle.prompt}
        with self._writing() as ledger:
            query = "UPDATE battles SET state = 'generating' WHERE id = ? AND visitor = ? AND state = 'ready'"
            if ledger.execute(query, (battle.id, battle.visitor)).rowcount == 0:
                raise StoreError(f"battle {battle.id} does not wait for a vote any more")
            insert(ledger, "later_turns", turn)

    def finish(self, battle: Battle) -> None:
        """Store both replies with their records, and open the vote unless all replies are the same."""
        a, b = battle.replies["a"], battle.replies["b"]
        state, reason = (State.VOID, SAME_REPLIES) if battle.has_same_replies else (State.READY, "")
        replies = (a.text, b.text, record_of(a), record_of(b))
        table, where = ("later_turns", "battle_id = ? AND turn = ?") if battle.earlier else ("battles", "id = ?")
        turn = (len(battle.earlier) + 1,) if battle.earlier else ()
        with self._writing() as ledger:
            insert(ledger, "styles", {"battle_id": battle.id, **style_of(battle)}, "OR REPLACE")
            finished = ledger.execute(
                "UPDATE battles SET state = ?, void_reason = ?, flag = ? WHERE id = ? AND state = 'generating'",
                (state.value, reason, battle.flag, battle.id),
            )
            if finished.rowcount == 0:
                raise StoreError(f"battle {battle.id} is not being written any more")
            columns = "reply_a = ?, reply_b = ?, record_a = ?, record_b = ?"
            ledger.execute(f"UPDATE {table} SET {columns} WHERE {where}", (*replies, battle.id, *turn))

    def void(self, battle_id: str, reason: str) -> None:
        """Close a battle without a vote; one that has its vote keeps it."""
        with self._writing() as ledger:
            ledger.execute(
                "UPDATE battles SET state = 'void', void_reason = ? WHERE id = ? AND state IN ('generating', 'ready')",
                (reason, battle_id),
            )

    def vote(self, battle_id: str, visitor: str, outcome: Outcome, *, source: Source = "human") -> str:
        """Store a vote and return why it does not count, "" if it does; on return, it is on disk.

        A vote counts unless its battle is flagged, the voter is left out, or an earlier vote of the voter on the same
        prompt counts. Votes that do not count are kept in set_aside. Votes by programs are marked "simulated".

        Raises:
            VoteRefused: the visitor has no battle with this id that is open to a vote. Nothing was changed.
            LedgerUnavailable: it could not be stored. Nothing was changed.
        """
        with self._writing() as ledger:
            opened = ledger.execute(
                "UPDATE battles SET state = 'voted' WHERE id = ? AND visitor = ? AND state = 'ready' "
                "RETURNING prompt, flag",
                (battle_id, visitor),
            ).fetchone()
            if opened is None:
                raise VoteRefused(battle_id)
            prompt, flag = opened
            reason: str = flag or _why_not_counted(ledger, visitor, prompt, source)
            row = "SELECT id, ?, visitor, model_a, model_b, ?, probability, ?, category"
            values = (now(), outcome.value, source)
            if reason:
                query = f"INSERT INTO set_aside {row}, NULL, ? FROM battles WHERE id = ?"
                ledger.execute(query, (*values, reason, battle_id))
            else:
                ledger.execute(f"INSERT INTO votes {row} FROM battles WHERE id = ?", (*values, battle_id))
            return reason

    def has_voted(self, visitor: str, prompt: str) -> bool:
        """Return whether the visitor has a counted vote on the same prompt."""
        with self._reading() as ledger:
            return has_voted_on(ledger, visitor, prompt)

    def open_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle that waits for a vote, or None."""
        return self._read_battle("b.visitor = ? AND b.state = 'ready'", [visitor])

    def lost_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle if a restart or a model made it fail within LOST_HOURS, or None."""
        since = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=LOST_HOURS)).isoformat()
        newest = self._read_battle("b.visitor = ? AND b.created > ?", [visitor, since])
        is_lost = newest and newest.state is State.VOID and newest.void_reason not in NOT_LOST
        return newest if is_lost else None

    def battle(self, battle_id: str) -> Battle | None:
        """Return a battle in any state, or None if there is none with this id."""
        return self._read_battle("b.id = ?", [battle_id])

    def recent_replies(self, limit: int) -> list[tuple[str, int, float, float]]:
        """Return (contestant, characters, seconds, seconds to the first token) of the newest replies, oldest first."""
        query = (
            "SELECT model_a, length(reply_a), record_a, model_b, length(reply_b), record_b FROM battles "
            "WHERE record_a IS NOT NULL AND record_b IS NOT NULL ORDER BY rowid DESC LIMIT ?"
        )
        with self._reading() as ledger:
            rows = ledger.execute(query, (limit,)).fetchall()
        sides = [row[start : start + 3] for row in reversed(rows) for start in (0, 3)]
        timed = [(name, length, json.loads(record)) for name, length, record in sides]
        return [(name, length, record["seconds"], record["first_seconds"]) for name, length, record in timed]

    def _read_battle(self, where: str, values: list[str]) -> Battle | None:
        with self._reading() as ledger:
            return read_battle(ledger, where, values)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        # A writer of this process may hold the lock for BUSY_SECONDS while it waits for another program.
        if not self._lock.acquire(timeout=2 * BUSY_SECONDS):
            raise LedgerUnavailable(f"{self.path} is busy")
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"{self.path} cannot be read: {error}") from error
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _writing(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """Open a transaction and commit it at the end; after any error, nothing of it is kept."""
        patience = BUSY_SECONDS if patience is None else patience  # seconds to wait for another writer
        self._require_no_rest()
        if not self._lock.acquire(timeout=patience):
            raise LedgerUnavailable(f"{self.path} is busy")
        try:
            self._require_no_rest()  # the thread that held the lock may have failed
            self._connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
            self._files.before_write()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
                self._files.after_write()
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except (sqlite3.OperationalError, sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            self._rests_until = time.monotonic() + REST_SECONDS
            raise LedgerUnavailable(f"{self.path} cannot be written: {error}") from error
        finally:
            self._lock.release()

    def _require_no_rest(self) -> None:
        if time.monotonic() < self._rests_until:
            raise LedgerUnavailable(f"{self.path} cannot be written at the moment")

    def _require_ours(self) -> None:
        names = set(self._db.table_names())  # reading the schema fails if the file is not a database
        is_ours = migrations.migrations_table in names and any(migrations.applied(self._db))
        if names and not (is_ours and {"battles", "votes"} <= names):
            raise StoreError(f"{self.path} is a database of something else: pass --db another file")
        if names:
            known = {migration.name for migration in migrations.pending(Database(memory=True))}
            newer = {applied.name for applied in migrations.applied(self._db)} - known
            if newer:
                raise StoreError(f"{self.path} was written by a newer arena ({', '.join(newer)}): update this one")


def _why_not_counted(ledger: sqlite3.Connection, visitor: str, prompt: str, source: Source) -> str:
    if source == "simulated":
        return ""
    if ledger.execute("SELECT 1 FROM voters_left_out WHERE visitor = ?", (visitor,)).fetchone():
        return VOTER_LEFT_OUT
    return VOTED_BEFORE if has_voted_on(ledger, visitor, prompt) else ""
