"""Tests of arena/server. serving.py as a whole: test_shutdown.py and test_connections.py."""
