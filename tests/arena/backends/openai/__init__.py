"""The backend for endpoints, against a server that plays scripts over real sockets."""
