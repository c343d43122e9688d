"""Blind battles between checkpoints: who meets whom, what they write, what the voter chose.

It may import ratings, never training.
"""
