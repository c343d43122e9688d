"""The server around the page: what is let in, whose session it is, and how it starts and ends."""
