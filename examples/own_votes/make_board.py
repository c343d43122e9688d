"""Votes of your own to a board and a page: ``python -m examples.own_votes.make_board``."""

from pathlib import Path

import ratings

VOTES = Path(__file__).with_name("simulated_votes.csv")


def main() -> None:
    """Read the votes, print what they say, and write the page."""
    # One row per vote: both models, and model_a, model_b, tie or both_bad. The other columns may be missing.
    votes = ratings.read_votes(VOTES)
    print(votes)

    # Votes of one voter lean the same way, so the intervals are clustered by voter; base is pinned to 1000 points.
    board = ratings.rate(votes, interval="clustered", anchor=("base", 1000), by="week")
    print(board)

    # Is the difference that matters decided? If not, which battles would tell most?
    print(ratings.compare_models(votes, "rlhf", "dpo"))
    print(ratings.next_battles(votes).head(3).to_string(index=False))

    # The page opens without a network. Each run is kept, and says what changed since the one before.
    for path in board.write("boards/own_votes"):
        print("wrote", path)


if __name__ == "__main__":
    main()
