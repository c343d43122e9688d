"""What more than one of arena, ratings and training reads or writes, so that each such fact has one place.

It imports none of them.
"""
