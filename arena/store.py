"""The ledger: every battle that began and every vote, in one SQLite file. All SQL of the arena is here.

WAL mode lets the leaderboard read while votes are written; synchronous=FULL makes a stored vote outlive a power cut,
and the reveal comes only after the commit. Three readers use what is written here: ratings.compute (tables of votes),
ratings.export (view preferences) and the arena itself. votes repeats the two names, so that counting never joins.

The ledger counts its votes as they come: triggers keep vote_counts, one row a pair of sides, so that a board costs the
same however many votes there are. A vote added, taken back or mended by hand moves it as well.
"""

import datetime
import json
import sqlite3
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from sqlite_utils import Database, Migrations

from arena.backends import Reply
from arena.battle import SIDES, Battle, State
from arena.matchmaking import Draw
from ratings.outcomes import Outcome
from ratings.style import measure_style

Source = Literal["human", "simulated"]

migrations = Migrations("arena")

_KEY = "category = OLD.category AND model_a = OLD.model_a AND model_b = OLD.model_b AND source = OLD.source"
_ADD = """
    INSERT INTO vote_counts
        VALUES (NEW.category, NEW.model_a, NEW.model_b, NEW.source,
                NEW.outcome = 'model_a', NEW.outcome = 'model_b', NEW.outcome = 'tie', NEW.outcome = 'both_bad')
        ON CONFLICT DO UPDATE SET a_wins = a_wins + excluded.a_wins, b_wins = b_wins + excluded.b_wins,
                                  ties = ties + excluded.ties, both_bad = both_bad + excluded.both_bad;"""
_TAKE = f"""
    UPDATE vote_counts SET a_wins = a_wins - (OLD.outcome = 'model_a'), b_wins = b_wins - (OLD.outcome = 'model_b'),
                           ties = ties - (OLD.outcome = 'tie'), both_bad = both_bad - (OLD.outcome = 'both_bad')
        WHERE {_KEY};
    DELETE FROM vote_counts WHERE {_KEY} AND a_wins + b_wins + ties + both_bad = 0;
    UPDATE vote_changes SET mended = mended + 1;"""
_COUNTING = f"""
    CREATE TABLE vote_counts (  -- of all votes, kept by the triggers below in the transaction of the vote itself
        category TEXT NOT NULL,
        model_a TEXT NOT NULL,
        model_b TEXT NOT NULL,
        source TEXT NOT NULL,
        a_wins INTEGER NOT NULL,
        b_wins INTEGER NOT NULL,
        ties INTEGER NOT NULL,
        both_bad INTEGER NOT NULL,
        PRIMARY KEY (category, model_a, model_b, source)
    ) WITHOUT ROWID;
    CREATE TABLE vote_changes (added INTEGER NOT NULL, mended INTEGER NOT NULL);  -- one row: votes stored, and touched
    INSERT INTO vote_changes VALUES (0, 0);
    CREATE TRIGGER vote_is_new BEFORE INSERT ON votes  -- INSERT OR REPLACE would take a vote away past the triggers
        WHEN EXISTS (SELECT 1 FROM votes WHERE battle_id = NEW.battle_id)
        BEGIN SELECT RAISE(ABORT, 'the battle has its vote'); END;
    CREATE TRIGGER vote_added AFTER INSERT ON votes BEGIN{_ADD}
    UPDATE vote_changes SET added = added + 1;
    END;
    CREATE TRIGGER vote_deleted AFTER DELETE ON votes BEGIN{_TAKE}
    END;
    CREATE TRIGGER vote_mended AFTER UPDATE ON votes BEGIN{_TAKE}{_ADD}
    END;
"""


class StoreError(Exception):
    """A ledger that cannot be opened: says which file and what to do."""


class VoteRefused(Exception):
    """The ledger holds no battle that is this visitor's and open to a vote."""


@migrations()
def battles_and_votes(db: Database) -> None:
    """Create the first schema."""
    db.executescript("""
        CREATE TABLE battles (
            id TEXT PRIMARY KEY,
            created TEXT NOT NULL,
            visitor TEXT NOT NULL,
            prompt TEXT NOT NULL,
            category TEXT NOT NULL,  -- of the ready prompt that was clicked, empty for what was typed
            model_a TEXT NOT NULL,
            model_b TEXT NOT NULL,
            probability REAL NOT NULL,  -- chance of the unordered pair when it was drawn
            state TEXT NOT NULL CHECK (state IN ('generating', 'ready', 'voted', 'void')),
            void_reason TEXT NOT NULL DEFAULT '',
            reply_a TEXT,
            reply_b TEXT,
            record_a TEXT,  -- JSON: finish, tokens, seconds and the recipe that makes the reply again
            record_b TEXT
        );
        CREATE INDEX battles_by_visitor ON battles (visitor, state);
        CREATE TABLE votes (
            battle_id TEXT PRIMARY KEY REFERENCES battles (id),
            created TEXT NOT NULL,
            visitor TEXT NOT NULL,
            model_a TEXT NOT NULL,
            model_b TEXT NOT NULL,
            outcome TEXT NOT NULL CHECK (outcome IN ('model_a', 'model_b', 'tie', 'both_bad')),
            probability REAL NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('human', 'simulated')),
            category TEXT NOT NULL
        );
        CREATE TABLE styles (  -- what the replies of a battle look like, counted when they are stored
            battle_id TEXT PRIMARY KEY REFERENCES battles (id),
            length_a INTEGER NOT NULL,
            headers_a INTEGER NOT NULL,
            bold_a INTEGER NOT NULL,
            lists_a INTEGER NOT NULL,
            length_b INTEGER NOT NULL,
            headers_b INTEGER NOT NULL,
            bold_b INTEGER NOT NULL,
            lists_b INTEGER NOT NULL
        );
        CREATE VIEW preferences AS
            SELECT v.battle_id, v.created, b.prompt, b.reply_a, b.reply_b, v.model_a, v.model_b, v.outcome, v.source
            FROM votes v JOIN battles b ON b.id = v.battle_id ORDER BY v.rowid;
        """)
    db.executescript(_COUNTING)


class Store:
    """One open ledger. Its methods may be called from any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it, and bring its schema up to date.

        Raises:
            StoreError: the file is no SQLite database, is somebody else's, is newer than this code, or cannot be
                written.
        """
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._db = Database(self._connection)
            self._require_ours()
            self._db.enable_wal()
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            migrations.apply(self._db)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path} cannot be used as the vote ledger: {error}: pass --db another file") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def sweep(self) -> int:
        """Void the battles that were still running when an earlier process ended; return how many."""
        with self._lock:
            swept = self._connection.execute(
                "UPDATE battles SET state = 'void', void_reason = 'the server restarted' WHERE state = 'generating'"
            )
            return swept.rowcount

    def begin(self, battle: Battle) -> None:
        """Record that a battle began, before its first token: no contestant's outing goes unrecorded."""
        row = {
            "id": battle.id,
            "created": _now(),
            "visitor": battle.visitor,
            "prompt": battle.prompt,
            "category": battle.category,
            "model_a": battle.draw.a,
            "model_b": battle.draw.b,
            "probability": battle.draw.probability,
            "state": State.GENERATING.value,
        }
        with self._lock, self._connection:
            self._db.table("battles").insert(row)

    def finish(self, battle: Battle) -> None:
        """Store both replies with their records and open the vote."""
        a, b = battle.replies["a"], battle.replies["b"]
        style = {
            f"{feature}_{side}": count
            for side in SIDES
            for feature, count in asdict(measure_style(battle.replies[side].text)).items()
        }
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._db.table("styles").insert({"battle_id": battle.id, **style})
            finished = self._connection.execute(
                "UPDATE battles SET state = 'ready', reply_a = ?, reply_b = ?, record_a = ?, record_b = ? "
                "WHERE id = ? AND state = 'generating'",
                (a.text, b.text, _record(a), _record(b), battle.id),
            )
            if finished.rowcount == 0:
                raise StoreError(f"battle {battle.id} is not running any more")

    def void(self, battle_id: str, reason: str) -> None:
        """Close a battle without a vote; one that has its vote keeps it."""
        with self._lock:
            self._connection.execute(
                "UPDATE battles SET state = 'void', void_reason = ? WHERE id = ? AND state IN ('generating', 'ready')",
                (reason, battle_id),
            )

    def vote(self, battle_id: str, visitor: str, outcome: Outcome, *, source: Source = "human") -> None:
        """Store a vote; when this returns, it is on disk. A vote that a program casts is marked "simulated".

        Raises:
            VoteRefused: no battle of this visitor with this id is open to a vote. Nothing was changed.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                opened = self._connection.execute(
                    "UPDATE battles SET state = 'voted' WHERE id = ? AND visitor = ? AND state = 'ready'",
                    (battle_id, visitor),
                )
                if opened.rowcount == 0:
                    raise VoteRefused(battle_id)
                self._connection.execute(
                    "INSERT INTO votes SELECT id, ?, visitor, model_a, model_b, ?, probability, ?, category "
                    "FROM battles WHERE id = ?",
                    (_now(), outcome.value, source, battle_id),
                )
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    def open_battle(self, visitor: str) -> Battle | None:
        """Return the visitor's newest battle that waits for a vote, as it stood, or None."""
        with self._lock:
            rows = list(
                self._db.table("battles").rows_where(
                    "visitor = ? AND state = 'ready'", [visitor], order_by="rowid DESC", limit=1
                )
            )
        if not rows:
            return None
        row = rows[0]
        battle = Battle(
            visitor=row["visitor"],
            prompt=row["prompt"],
            category=row["category"],
            draw=Draw(row["model_a"], row["model_b"], row["probability"]),
            id=row["id"],
        )
        for side in SIDES:
            battle.finish(side, Reply(text=row[f"reply_{side}"], **json.loads(row[f"record_{side}"])))
        battle.make_ready()
        return battle

    def _require_ours(self) -> None:
        names = set(self._db.table_names())  # reading the schema fails on a file that is no database
        is_ours = migrations.migrations_table in names and any(migrations.applied(self._db))
        if names and not (is_ours and {"battles", "votes"} <= names):
            raise StoreError(f"{self.path} is a database of something else: pass --db another file")
        if names:
            known = {migration.name for migration in migrations.pending(Database(memory=True))}
            newer = {applied.name for applied in migrations.applied(self._db)} - known
            if newer:
                raise StoreError(f"{self.path} was written by a newer arena ({', '.join(newer)}): update this one")


def _record(reply: Reply) -> str:
    return json.dumps({key: value for key, value in asdict(reply).items() if key != "text"})


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
