"""Backends, which write the replies: the protocol (base.py), and one backend for each kind of contestant."""
