"""What the Hugging Face and TRL trainers of all stages share: their common arguments, one progress bar, quiet logs."""

import logging
import math
import sys
import time
import warnings
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.recipe import Recipe


def common_arguments(recipe: Recipe, folder: str) -> dict[str, Any]:
    """Return the arguments that hold for every stage.

    TRL asks for bf16 and gradient checkpointing by default, which a CPU or a small model pays for, and every trainer
    would report to whatever tracker it finds installed; nothing is saved on the way, since a stage writes once.
    """
    has_gpu = torch.cuda.is_available()
    return {
        "output_dir": folder,
        "seed": recipe.seed,
        "use_cpu": not has_gpu,
        "bf16": has_gpu,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_steps": 5,
        "include_num_input_tokens_seen": "non_padding",
        "dataloader_pin_memory": has_gpu,
    }


def quieten_libraries() -> None:
    """Leave the terminal to the progress bar: libraries speak only of errors."""
    import datasets
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for name in ("trl", "accelerate", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|trl|transformers|accelerate)\.")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(torch|trl|transformers|accelerate)\.")


def train_quietly(trainer: Trainer) -> None:
    """Run a trainer to its end with nothing but its progress bar on the terminal."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()


class ProgressBar(TrainerCallback):  # type: ignore[misc]  # transformers ships no types for it
    """One bar a stage with what people watch: loss, tokens a second where they are known, time left (tqdm's own)."""

    SHOWN = ("loss", "reward", "kl", "accuracy")

    def __init__(self, stage: str, tokens_per_step: int | None = None) -> None:
        self.stage = stage
        self.tokens_per_step = tokens_per_step
        self.bar: tqdm[Any] | None = None
        self.began = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Open the bar."""
        # A log file gets a line every ten seconds, a terminal a moving bar.
        pause = 0.1 if sys.stderr.isatty() else 10.0
        self.bar = tqdm(
            total=state.max_steps, desc=f"{self.stage:>9}", unit="step", dynamic_ncols=True, mininterval=pause
        )
        self.began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Show the latest figures beside the bar."""
        if self.bar is None:
            return
        shown = {key: f"{value:.3f}" for key, value in (logs or {}).items() if key in self.SHOWN}
        if self.tokens_per_step:
            speed = self.tokens_per_step * state.global_step / max(time.monotonic() - self.began, 1e-9)
            shown["tokens/s"] = f"{speed:,.0f}"
        self.bar.set_postfix(shown)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


def bits_per_byte(nats: float, text_bytes: int) -> float:
    """Convert a summed negative log-likelihood (nats) of a text to bits per byte, which no tokenizer flatters."""
    return nats / math.log(2) / text_bytes
