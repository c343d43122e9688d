"""Votes as people have them: read from files, in the order they were cast, and counted."""
