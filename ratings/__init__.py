"""Votes to numbers: who is ahead, by how much, and how sure that is.

The way through the package, one idea a file:

    outcomes.py       what a voter can say, and every spelling of it
    votes.py          votes in the order they were cast
    vote_files.py     votes from the JSON, JSON Lines and CSV files of other arenas
    counts.py         votes to counts of (side a, side b, outcome); the only SQL here
    existence.py      which models a Bradley-Terry fit can rate, and why the rest have no number
    bradley_terry.py  counts to strengths
    intervals.py      strengths to standard errors, intervals and differences
    ranks.py          intervals to ranks
    elo.py            online Elo, for a live ticker
    scale.py          nats to Elo points
    leaderboard.py    all of the above to ranked rows, with the settings that made them
    plots.py          plotly figures
    page.py           the leaderboard as one self-contained HTML page
    compute.py        python -m ratings.compute
    export.py         python -m ratings.export
    output.py         files written aside and renamed
    errors.py         what can go wrong, by name

Importing any module has no effect beyond defining names. pandas, plotly and scipy are imported by
the functions that need them, so the commands start quickly.
"""
