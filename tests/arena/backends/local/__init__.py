"""Tests of the backend in this process."""
