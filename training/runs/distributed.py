"""Several processes, one per graphics card, as ``accelerate launch`` starts them: which of them does what.

All of them train. Only the first writes, samples, measures and prints, while the others wait. What it decides by the
clock it broadcasts, since processes that disagree about a save would wait for each other for ever.
"""

import os
import sys
from datetime import timedelta
from typing import Any

PATIENCE = timedelta(hours=24)  # how long the others wait while the first samples or measures


def count() -> int:
    """Return how many processes train together, 1 where nothing launched more."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Say whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def is_sharded() -> bool:
    """Say whether each process holds only a part of the weights (FSDP), as ``accelerate launch`` was asked to."""
    return os.environ.get("ACCELERATE_USE_FSDP") == "true"


def announce(text: str) -> None:
    """Print a line for the person at the terminal, from the first process only."""
    if is_first():
        print(text, file=sys.stderr)


def wait() -> None:
    """Return when every process has reached this call; at once where there is only one."""
    if count() > 1:
        _state().wait_for_everyone()


def agree(is_time: bool) -> bool:
    """Return the first process's value in every process."""
    if count() == 1:
        return is_time
    from accelerate.utils import broadcast_object_list

    _state()
    decided: bool = broadcast_object_list([is_time])[0]
    return decided


def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
