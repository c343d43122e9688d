"""Folders that look like checkpoints, made without torch, and the faults that they may have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[Path], object]

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
NAMED = json.dumps({"chat_template": [{"name": "default", "template": TEMPLATE}, {"name": "rag", "template": "x"}]})


def make_folder(folder: Path, **config: Any) -> Path:
    """Write a Llama of one tensor with tokenizer and chat template; what is given goes into its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]} | config
    (folder / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(make_weights("lm_head.weight"))
    (folder / "tokenizer.json").write_text('{"version": "1.0"}\n', encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return folder


def make_weights(*names: str) -> bytes:
    """Return a safetensors file in which each tensor is two numbers of four bytes."""
    places = {name: {"dtype": "F32", "shape": [2], "data_offsets": [8 * n, 8 * n + 8]} for n, name in enumerate(names)}
    header = json.dumps({"__metadata__": {"format": "pt"}, **places}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(8 * len(names))


def config(**keys: Any) -> Change:
    """Return a change of config.json; a key of None is taken out."""

    def change(folder: Path) -> None:
        tree = json.loads((folder / "config.json").read_text()) | keys
        (folder / "config.json").write_text(json.dumps({k: v for k, v in tree.items() if v is not None}))

    return change


def write(name: str, content: str | bytes, *, without: tuple[str, ...] = ()) -> Change:
    """Return a change that writes one file and removes others."""

    def change(folder: Path) -> None:
        for other in without:
            (folder / other).unlink()
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def remove(*names: str) -> Change:
    return lambda folder: [(folder / name).unlink() for name in names]


def shards(*present: str, index: Any = None) -> Change:
    """Return a change to weights in two parts, of which these are there."""
    tree = index or {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps(tree))
        for name in present:
            (folder / name).write_bytes(make_weights("a"))

    return change


def cut(size: int) -> Change:
    """Return a change that leaves so many bytes of the weights; a negative number takes them from the end."""

    def change(folder: Path) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:size])

    return change
