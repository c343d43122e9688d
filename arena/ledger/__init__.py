"""The ledger that the arena writes: every battle that began and every vote."""
