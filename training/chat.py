"""Talk to a checkpoint in the terminal: ``python -m training chat checkpoints/demo/rlhf``.

The reply appears as it is written. A base model has no chat template, so it continues what is typed.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from training.parents.outside import require_writer
from training.runs.checkpoint import CheckpointError, read_record
from training.stages import STAGES

GREETING = "Type a line and press Enter. An empty line or Ctrl-D ends."


def run_chat(
    folder: Path,
    lines: Iterable[str],
    write: Callable[[str], None],
    *,
    temperature: float,
    max_tokens: int,
    seed: int | None = None,
) -> None:
    """Answer each line, as a conversation of its own, until an empty one.

    Raises:
        CheckpointError: the folder holds no finished language model.
    """
    record = read_record(folder)
    if record is None and (folder / "config.json").is_file():
        require_writer(folder, str(folder))  # one that was not made here
    elif record is None or record["stage"] not in [s.name for s in STAGES if s.makes == "language model"]:
        raise CheckpointError(f"{folder} holds no checkpoint that writes text: give a base, sft or rlhf folder")
    import torch
    from transformers import TextStreamer

    from training.runs.loading import load_language_model, load_tokenizer

    class Writer(TextStreamer):  # type: ignore[misc]  # transformers ships no types for it
        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            write(text + ("\n" if stream_end else ""))

    tokenizer, model = load_tokenizer(folder), load_language_model(folder)
    if seed is not None:
        torch.manual_seed(seed)
    choice = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    for line in lines:
        if not line.strip():
            return
        inputs = tokenizer(
            _render(line.strip(), tokenizer),
            return_tensors="pt",
            add_special_tokens=not tokenizer.chat_template,
            return_token_type_ids=False,
        ).to(model.device)
        room = model.config.max_position_embeddings - inputs["input_ids"].shape[1]
        if room < 1:
            write(f"(that is longer than the model's context of {model.config.max_position_embeddings} tokens)\n")
            continue
        streamer = Writer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        with torch.no_grad():
            model.generate(**inputs, max_new_tokens=min(max_tokens, room), streamer=streamer, **choice)


def _render(text: str, tokenizer: Any) -> str:
    """Return a line as the model reads it: in the chat format, where its tokenizer has one."""
    if not tokenizer.chat_template:
        return text
    turns = [{"role": "user", "content": text}]
    return str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
