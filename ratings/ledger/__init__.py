"""The arena's SQLite ledger: its schema, and what is read from it."""
