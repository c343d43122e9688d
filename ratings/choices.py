"""What can be chosen on the command line beside the treatments of outcomes; the help page needs no more than these."""

from typing import Literal

Method = Literal["bradley-terry", "davidson", "elo"]
"""How a board is rated; "davidson" is Bradley-Terry with Davidson's treatment of ties."""

Interval = Literal["auto", "sandwich", "clustered", "bootstrap", "sequence"]
"""Where intervals come from: counts, votes by cluster, resampled counts, or a sequence that may be watched.

"auto" is by cluster where the votes tell enough of them, and otherwise from counts.
"""

Cluster = Literal["voter", "prompt", "none"]
"""Which votes belong together: those of one voter, those about one prompt, or none."""

VotesBy = Literal["human", "simulated", "all"]
"""Whose votes count: those of people, those of programs, or both on one board."""

Period = Literal["day", "week"]
"""How far apart the boards of a series are."""
