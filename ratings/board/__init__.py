"""Settings and votes to a ranked board."""
