"""Votes from the files that other arenas, harnesses and people write."""
