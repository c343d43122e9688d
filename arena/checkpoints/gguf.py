"""Whether a GGUF file holds a model that transformers can load, by its metadata, before any weights are read.

GGUF is llama.cpp's format, one file with weights, tokenizer and chat template
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). transformers writes its weights out in full, for the
architectures that it has a mapping for; the lists are read from its source without importing it, as in architecture.py.
"""

import ast
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.checkpoints.weights import AGAIN, Unfit, require_no_pointer

MAGIC = b"GGUF"
LIST = "GGUF_CONFIG_MAPPING"
ELSEWHERE = "let llama.cpp's server load it (backend: openai, dialect: llamacpp), or take another"


def read_gguf(file: Path, causal: Mapping[str, str] | None, *, is_chat: bool) -> dict[str, Any]:
    """Return a GGUF file's model type and context length under config.json's names, after checking it.

    causal: from arena.checkpoints.architecture.read_causal_classes. is_chat: the contestant is asked in chat format.

    Raises:
        Unfit: it cannot write replies here; with the reason and the remedy.
    """
    values = _read_metadata(file)
    architecture = values.get("general.architecture")
    if not isinstance(architecture, str):
        raise Unfit(f"is a GGUF file that names no architecture: {AGAIN}")
    known = read_gguf_types(causal)
    model_type = known.get(_fold(architecture)) if known is not None else architecture
    if model_type is None:
        raise Unfit(
            f"is a GGUF file of the architecture {architecture!r}, which transformers cannot load from one: {ELSEWHERE}"
        )
    if "tokenizer.ggml.model" not in values:
        raise Unfit("is a GGUF file without a tokenizer: take one made by llama.cpp's convert_hf_to_gguf.py")
    if is_chat and not values.get("tokenizer.chat_template"):
        raise Unfit("has no chat template, so it cannot be asked in the style chat: ask it in the style few-shot")
    return {"model_type": model_type, "max_position_embeddings": values.get(f"{architecture}.context_length")}


def read_gguf_types(causal: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return transformers' model type for each architecture (folded) that it loads from GGUF and that writes text.

    None if transformers' source does not show it.
    """
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return None
    names: list[object] = []
    try:
        source = (Path(spec.origin).parent / "integrations" / "ggml.py").read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == LIST
                and isinstance(node.value, ast.Dict)
            ):
                names = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
    except (OSError, ValueError, SyntaxError):
        return None
    if not names:
        return None
    return {_fold(name): name for name in names if isinstance(name, str) and (causal is None or name in causal)}


def _fold(architecture: str) -> str:
    """Return a name as both spell it: llama.cpp's qwen2moe and gpt-oss are transformers' qwen2_moe and gpt_oss."""
    return architecture.replace("_", "").replace("-", "")


def _read_metadata(file: Path) -> dict[str, Any]:
    require_no_pointer(file)
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise Unfit("is not a folder, nor a GGUF file: correct the path")
    from gguf import GGUFReader

    try:
        fields = GGUFReader(file).fields
        wanted = ("general.architecture", "tokenizer.ggml.model", "tokenizer.chat_template")
        return {
            name: field.contents()
            for name, field in fields.items()
            if name in wanted or name.endswith(".context_length")
        }
    except Exception:  # the reader trusts the file, so a damaged one fails anywhere within it
        raise Unfit(
            f"is a GGUF file that is damaged or cut off ({file.stat().st_size} bytes are there): {AGAIN}"
        ) from None
