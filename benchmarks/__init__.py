"""Measurements that are printed, never asserted.

ratings.py       votes to boards, beside other packages and the bare query
    peers.py         what each of those packages is asked for, in an environment of its own
coverage.py      how often the intervals hold what they promise
serving.py       replies a second, beside a bare generate
pretraining.py   tokens a second, beside a bare torch loop
board.py         a board of the contestants before anybody has voted, by synthetic voters
"""
