"""Publish a family: its checkpoints in bfloat16, half the size, for a repository or a hub.

Weights are rounded to nearest, chat templates are made plain Jinja, and everything else is copied. In stage.json the
hashes of the checkpoint and of its parent are renewed, so that the lineage still holds, and "rounded" is added. What
was only needed on the way (the tokenizer's folder, pairs, unfinished work) is left out: every checkpoint has its
tokenizer.
"""

import json
import shutil
from pathlib import Path

from common.weights import hash_weights
from training.runs.checkpoint import RECORD, CheckpointError, read_record, require_free
from training.stages import STAGES


def publish(family: Path, out: Path) -> list[Path]:
    """Write the trained checkpoints of a family to a new folder in bfloat16; return them in the order of training.

    Raises:
        CheckpointError: no family there, or something at the destination.
    """
    trained = [stage.name for stage in STAGES if stage.has_weights]
    folders = [f for name in trained for f in sorted(family.glob("*")) if (read_record(f) or {}).get("stage") == name]
    if not folders:
        raise CheckpointError(f"{family} holds no trained checkpoints: python -m training run NAME --out {family}")
    require_free(out)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    renewed: dict[str, str | None] = {}
    for folder in folders:
        target = partial / folder.name
        shutil.copytree(folder, target)
        for file in target.glob("*.safetensors"):
            round_weights(file)
        _make_templates_plain(target)
        config = json.loads((target / "config.json").read_text(encoding="utf-8"))
        (target / "config.json").write_text(
            json.dumps(config | {"dtype": "bfloat16"}, indent=2) + "\n", encoding="utf-8"
        )
        record = read_record(folder) or {}
        before, after = record["weights"], hash_weights(target)
        renewed[before] = after
        parent = record["parent"] and record["parent"] | {
            "weights": renewed.get(record["parent"]["weights"], record["parent"]["weights"])
        }
        record |= {"weights": after, "parent": parent, "rounded": "bfloat16"}
        (target / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    partial.rename(out)
    return [out / folder.name for folder in folders]


def _make_templates_plain(folder: Path) -> None:
    """Rewrite the chat templates of a folder as plain Jinja, those of others who trained before included."""
    from training.runs.loading import plain_template

    for file in (*folder.glob("*.jinja"), *folder.glob("additional_chat_templates/*.jinja")):
        file.write_text(plain_template(file.read_text(encoding="utf-8")), encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        found = json.loads(settings.read_text(encoding="utf-8"))
        if isinstance(template := found.get("chat_template"), str):
            found["chat_template"] = plain_template(template)
            settings.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def round_weights(file: Path) -> None:
    """Rewrite a safetensors file with every floating-point tensor in bfloat16."""
    import torch
    from safetensors.torch import load_file, save_file

    tensors = {
        name: tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(file).items()
    }
    save_file(tensors, file, metadata={"format": "pt"})
