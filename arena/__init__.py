"""Blind battles between checkpoints: pairing, replies, votes, and the page and server around them.

It may import ratings, never training.
"""
