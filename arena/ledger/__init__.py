"""Writing the ledger, which holds every battle that began and every vote."""
