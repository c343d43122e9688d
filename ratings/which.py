"""The options that say which votes count, the same for all commands; votes/which.py does the choosing."""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

from ratings.choices import VotesBy
from ratings.errors import SettingsError

if TYPE_CHECKING:
    from ratings.votes.which import Which


def add_which(made: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = made.add_argument_group("which votes")
    group.add_argument(
        "--votes-by",
        choices=get_args(VotesBy),
        help="those of people, of programs, or both (default all, with a note where there are both)",
    )
    group.add_argument("--since", metavar="TIME", help="those from this date or time on, UTC, such as 2030-01-31")
    group.add_argument("--until", metavar="TIME", help="those before this date or time")
    group.add_argument("--languages", metavar="NAME,...", help="those in these languages or categories")
    group.add_argument(
        "--without", nargs="+", action="extend", metavar="NAME", help="leave contestants out, with their votes"
    )
    group.add_argument(
        "--alias", nargs="+", action="extend", metavar="OLD=NEW", help="two names of one contestant, which are merged"
    )
    group.add_argument(
        "--min-votes", type=int, default=0, metavar="N", help="leave out contestants with fewer votes than these"
    )
    group.add_argument(
        "--dedup", action="store_true", help="leave out votes marked as too many on one prompt (LMArena's dedup_tag)"
    )


def read_which(options: argparse.Namespace) -> "Which":
    """Return what the options choose. Raises SettingsError for a value of no sense."""
    return which_of({name: getattr(options, name) for name in NAMES})


NAMES = ("votes_by", "since", "until", "languages", "without", "alias", "min_votes", "dedup")
"""The options, as keywords."""


def which_of(chosen: dict[str, Any]) -> "Which":
    """Return the same from keywords, which may hold lists and pairs where the options have text."""
    from ratings.votes.which import Which

    alias = chosen["alias"] or ()
    pairs = alias.items() if isinstance(alias, dict) else map(_pair, [alias] if isinstance(alias, str) else alias)
    return Which(
        by=chosen["votes_by"],
        since=_time("since", chosen["since"]),
        until=_time("until", chosen["until"]),
        languages=_names(chosen["languages"], split=True),
        without=_names(chosen["without"]),
        aliases=tuple(pairs),
        min_votes=chosen["min_votes"],
        dedup=chosen["dedup"],
    )


def _names(given: Any, *, split: bool = False) -> tuple[str, ...]:
    if isinstance(given, str):
        given = given.split(",") if split else [given]
    names = tuple(dict.fromkeys(name.strip() if split else name for name in given or ()))
    if any(not name for name in names):
        raise SettingsError("an empty name matches nothing; give names, with commas between languages")
    return names


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals:
        raise SettingsError(f"--alias is {text!r}; give the old name and the new, such as gpt-4-0613=gpt-4")
    return old, new


def _time(name: str, given: Any) -> float | None:
    if given is None:
        return None
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        if str(given).isdecimal():
            raise ValueError  # a year or a number of seconds: nobody can tell
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise SettingsError(
            f"--{name} is {str(given)!r}; give a date or time, such as 2030-01-31 or 2030-01-31T12:00Z"
        ) from None
