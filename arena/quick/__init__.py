"""A blind test of servers that run already: what they list is written as a models.yaml, and the arena opens with it."""
