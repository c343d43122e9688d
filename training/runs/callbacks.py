"""What happens during training: saves by the clock, snapshots, a stop if the loss is not a number, a progress bar."""

import math
import sys
import time
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.runs import distributed
from training.runs.checkpoint import CheckpointError

SAVE_SECONDS = 180.0


class Autosave(TrainerCallback):  # type: ignore[misc]  # transformers ships no types for it
    """Save every few minutes, however long a step takes, so that a killed run loses little."""

    def __init__(self, seconds: float = SAVE_SECONDS) -> None:
        self.seconds = seconds
        self.saved = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask for a save when it is due."""
        # Only at a step that logs: the running mean of the loss is not saved, and the next one would be too short.
        is_logged = state.global_step % int(args.logging_steps) == 0
        if is_logged and distributed.agree(time.monotonic() - self.saved >= self.seconds):
            control.should_save = True
            self.saved = time.monotonic()


class Snapshots(TrainerCallback):  # type: ignore[misc]  # transformers ships no types for it
    """Save at ``count`` evenly spaced steps, the last one among them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask for a save at each snapshot's step."""
        if state.global_step in snapshot_steps(state.max_steps, self.count):
            control.should_save = True


def snapshot_steps(steps: int, count: int) -> list[int]:
    """Return the steps at which snapshots are kept: ``count`` evenly spaced ones, the last one included."""
    return sorted({max(1, round(steps * (i + 1) / count)) for i in range(count)})


class Finite(TrainerCallback):  # type: ignore[misc]  # transformers ships no types for it
    """Stop a run whose loss or gradients are no longer numbers, before it saves weights that are not either."""

    WATCHED = ("loss", "grad_norm")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Check what was logged.

        Raises:
            CheckpointError: it is not a number; the last save is an earlier, sound one.
        """
        for name in self.WATCHED:
            if not math.isfinite(value := float((logs or {}).get(name, 0.0))):
                raise CheckpointError(
                    f"step {state.global_step}: {name} is {value}, so the weights are lost: "
                    "lower this stage's learning_rate, or --set precision=fp32"
                )


class ProgressBar(TrainerCallback):  # type: ignore[misc]  # transformers ships no types for it
    """One bar per stage with what people watch: loss, tokens per second where known, and tqdm's own time left."""

    SHOWN = ("loss", "eval_loss", "reward", "kl", "accuracy")

    def __init__(self, stage: str, tokens_per_step: int | None = None) -> None:
        self.stage = stage
        self.tokens_per_step = tokens_per_step
        self.bar: tqdm[Any] | None = None
        self.began = 0.0
        self.first_step = 0
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Open the bar, at the step where a resumed run continues."""
        if not state.is_world_process_zero:
            return
        # A log file gets a line every ten seconds, a terminal a moving bar.
        pause = 0.1 if sys.stderr.isatty() else 10.0
        self.first_step = state.global_step
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=f"{self.stage:>9}",
            unit="step",
            dynamic_ncols=True,
            mininterval=pause,
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
        self.shown |= {key: f"{float(value):.3f}" for key, value in (logs or {}).items() if key in self.SHOWN}
        if self.tokens_per_step:
            steps = state.global_step - self.first_step
            speed = self.tokens_per_step * steps / max(time.monotonic() - self.began, 1e-9)
            self.shown["tokens/s"] = f"{speed:,.0f}"
        self.bar.set_postfix(self.shown)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Leave the bar as it is and begin a new line."""
        if self.bar is not None:
            self.bar.close()
