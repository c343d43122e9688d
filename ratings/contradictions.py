"""Options of ratings.compute that contradict each other.

A contradiction is two options of which one would silently be ignored. They are listed here, each with its
reason, and refused before anything is read.
"""

import argparse

from ratings.errors import SettingsError

MOST_SHUFFLES = 10_000
"""After so many orders their mean is known to a hundredth of their spread; each is a pass over all votes."""

_NO_INTERVALS = "online Elo is no fit: it takes a tie as half a win, and has no intervals and no covariance"
_PLAIN = "it counts votes of one weight each, a tie as half a win"
_NO_WIN = "a loss to the field has no winner to share a win with"
_HALF = {"--choose", "--ties davidson", "--ties drop"}

_CONTRADICTIONS: tuple[tuple[str, set[str], str], ...] = (
    (
        "--method elo",
        {*_HALF, "--prior", "--weights", "--interval", "--cluster", "--style", "--by", "--models", "--voters"}
        | {"--fragility", "--position", "--confidence"},
        _NO_INTERVALS,
    ),
    ("--method elo", {"--both-bad loss-to-the-field"}, _NO_WIN),
    ("--choose", {"--ties", "--ties davidson"}, "one chooses the treatment of ties and the other names it"),
    ("--method bradley-terry", {"--ties davidson"}, "Davidson's model is a method of its own"),
    ("--method davidson", {"--ties half", "--ties drop"}, "Davidson's model has a treatment of ties of its own"),
    ("--ties davidson", {"--interval bootstrap"}, "Davidson's model has no such interval"),
    ("--interval sandwich", {"--cluster voter", "--cluster prompt"}, "the sandwich takes every vote as independent"),
    ("--interval bootstrap", {"--cluster voter", "--cluster prompt"}, "the bootstrap takes every vote as independent"),
    ("--cluster none", {"--interval clustered"}, "clustered intervals need something to group the votes by"),
    ("--fragility", {"--ties davidson", "--prior", "--weights"}, _PLAIN),
    ("--voters", {"--ties davidson", "--ties drop", "--prior", "--weights"}, _PLAIN),
    (
        "--both-bad loss-to-the-field",
        {"--fragility", "--voters", "--position", "--style", "--by", "--elo-shuffles", "--interval bootstrap"},
        _NO_WIN,
    ),
    ("--prior", {"--interval bootstrap"}, "the bootstrap resamples votes alone"),
)

_DRAWS = {"--choose", "--elo-shuffles"}
"""Options that draw whatever the method and the interval."""


def check_contradictions(options: argparse.Namespace) -> None:
    """Raise SettingsError where two options contradict each other or one lacks what it belongs to."""
    check_naming(options)
    given = _given(options)
    for one, others, why in _CONTRADICTIONS:
        for other in sorted(others & given.keys()):
            if one in given:
                raise SettingsError(f"{given[one]} and {given[other]} contradict each other: {why}; leave one out")
    if options.png and not options.out:
        raise SettingsError("--png needs a folder to write to; give --out DIR")
    if options.title is not None and not options.out:
        raise SettingsError("--title stands over the page; give --out DIR, or leave it out")
    if "--seed" in given and not _DRAWS & given.keys():
        for calm in {"--method elo", "--interval sequence"} & given.keys():
            raise SettingsError(f"{calm} draws nothing, so --seed has no effect; leave it out")
    if options.elo_shuffles and not 2 <= options.elo_shuffles <= MOST_SHUFFLES:
        raise SettingsError(
            f"--elo-shuffles is {options.elo_shuffles}; a spread over orders needs at least 2, and its mean no more "
            f"than {MOST_SHUFFLES:,}"
        )


def check_naming(options: argparse.Namespace) -> None:
    """Raise SettingsError where columns or outcomes are named of a ledger, which knows its own."""
    for name in ("columns", "outcomes"):
        if options.db and getattr(options, name) is not None:
            raise SettingsError(f"--{name} is for --votes: a ledger knows its own; leave it out")


def _given(options: argparse.Namespace) -> dict[str, str]:
    """Return each option that was given, such as "--ties", alone and with its value, "--ties drop", as it was given.

    An option given at its default is given: the parser's own default is None. "--method davidson" is another way to
    give "--ties davidson".
    """
    given: dict[str, str] = {}
    for name, value in vars(options).items():
        if value is not None and value is not False and value != [] and (name, value) != ("elo_shuffles", 0):
            flag = f"--{name.replace('_', '-')}"
            given |= {option: option for option in (flag, f"{flag} {value}")}
    if "--method davidson" in given:
        given.setdefault("--ties davidson", "--method davidson")
    return given
