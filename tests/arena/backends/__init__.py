"""Tests of arena/backends. base.py holds only the protocol, which the tests of each backend exercise."""
