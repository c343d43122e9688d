"""Votes with their texts, and the rows to train on that they give."""
