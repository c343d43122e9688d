"""Votes to numbers: who is ahead, by how much, and how sure that is.

The way through the package, one idea a file. The commands:

    compute.py        python -m ratings.compute: a leaderboard and its report
    options.py        its command line, and which options contradict each other
    compare.py        python -m ratings.compare A B: who is better so far, and how many votes to go
    export.py         python -m ratings.export: preference pairs

Votes and counts:

    outcomes.py       what a voter can say, and every spelling of it
    votes.py          votes in the order they were cast
    vote_files.py     votes from the files of other arenas
    vote_columns.py   the same from whole columns: Parquet, frames, large files
    vote_shapes.py    which columns of a data set hold the vote
    vote_styles.py    the style of the replies in such a file
    tally.py          votes to counts of (side a, side b, outcome)
    counts.py         a ledger to counts or votes; the SQL is here
    set_aside.py      votes that the arena keeps without counting them
    live.py           counts kept up to date in a running process
    sources.py        what is read for what is asked

From counts to a board:

    settings.py       every choice that moves a number
    evidence.py       what a fit is told: which votes, at what weight
    existence.py      which models can be rated, and why the rest have no number
    components.py     models that no chain of votes joins
    bradley_terry.py  counts to strengths
    davidson.py       the same with a parameter for ties
    both_bad.py       both-bad votes as losses to the field
    prior.py          a normal prior on the strengths
    newton.py         the optimiser of both
    ties.py           which treatment of ties predicts best
    intervals.py      the sandwich: standard errors and intervals
    clustered.py      the same where votes belong together
    bootstrap.py      the same by resampling counts
    sequential.py     intervals that may be looked at all the time
    ranks.py          rank intervals that hold at once
    differences.py    all pairs, each with its interval; the anchor
    estimate.py       these to strengths with their spread
    elo.py            online Elo, for a live ticker
    scale.py          nats to Elo points
    leaderboard.py    all of the above to ranked rows

Beside the board:

    covariates.py     covariates beside the models in one fit
    style.py          the board with style held equal
    position.py       the advantage of side A
    series.py         ratings over time
    lineage.py        who was trained from whom
    attribution.py    what each step of training is worth
    elo_shuffles.py   how far the order of the votes moves Elo
    fragility.py      how few votes hold up the first place
    influence.py      whose votes weigh most
    misfit.py         where votes and fit part
    matchmaking.py    which battle to ask for next
    beside.py         these for one report

The report:

    pipeline.py       votes and a request to a report
    report.py         all that one run found out
    report_text.py    a report for the terminal
    report_json.py    a report as leaderboard.json and .csv
    page.py           a report as one self-contained HTML page, put together from
    page_headline.py  who leads, in one sentence
    page_board.py     the boards
    page_pairs.py     who beat whom
    page_effects.py   time, looks, training, order
    page_trust.py     how far to trust it, and how it was made
    page_parts.py     escaped text, tables, figures and sections
    plots.py          plotly figures
    plots_series.py   the figure of ratings over time
    png.py            the page's picture
    snapshots.py      boards kept over time, and what moved between two
    publish.py        a report to a snapshot, and the links that lead to it
    output.py         files written aside and renamed
    errors.py         what can go wrong, by name

Importing any module has no effect beyond defining names. pandas, plotly, scipy and PyYAML are imported by
the functions that need them, so the commands start quickly.
"""
