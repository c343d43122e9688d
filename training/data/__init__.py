"""The text that checkpoints are made of, and what judges it.

world.py and world.yaml   the generated world        small_talk.py   pairs that people wrote
corpus.py                 both, split for training   checker.py      a score for a reply
preferences.py            preference pairs as files: synthetic ones and the arena's
"""
