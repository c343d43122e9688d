"""Whether a folder holds a checkpoint that can write replies, by its files alone, before anything is loaded.

A contestant that cannot write would void its battles one by one, and one with an empty tokenizer or without a template
would lose them, so both are reported at the start. Problems that show only when the weights are read (missing tensors,
a template that raises) are reported by the backend when it loads.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.checkpoints.architecture import find_unfitness
from arena.checkpoints.weights import AGAIN, INDEX, WEIGHTS, Unfit, read_json, require_no_pointer, require_weights

ADAPTER = "adapter_config.json"
TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
SMALL = (SETTINGS, "special_tokens_map.json", "added_tokens.json", "generation_config.json")  # optional
# Without tokenizer.json transformers builds a tokenizer from PIECES, or from FOREIGN files by an extra package.
PIECES = (("vocab.json", "merges.txt"), ("vocab.txt",))
FOREIGN = {
    "tokenizer.model": "sentencepiece",
    "spiece.model": "sentencepiece",
    "sentencepiece.bpe.model": "sentencepiece",
    "tiktoken.model": "tiktoken",
    "tekken.json": "mistral_common",
}
DEFAULT = "default"  # of several named templates, the one for chats without tools


def read_checkpoint(folder: Path, causal: Mapping[str, str] | None, *, is_chat: bool) -> dict[str, Any]:
    """Return a checkpoint's config.json after checking everything that a contestant needs.

    causal: from arena.checkpoints.architecture.read_causal_classes. is_chat: the contestant is asked in chat format.

    Raises:
        Unfit: it cannot write replies; with the reason and the remedy.
    """
    try:
        _require_no_adapter(folder)
        if not (folder / "config.json").is_file():
            raise Unfit("holds no config.json, so it is not a checkpoint: correct the path")
        config = read_json(folder / "config.json")
        if reason := find_unfitness(config, causal):
            raise Unfit(reason)
        require_weights(folder, config)
        _require_tokenizer(folder)
        template = read_chat_template(folder)
    except OSError as error:
        raise Unfit(f"cannot be read ({error.filename}: {error.strerror}): correct its permissions") from None
    if is_chat and template is None:
        raise Unfit(
            "has no chat template, so it cannot be asked in the style chat: add chat_template.jinja, "
            "or ask it in the style few-shot"
        )
    return config


def read_chat_template(folder: Path) -> str | None:
    """Return the chat template from where transformers looks for it, or None if there is none.

    Template files take precedence over tokenizer_config.json, as in transformers; chat_template.json, which
    transformers reads only for models with images, comes last.

    Raises:
        Unfit: a file that may hold it is broken.
    """
    files = {file.stem: file for file in sorted((folder / "additional_chat_templates").glob("*.jinja"))}
    if (folder / "chat_template.jinja").is_file():
        files[DEFAULT] = folder / "chat_template.jinja"
    if files:
        return _read_template(files[DEFAULT]) if DEFAULT in files else None
    for name in (SETTINGS, "chat_template.json"):
        if (folder / name).is_file():
            template = read_json(folder / name).get("chat_template")
            if isinstance(template, list):
                template = {each.get("name"): each.get("template") for each in template if isinstance(each, dict)}
            if isinstance(template, dict):
                template = template.get(DEFAULT)
            if isinstance(template, str) and template.strip():
                return template
    return None


def _read_template(file: Path) -> str | None:
    require_no_pointer(file)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Unfit(f"has a {file.name} that is not UTF-8: {AGAIN}") from None
    return text if text.strip() else None


def _require_no_adapter(folder: Path) -> None:
    if not (folder / ADAPTER).is_file():
        return
    base = read_json(folder / ADAPTER).get("base_model_name_or_path")
    if (folder / WEIGHTS).is_file() or (folder / INDEX).is_file():
        raise Unfit(f"holds whole weights and an adapter beside them: move the adapter away ({ADAPTER}), or merge it")
    raise Unfit(
        f"is an adapter without its base ({base!r}): name the base as path and this folder as adapter, or merge it, "
        "with peft's AutoPeftModelForCausalLM.from_pretrained(FOLDER).merge_and_unload().save_pretrained(NEW), and "
        "copy the tokenizer"
    )


def _require_tokenizer(folder: Path) -> None:
    for name in SMALL:
        if (folder / name).is_file():
            read_json(folder / name)
    if (folder / TOKENIZER).is_file():
        _require_closed(folder / TOKENIZER)
        return
    pieces = next((names for names in PIECES if all((folder / name).is_file() for name in names)), ())
    foreign = next((name for name in FOREIGN if (folder / name).is_file()), None)
    for name in pieces or ([foreign] if foreign else []):
        require_no_pointer(folder / name)
    if not pieces and foreign is None:
        raise Unfit(f"holds no tokenizer ({TOKENIZER}): copy it from where the checkpoint was made, or from its parent")
    if not pieces and foreign and importlib.util.find_spec(FOREIGN[foreign]) is None:
        raise Unfit(
            f"holds its tokenizer as {foreign} only, which needs {FOREIGN[foreign]}: save it as {TOKENIZER} where that "
            "is installed, with transformers' AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )


def _require_closed(file: Path) -> None:
    """Check both ends of a JSON file, which may be tens of megabytes long."""
    require_no_pointer(file)
    with file.open("rb") as stream:
        first = stream.read(64)
        stream.seek(max(0, file.stat().st_size - 64))
        last = stream.read(64)
    if not (first.lstrip().startswith(b"{") and last.rstrip().endswith(b"}")):
        raise Unfit(f"has a {file.name} that is damaged or cut off: {AGAIN}")
