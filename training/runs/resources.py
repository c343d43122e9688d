"""Whether a stage fits into this machine's memory and disk."""

import shutil

from training.runs import distributed
from training.runs.checkpoint import CheckpointError
from training.runs.job import Job


def require_room(job: Job, *, parameters: int, batch_tokens: int, vocabulary: int, copies: int = 2) -> None:
    """Refuse a stage early where memory or disk will not suffice.

    parameters: of the models that are held. batch_tokens: tokens that one process takes at once. vocabulary: logits per
    token. copies: saves with optimizer state that are kept on disk.

    Memory is that of one process: weights, gradients and two moments of AdamW (16 bytes per parameter, of its own part
    where they are sharded), the logits of its batch and their activations. On disk it is the copies (12 bytes per
    parameter) and the checkpoint.

    Raises:
        CheckpointError: says how much is needed, how much there is, and what to change.
    """
    import psutil
    import torch

    shape = job.recipe.model
    activations = batch_tokens * max(shape.layers, 1) * max(shape.hidden_size, 64) * 34 * 2
    held = parameters // distributed.count() if distributed.is_sharded() else parameters
    memory = 16 * held + 10 * batch_tokens * vocabulary + activations
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    if memory > free:
        raise CheckpointError(
            f"{job.stage.name} needs about {memory / 2**30:.1f} GiB of memory and {free / 2**30:.1f} are free: "
            "lower batch, raise accumulate, or make the model smaller"
        )
    disk = (12 * copies + 4) * parameters + 2 * batch_tokens
    free = shutil.disk_usage(next(p for p in (job.out, *job.out.absolute().parents) if p.exists())).free
    if disk > free:
        raise CheckpointError(
            f"{job.stage.name} needs about {disk / 2**30:.1f} GiB on the disk of {job.out} "
            f"and {free / 2**30:.1f} are free: make room, or pass another --out"
        )
