"""Whatever writes replies: the protocol (base), and a backend for each kind of contestant."""
