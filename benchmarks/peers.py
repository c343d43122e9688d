"""python benchmarks/peers.py PEER LEDGER: a peer's leaderboard from the same votes, as one line of JSON.

Run by benchmarks/ratings.py with the interpreter of the peers' own environment, so it imports
nothing of this project. Each peer gets the votes in the form its documentation asks for, with ties
and both-bad votes as half a win, and is asked for the most it gives beside the strengths.
"""

import json
import sqlite3
import sys
import time

OUTCOMES = ("model_a", "model_b", "tie", "both_bad")
VOTES = "SELECT model_a, model_b, outcome FROM votes"
# By the columns of the covering index, so that the peers too are spared a sort.
COUNTS = "SELECT model_a, model_b, outcome, count(*) FROM votes GROUP BY category, model_a, model_b, outcome, source"


def main(peer, path):
    start = time.process_time()
    strengths, what = PEERS[peer](sqlite3.connect(path))
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "strengths": strengths, "what": what}))


def evalica_votes(ledger):
    import evalica

    return _evalica(ledger.execute(VOTES).fetchall(), evalica, None, **EXACT), "strengths, no intervals"


def evalica_default(ledger):
    import evalica

    return _evalica(ledger.execute(VOTES).fetchall(), evalica, None), "the same with its own tolerance and limit"


def evalica_counts(ledger):
    import evalica

    rows = ledger.execute(COUNTS).fetchall()
    return _evalica(rows, evalica, [float(row[3]) for row in rows], **EXACT), "the same from counts, through weights="


def _evalica(rows, evalica, weights, **exact):
    from math import log

    winners = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y}
    said = [winners.get(row[2], evalica.Winner.Draw) for row in rows]
    result = evalica.bradley_terry([row[0] for row in rows], [row[1] for row in rows], said, weights=weights, **exact)
    return {name: log(score) for name, score in result.scores.items()}


def arena_rank(ledger):
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    frame = pd.DataFrame(ledger.execute(VOTES).fetchall(), columns=["model_a", "model_b", "winner"])
    frame["winner"] = frame["winner"].replace("both_bad", "tie")
    dataset = PairDataset.from_pandas(frame)
    model = BradleyTerry(n_competitors=len(dataset.competitors))
    result = model.compute_ratings_and_cis(dataset, significance_level=0.05)
    ratings = zip(result["competitors"], result["ratings"], strict=True)
    return {str(name): float(points) / POINTS_PER_NAT for name, points in ratings}, "strengths, sandwich"


def arenakit(ledger):
    from arenakit import Arena, Battle, fit_bt

    winners = {"model_a": "a", "model_b": "b"}
    battles = [
        Battle(model_a=a, model_b=b, winner=winners.get(outcome, "tie")) for a, b, outcome in ledger.execute(VOTES)
    ]
    arena = Arena(battles)
    fit = fit_bt(arena.counts(), ties="half")
    return dict(zip(arena.models, map(float, fit.scores), strict=True)), "strengths, no intervals asked for"


def choix(ledger):
    import choix as library
    import numpy as np

    rows = ledger.execute(COUNTS).fetchall()
    names = sorted({name for row in rows for name in row[:2]})
    index = {name: number for number, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    for a, b, outcome, n in rows:
        share = {"model_a": 1.0, "model_b": 0.0}.get(outcome, 0.5)
        wins[index[a], index[b]] += n * share
        wins[index[b], index[a]] += n * (1 - share)
    strengths = library.ilsr_pairwise_dense(wins, max_iter=1000)
    return dict(zip(names, map(float, strengths), strict=True)), "strengths from counts, no intervals"


EXACT = {"tolerance": 1e-9, "limit": 10_000}  # evalica's, as far as ours is exact
POINTS_PER_NAT = 400 / 2.302585092994046

PEERS = {
    "evalica": evalica_votes,
    "evalica-default": evalica_default,
    "evalica-counts": evalica_counts,
    "arena-rank": arena_rank,
    "arenakit": arenakit,
    "choix": choix,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
