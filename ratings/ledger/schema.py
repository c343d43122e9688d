"""The ledger's schema and its migrations: the one contract between the arena, which writes it, and its readers.

Three readers use what is laid down here: ratings.compute (tables of votes), ratings.export (view preferences) and the
arena itself. votes repeats the two names, so that counting never joins.

The ledger counts its votes as they come: triggers keep vote_counts, one row a pair of sides, so that a board costs the
same however many votes there are. A vote added, taken back or mended by hand moves it as well.
"""

from sqlite_utils import Database, Migrations

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


@migrations()
def votes_set_aside(db: Database) -> None:
    """Keep votes that do not count in a table of their own, so that no reader counts them by mistake."""
    db.executescript("""
        ALTER TABLE battles ADD COLUMN flag TEXT NOT NULL DEFAULT '';  -- why a vote on it is to be set aside
        CREATE TABLE set_aside (  -- the columns of votes, the row it had there, and why it does not count
            battle_id TEXT PRIMARY KEY REFERENCES battles (id),
            created TEXT NOT NULL,
            visitor TEXT NOT NULL,
            model_a TEXT NOT NULL,
            model_b TEXT NOT NULL,
            outcome TEXT NOT NULL CHECK (outcome IN ('model_a', 'model_b', 'tie', 'both_bad')),
            probability REAL NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('human', 'simulated')),
            category TEXT NOT NULL,
            place INTEGER,
            reason TEXT NOT NULL CHECK (reason != '')
        );
        CREATE INDEX set_aside_by_visitor ON set_aside (visitor);
        CREATE INDEX votes_by_visitor ON votes (visitor);
        CREATE TABLE voters_left_out (
            visitor TEXT PRIMARY KEY,
            created TEXT NOT NULL,
            note TEXT NOT NULL
        );
        """)


@migrations()
def battles_of_many_turns(db: Database) -> None:
    """Keep what was asked after the first prompt, and the replies to it, and show it in the view preferences."""
    db.executescript("""
        CREATE TABLE later_turns (  -- of a battle, beside its first prompt and replies, which stand in battles
            battle_id TEXT NOT NULL REFERENCES battles (id),
            turn INTEGER NOT NULL CHECK (turn > 1),
            prompt TEXT NOT NULL,
            reply_a TEXT,
            reply_b TEXT,
            record_a TEXT,
            record_b TEXT,
            PRIMARY KEY (battle_id, turn)
        ) WITHOUT ROWID;
        DROP VIEW preferences;
        CREATE VIEW preferences AS
            SELECT v.battle_id, v.created, b.prompt, b.reply_a, b.reply_b, v.model_a, v.model_b, v.outcome, v.source,
                (SELECT json_group_array(json_array(t.prompt, t.reply_a, t.reply_b)) FROM
                    (SELECT * FROM later_turns WHERE battle_id = v.battle_id ORDER BY turn) t) AS later_turns
            FROM votes v JOIN battles b ON b.id = v.battle_id ORDER BY v.rowid;
        """)
