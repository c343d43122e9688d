"""Several processes, one a graphics card, as ``accelerate launch`` starts them: which of them does what.

All of them train. The first alone writes, samples, measures and speaks, while the others wait; what it decides by the
clock is told to all, since processes that disagree about a save wait for each other for ever.
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
    """Say whether each process holds a part of the weights only (FSDP), as accelerate launch was told."""
    return os.environ.get("ACCELERATE_USE_FSDP") == "true"


def say(text: str) -> None:
    """Tell the person at the terminal, once."""
    if is_first():
        print(text, file=sys.stderr)


def wait() -> None:
    """Return when every process has come here; at once where there is one."""
    if count() > 1:
        _state().wait_for_everyone()


def agree(is_time: bool) -> bool:
    """Return what the first process says, to all of them."""
    if count() == 1:
        return is_time
    from accelerate.utils import broadcast_object_list

    _state()
    said: bool = broadcast_object_list([is_time])[0]
    return said


def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
