"""What can go wrong between a vote and a number, each with its own name.

Every message is one line with what was wrong, the value, and the way out, because the
commands print it as it stands.
"""


class RatingsError(Exception):
    """Base of every error this package raises on purpose."""


class VotesError(RatingsError):
    """A file or ledger of votes cannot be read as one."""


class UnknownOutcomeError(VotesError):
    """A vote holds something that is none of the known spellings of an outcome."""

    def __init__(self, value: object, where: str = "", hint: str = "") -> None:
        """Name the `value` and, where known, the file and row that hold it, and how to say what it means."""
        self.value = value
        place = f"{where}: " if where else ""
        super().__init__(
            f"{place}unknown outcome {value!r}; accepted are a winning side (model_a, A, left, 1; model_b, B, right, "
            f"0), the winner's name, a tie (tie, draw, 0.5) and both_bad{hint}"
        )


class NoVotesError(RatingsError):
    """There is no usable vote to rate anybody by."""


class TooFewModelsError(RatingsError):
    """Fewer than two models: there is nothing to compare."""


class SettingsError(RatingsError):
    """A method or one of its settings is unknown or out of range."""


class InseparableError(SettingsError):
    """A covariate cannot be told from the models or from the other covariates."""


class NotConvergedError(RatingsError):
    """A fit stopped before it reached its tolerance, so it has no numbers to show."""


class ExportError(RatingsError):
    """The votes hold nothing that can be written as rows to train on."""


class OutputError(RatingsError):
    """A result cannot be written where it was asked for."""


class TooFewClustersError(RatingsError):
    """Too few voters or prompts to estimate how much their votes belong together."""
