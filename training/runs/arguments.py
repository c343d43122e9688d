"""What the Hugging Face and TRL trainers of all stages share: their arguments, and a run that prints only its bar."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer

from training.recipe import Recipe
from training.runs import distributed
from training.runs.batching import rows_at_once
from training.runs.callbacks import Autosave, Finite, ProgressBar
from training.runs.checkpoint import CheckpointError
from training.runs.job import Job
from training.runs.loading import load_as_saved, merge_adapters
from training.sections import Lora, Training

LOGS = 200  # points of a loss curve
VALIDATIONS = 20  # how often a long stage is measured on held-out rows
APART = 40  # least number of steps between two measurements: a short stage would spend half its time on them


def common_arguments(recipe: Recipe, folder: Path, *, steps: int = 0, compiled: bool = False) -> dict[str, Any]:
    """Return the arguments that hold for every stage. steps: how many it will take, 0 where that is not known.

    TRL's defaults are bf16 and gradient checkpointing, which slow down a CPU or a small model, and every trainer would
    report to any tracker that is installed. Saving is left to Autosave, which goes by the clock.
    """
    has_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder),
        "seed": recipe.seed,
        "use_cpu": not has_gpu,
        "bf16": uses_bf16(recipe),
        "torch_compile": compiled,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_steps": max(5, steps // LOGS),
        "logging_nan_inf_filter": False,  # else a loss that is not a number is logged as the last one that was
        "include_num_input_tokens_seen": "non_padding",
        "dataloader_pin_memory": has_gpu,
        "ddp_timeout": int(distributed.PATIENCE.total_seconds()),
        "log_level_replica": "error",
    }


def learning_arguments(recipe: Recipe, settings: Training, folder: Path, *, steps: int) -> dict[str, Any]:
    """Return common_arguments and those of a stage that learns from rows: batch, schedule, validation."""
    part = rows_at_once(settings)
    return common_arguments(recipe, folder, steps=steps, compiled=settings.compile) | {
        "per_device_train_batch_size": part,
        "per_device_eval_batch_size": part,
        "gradient_accumulation_steps": settings.accumulate,
        "eval_strategy": "steps",
        "eval_steps": max(1, min(steps, max(APART, steps // VALIDATIONS))),
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": settings.warmup,
    }


def saver(model: Any, tokenizer: Any) -> Callable[[Path], None]:
    """Return a function that saves the model and its tokenizer into a folder."""

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return save


def uses_bf16(recipe: Recipe) -> bool:
    """Say whether to compute in bfloat16: as the recipe says, else where GPU or processor has instructions for it.

    Measured on two cores with AVX512-BF16, 4 million parameters, compiled: 8,200 tokens per second, 4,750 without.
    """
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def lora_config(lora: Lora | None, task: str) -> Any:
    """Return peft's configuration of adapters on every linear layer, None where the recipe has none.

    task: peft's name of what the model does, "CAUSAL_LM" or "SEQ_CLS".

    Raises:
        CheckpointError: the recipe has adapters, and the weights are sharded.
    """
    if lora is None:
        return None
    if distributed.is_sharded():
        raise CheckpointError("lora trains few weights, which fit on every card: launch without FSDP, or remove lora")
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type=task
    )


def avoid_cudnn_attention() -> None:
    """Leave attention on a graphics card to torch's other kernels: the gradients of cuDNN's may not be numbers.

    It happens where a batch is padded to 64, 192, 320 tokens and so on and some row attends to nothing, as padding does
    in a layer with a window (https://github.com/pytorch/pytorch/issues/196678). Seen on an H100 with torch 2.11.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def train_quietly(trainer: Trainer, job: Job) -> list[dict[str, float]]:
    """Run a trainer to its end, from its last save where the job resumes; return what it logged.

    Only the progress bar reaches the terminal. The trainer's output folder must be the job's work folder.

    Raises:
        CheckpointError: the loss or the gradients are no longer numbers.
    """
    avoid_cudnn_attention()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Finite())
    trainer.add_callback(Autosave())
    saved = last_save(Path(trainer.args.output_dir)) if job.resume else None
    try:
        trainer.train(resume_from_checkpoint=str(saved) if saved else None)
    finally:
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, ProgressBar):
                callback.close()  # so that an error is printed on a line of its own
    return [{k: v for k, v in row.items() if isinstance(v, int | float)} for row in trainer.state.log_history]


def whole_model(trainer: Trainer) -> Any:
    """Return the trained model in the first process, adapters merged; None in the others.

    Every process has to call it, since where the weights are sharded (FSDP) each holds only a part of them.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.is_fsdp_enabled:
        folder = Path(trainer.args.output_dir) / "whole"
        trainer.save_model(str(folder))
        if distributed.is_first():
            model = load_as_saved(folder)
    return merge_adapters(model) if distributed.is_first() else None


def last_save(folder: Path) -> Path | None:
    """Return the newest save that is complete, None where there is none.

    A run may be killed while it saves. The trainer writes its state last, so a save whose state cannot be read is not
    complete.
    """
    saves = sorted(folder.glob("checkpoint-*"), key=lambda save: int(save.name.removeprefix("checkpoint-")))
    return next((save for save in reversed(saves) if _is_whole(save)), None)


def _is_whole(save: Path) -> bool:
    try:
        json.loads((save / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
