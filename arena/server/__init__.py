"""The server around the page: accepted requests, sessions, security headers, start and stop."""
