"""What each kind of server takes, and what its words mean: vLLM, llama.cpp, Ollama, and what hosts itself as OpenAI's.

A value that a request leaves out is filled in by the server (generation_config.json, top_k 40, a Modelfile), so every
value is sent that the dialect takes, also where it is ours by default.
"""

import re
from collections.abc import Mapping
from typing import Any

from arena.backends.base import Request
from arena.contestants import Dialect, FewShotStyle, Sampling, Style
from common.conversation import Conversation
from common.few_shot import few_shot_document

SEED_BITS = 31  # llama.cpp and Ollama take no more, and what is written in JavaScript takes 53

PLAIN = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens"}
KEYS: dict[Dialect, dict[str, str]] = {
    "vllm": PLAIN | {"top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repetition_penalty"},
    "llamacpp": PLAIN | {"top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repeat_penalty"},
    "ollama": PLAIN,
    "openai": PLAIN,
}
"""The keys of `sampling`, and what the dialect calls them."""

ALWAYS: dict[Dialect, dict[str, Any]] = {
    "vllm": {},
    "llamacpp": {
        "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],  # in the order of transformers
        "repeat_last_n": 2**15,  # the penalty looks at the whole context, as it does elsewhere; -1 is refused
        "cache_prompt": False,  # with the cache the same seed may write another reply
    },
    "ollama": {},
    "openai": {},
}
"""What a request holds besides, so that sampling means the same everywhere."""

STOP_TEXTS: dict[Dialect, int] = {"vllm": 4, "llamacpp": 0, "ollama": 0, "openai": 4}
"""How many stop texts are sent: the most that the API takes, or none. All are applied here in any case (draft.py).

llama.cpp and Ollama do not say whether the model or a stop text ended a reply. Without stop texts, hanging up at one
says so and ends their work as well. A hosted model does not say so either, but might go on writing, and charge for it.
"""

SNAPSHOT = re.compile(
    r"[-@:](?:\d[\d-]*|latest)"
)  # gpt-4o answers as gpt-4o-2024-08-06, Ollama's llama as llama:latest
TOO_LONG = re.compile(
    r"(?:exceed_)?context[ _](?:length|size|window)|maximum (?:model|context) length|max_model_len|prompt is too long",
    re.IGNORECASE,
)
"""How servers say that a prompt does not fit; OpenAI's code, llama.cpp's type and vLLM's sentences are among them."""


def path_of(style: Style) -> str:
    """Return where a style is asked: base models continue a document."""
    return "completions" if isinstance(style, FewShotStyle) else "chat/completions"


def question(conversation: Conversation, style: Style) -> dict[str, Any]:
    """Return the part of a request's body that holds what people and models said, and nothing of ours."""
    if isinstance(style, FewShotStyle):
        solved = [(shot.question, shot.answer) for shot in style.examples]
        return {"prompt": few_shot_document([*solved, *conversation.exchanges], conversation.prompt)}
    return {"messages": conversation.as_dicts()}


def settings(
    request: Request, model: str, dialect: Dialect, options: Mapping[str, Any], *, logprobs: bool = False
) -> dict[str, Any]:
    """Return all the rest of a request's body; an option that is None leaves out what would be sent."""
    wanted = {"logprobs": 1 if isinstance(request.style, FewShotStyle) else True} if logprobs else {}
    stop = list(request.style.stop[: STOP_TEXTS[dialect]])
    sent = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        **{key: getattr(request.sampling, own) for own, key in KEYS[dialect].items()},
        "seed": request.seed % 2**SEED_BITS,
        **({"stop": stop} if stop else {}),
        **ALWAYS[dialect],
        **wanted,
        **options,
    }
    return {key: value for key, value in sent.items() if value is not None}


def left_to_server(dialect: Dialect) -> list[str]:
    """Return the keys of `sampling` that the dialect does not take, so that the server's own values hold."""
    return sorted(key for key in _drawing_keys() if key not in KEYS[dialect])


def is_same_model(asked: str, answered: str, dialect: Dialect) -> bool:
    """Return whether the model that answered is the one asked for; llama.cpp may give its file with its folder."""
    if answered == asked or (dialect == "llamacpp" and answered.replace("\\", "/").rpartition("/")[2] == asked):
        return True
    is_alias = dialect in ("ollama", "openai") and answered.startswith(asked)
    return is_alias and SNAPSHOT.fullmatch(answered[len(asked) :]) is not None


def root_of(address: str) -> str:
    """Return a server's root, where what is not OpenAI's API stands: http://host:8000/v1 has /tokenize above /v1."""
    return address.removesuffix("/v1")


def _drawing_keys() -> list[str]:
    return [key for key in Sampling.model_fields if key not in ("max_seconds", "at_limit")]
