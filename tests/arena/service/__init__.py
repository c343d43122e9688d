"""Tests of arena/service.py and arena/fight.py, one file per concern."""
