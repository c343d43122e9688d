"""A board before anybody has voted: synthetic voters on battles between the contestants of models.yaml.

``python -m benchmarks.board [--battles 400] [--recipe demo] [--models models.yaml] [--db data/simulated.db]``

The battles are the arena's own, on held-out prompts that are short enough for every contestant. The voters judge by
the rubric of training/data/rubric.py with its noise and ties, and call both replies bad that have less than 40 points.
Their votes are stored as simulated, in a ledger of their own: one that exists is not added to.
"""

import argparse
import asyncio
import random
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from tqdm import tqdm

from arena.backends.base import Reply
from arena.backends.opening import open_backends
from arena.battle import Battle, BattleError, State
from arena.config import load_models
from arena.guard.prompt_checks import PromptRefused
from arena.ledger.claim import Claim, ClaimError
from arena.ledger.store import Store, StoreError
from arena.service import Service
from common.models_yaml import ModelsError
from ratings.outcomes import Outcome
from training.data.corpus import Corpus
from training.data.rubric import Rubric, cast_vote
from training.data.world.examples import Example
from training.recipe import RecipeError, load_recipe

VOTER = "synthetic"
BAD = 40.0  # points below which a reply is bad, of 100
OUTCOMES = {"first": Outcome.A_WINS, "second": Outcome.B_WINS, "tie": Outcome.TIE}


def main(argv: list[str] | None = None) -> int:
    """Fight the battles, store a simulated vote for each, and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--battles", type=int, default=400)
    parser.add_argument("--recipe", default="demo", help="whose held-out prompts are asked (%(default)s)")
    parser.add_argument("--models", type=Path, default=Path("models.yaml"))
    parser.add_argument("--db", type=Path, default=Path("data/simulated.db"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    if options.db.exists():
        print(f"error: {options.db} exists already: pass --db a new file, or remove it", file=sys.stderr)
        return 2
    with ExitStack() as opened:
        try:
            models, recipe = load_models(options.models), load_recipe(options.recipe)
            opened.enter_context(closing(Claim(options.db)))
            store = opened.enter_context(closing(Store(options.db)))
        except (ModelsError, RecipeError, ClaimError, StoreError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        backends = open_backends(models.contestants)
        for backend in set(backends.values()):
            opened.callback(backend.close)
        rng = random.Random(options.seed)
        service = Service(models.contestants, backends, store, rng=rng, is_paced=False)
        corpus = Corpus(recipe.data, recipe.seed)
        try:
            voted = asyncio.run(fight(service, store, corpus, rng, noise=recipe.pairs.noise, battles=options.battles))
        except BattleError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if voted < options.battles:
        print(
            f"error: only {voted} votes before the held-out prompts ran out: ask for fewer --battles", file=sys.stderr
        )
        return 1
    print(f"python -m ratings.compute --db {options.db} --models {options.models} --out boards makes the board")
    return 0


async def fight(
    service: Service, store: Store, corpus: Corpus, rng: random.Random, *, noise: float, battles: int
) -> int:
    """Fight until so many battles have their vote, or the held-out prompts have run out; return how many have one.

    One battle at a time, so that the draws of a seed fall in the same order again.
    """
    rubric = Rubric(corpus.tasks, corpus.vocabulary)
    prompts = corpus.heldout()
    rng.shuffle(prompts)
    voted = 0
    with tqdm(total=battles, desc="battles", unit="vote") as bar:
        for example in prompts:
            if voted == battles:
                break
            try:
                battle = await service.start(VOTER, example.prompt)
            except PromptRefused:
                continue
            while battle.state is State.GENERATING:
                await asyncio.sleep(0.005)
            if battle.state is State.READY:
                outcome = judge(battle, example, rubric, rng, noise)
                store.vote(battle.id, VOTER, outcome, source="simulated")
                voted += 1
                bar.update()
    return voted


def judge(battle: Battle, example: Example, rubric: Rubric, rng: random.Random, noise: float) -> Outcome:
    """Vote by the rubric: side a is the first reply."""

    def points(reply: Reply) -> float:
        return rubric.mark(example, reply.text, is_finished=reply.finish != "length").points

    a, b = points(battle.replies["a"]), points(battle.replies["b"])
    return Outcome.BOTH_BAD if max(a, b) < BAD else OUTCOMES[cast_vote(a, b, rng, noise)]


if __name__ == "__main__":
    sys.exit(main())
