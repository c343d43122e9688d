"""The entries of models.yaml, one class per kind of backend: how a contestant is asked, and what writes its replies.

To add a kind, write its class here, put it into AnyContestant, and give its backend a line in backends/opening.py.
"""

import ipaddress
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from arena.guard.identity import can_be_looked_for
from common.models_yaml import Entry

StopText = Annotated[str, StringConstraints(min_length=1)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]  # a key has small letters
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII)
PATH = re.compile(r"(?:/[\w.~%!$&'()*+,;=:@-]*)*", re.ASCII)
OWN_HEADERS = ("accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "te",
               "trailer", "transfer-encoding", "upgrade", "user-agent")  # fmt: skip


SECRET_OPTIONS = ("access_token", "api_key", "apikey", "auth", "authorization", "hf_token", "key", "password", "secret",
                  "token")  # fmt: skip


def _require_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, is_port = parts.hostname or "", parts.port != 0
        is_host = bool(ipaddress.IPv6Address(host) if "[" in parts.netloc else HOST_NAME.fullmatch(host))
        is_address = parts.scheme in ("http", "https") and is_host and is_port and bool(PATH.fullmatch(parts.path))
    except ValueError:
        is_address = False
    if not text.isascii():
        raise ValueError("write the address in ASCII, a host such as münchen.example as xn--mnchen-3ya.example")
    if not is_address or not text.isprintable():
        raise ValueError("write an address such as http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("write the address alone, and name the key's environment variable as api_key_env")
    return text.rstrip("/")


def _require_free(name: str) -> str:
    if name.lower() in OWN_HEADERS:
        raise ValueError(f"the arena writes the header {name} itself: leave it out")
    return name


def _require_no_key(options: dict[str, Any]) -> dict[str, Any]:
    for name in options:
        if name.lower().replace("-", "_") in SECRET_OPTIONS:
            raise ValueError("a key does not belong into options, which go into the ledger: name its variable instead")
    return options


def _require_json(options: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(options, allow_nan=False)
    except ValueError:
        raise ValueError("JSON has no NaN and no infinity: write a number") from None
    return options


HttpUrl = Annotated[str, AfterValidator(_require_address)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$"), AfterValidator(_require_free)]
Options = Annotated[dict[str, JsonValue], AfterValidator(_require_no_key), AfterValidator(_require_json)]
Tokens = Annotated[int, Field(gt=0, le=10**8, strict=True)]


class Section(BaseModel):
    """A part of models.yaml, in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(Section):
    """How tokens are drawn, and when a reply that does not end by itself is ended.

    temperature: 0 is greedy. top_k: 0 draws from all tokens. min_p: the least share of the likeliest token's
    probability (Nguyen et al. 2024, arXiv:2407.01082). repetition_penalty: 1 is none (Keskar et al. 2019,
    arXiv:1909.05858). max_tokens: a reply is cut after that many. max_seconds: from the request on, waiting included.
    at_limit: at max_seconds a reply is cut, or voids its battle.
    """

    temperature: float = Field(default=0.8, ge=0, le=5, strict=True)
    top_p: float = Field(default=0.95, gt=0, le=1, strict=True)
    top_k: int = Field(default=0, ge=0, le=10**8, strict=True)
    min_p: float = Field(default=0.0, ge=0, le=1, strict=True)
    repetition_penalty: float = Field(default=1.0, gt=0, le=10, strict=True)
    max_tokens: Tokens = 96
    max_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False, strict=True)
    at_limit: Literal["cut", "void"] = "cut"


class ChatStyle(Section):
    """Ask by the chat template of the checkpoint's tokenizer."""

    style: Literal["chat"]
    stop: tuple[StopText, ...] = ()


class Shot(Section):
    """One example in a few-shot document."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class FewShotStyle(Section):
    """Ask a base model, which has no chat format: a short document of questions and answers, the last left open.

    stop: texts that end a reply, so that the model does not go on to write the next question itself.
    """

    style: Literal["few-shot"]
    examples: tuple[Shot, ...] = Field(min_length=1)
    stop: tuple[StopText, ...] = ("\n\n", "\nQuestion:")


Style = ChatStyle | FewShotStyle


def _require_shown(text: str) -> str:
    if not text.isprintable():
        raise ValueError("write it without line breaks and characters that cannot be seen")
    return text


Shown = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_require_shown)]


def _require_findable(word: str) -> str:
    if not can_be_looked_for(word):
        raise ValueError("write a word with a letter and at least two letters or digits")
    return word


class Contestant(Entry):
    """What every contestant has.

    known_as: words that identify it besides its name, such as those for its model, its maker or a sibling.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Shown
    tags: tuple[Shown, ...] = ()
    known_as: tuple[Annotated[str, StringConstraints(max_length=64), AfterValidator(_require_findable)], ...] = ()
    prompt: Annotated[Style, Field(discriminator="style")] = ChatStyle(style="chat")
    system: str = Field(default="", max_length=4000)
    sampling: Sampling = Sampling()

    @model_validator(mode="after")
    def _system_is_for_chats(self) -> Self:
        if self.system and not isinstance(self.prompt, ChatStyle):
            raise ValueError("system is a message of a chat: write it into the examples, or ask in the style chat")
        return self


class CheckpointContestant(Contestant):
    """Weights that an engine of this arena loads.

    path: a folder, a GGUF file, or a name on the Hub, there at `revision`; folders and files are absolute after
    loading. adapter: the folder of a LoRA adapter of it. prompt has no default, so that no base model is asked in
    a chat format by mistake.
    """

    path: str = Field(min_length=1)
    revision: str | None = None
    adapter: Path | None = None
    prompt: Annotated[Style, Field(discriminator="style")]
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"


class TransformersContestant(CheckpointContestant):
    """A checkpoint, loaded by transformers in this process."""

    backend: Literal["transformers"] = "transformers"
    quantization: Literal["int8", "nf4"] | None = None


ARENA_SETS = {
    "model": "path",
    "revision": "revision",
    "dtype": "dtype",
    "max-model-len": "context",
    "kv-cache-memory-bytes": "memory",
    "tensor-parallel-size": "devices",
    **dict.fromkeys(("enable-lora", "lora-modules", "max-loras", "max-lora-rank"), "adapter"),
    **dict.fromkeys(("served-model-name", "generation-config", "host", "port", "uds", "api-key", "root-path"), ""),
}
"""vLLM's options that come from other keys of a contestant (those), or from the arena ("")."""


class VllmContestant(CheckpointContestant):
    """A checkpoint in a folder or on the Hub, served by a vLLM beside the arena; contestants of one path share it.

    context: tokens of prompt and reply together, by default the model's. memory: GB of key-value cache, beside the
    weights; by default 4 on a CPU, and on a GPU what vLLM takes. devices: GPUs that share each layer (tensor
    parallelism). options: more of vLLM's own command-line options, such as {"enforce-eager": true}.
    """

    backend: Literal["vllm"]
    context: Tokens | None = None
    memory: float | None = Field(default=None, gt=0, strict=True)
    devices: int = Field(default=1, gt=0, le=1024, strict=True)
    options: dict[OptionName, str | int | float | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _vllm_takes_it(self) -> Self:
        if self.sampling.temperature > HOTTEST["vllm"]:
            raise ValueError(f"vLLM takes a temperature of at most {HOTTEST['vllm']:g}: lower it")
        for name in self.options:
            if (key := ARENA_SETS.get(name)) is not None:
                raise ValueError(
                    f"the arena sets vLLM's option {name} itself: {f'write {key}' if key else 'leave it out'}"
                )
        _require_no_key(self.options)
        return self


Dialect = Literal["vllm", "llamacpp", "ollama", "openai"]
NOT_TAKEN: dict[Dialect, tuple[str, ...]] = {
    "vllm": (),
    "llamacpp": (),
    "ollama": ("top_k", "min_p", "repetition_penalty"),
    "openai": ("top_k", "min_p", "repetition_penalty"),
}
"""Keys of `sampling` that a dialect's API does not take: the server's own values hold."""

HOTTEST: dict[Dialect, float] = {"vllm": 2.0, "openai": 2.0}
"""The highest temperature that a dialect takes, where it has one."""


class OpenAIContestant(Contestant):
    """A model behind one endpoint or several that speak OpenAI's API.

    model: its name there. dialect: whose server it is, as they differ in what they take and say. api_key_env: the
    environment variable that holds the key. headers_env: more headers, each with the variable that holds its value.
    context: tokens of prompt and reply together, by default what the server says. token_seconds: the longest wait for
    the first token, and from each to the next. logprobs: record the log-probability of each token. options: more of the
    request's body, such as {"reasoning_effort": "low"}; null leaves out what would be sent.
    """

    backend: Literal["openai"]
    base_url: tuple[HttpUrl, ...] = Field(min_length=1)
    model: str = Field(min_length=1)
    dialect: Dialect
    api_key_env: EnvironmentName | None = None
    headers_env: dict[HeaderName, EnvironmentName] = Field(default_factory=dict)
    context: Tokens | None = None
    token_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False, strict=True)
    logprobs: bool = Field(default=False, strict=True)
    options: Options = Field(default_factory=dict)

    @field_validator("base_url", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sampling_is_taken(self) -> Self:
        """Refuse sampling that the server would leave out without a word."""
        for key in NOT_TAKEN[self.dialect]:
            if getattr(self.sampling, key) != Sampling.model_fields[key].default:
                raise ValueError(f"the API of dialect {self.dialect} takes no {key}: leave it out of sampling")
        hottest = HOTTEST.get(self.dialect)
        if hottest is not None and self.sampling.temperature > hottest:
            raise ValueError(f"dialect {self.dialect} takes a temperature of at most {hottest:g}: lower it")
        if owned := sorted({"logprobs", "model", "messages", "prompt", "stream", "n"} & self.options.keys()):
            raise ValueError(f"{owned[0]} is written by the arena: leave it out of options")
        return self


class ScriptedContestant(Contestant):
    """A contestant without a model: it writes one of its replies, chosen by the seed. To try the page, and in tests."""

    backend: Literal["scripted"]
    replies: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(min_length=1)


def names_of(contestants: Iterable[Contestant]) -> tuple[str, ...]:
    """Return every word that identifies a contestant, each once: names, known_as, and served names."""
    words = (word for each in contestants for word in (each.name, *each.known_as, *served_names(each)))
    return tuple(dict.fromkeys(words))


def served_names(contestant: Contestant) -> tuple[str, ...]:
    """Return what an endpoint or the Hub calls a model, unless it is a plain word such as "model"."""
    served = contestant.model if isinstance(contestant, OpenAIContestant) else ""
    if isinstance(contestant, CheckpointContestant) and contestant.revision and not Path(contestant.path).is_absolute():
        served = contestant.path
    own = served.rpartition("/")[2]
    return (own,) if re.search(r"[\d._:-]", own) else ()


def backend(contestant: Any) -> Any:
    """Return the kind of backend of an entry."""
    return (
        contestant.get("backend", "transformers")
        if isinstance(contestant, dict)
        else getattr(contestant, "backend", None)
    )


AnyContestant = Annotated[
    Annotated[TransformersContestant, Tag("transformers")]
    | Annotated[VllmContestant, Tag("vllm")]
    | Annotated[OpenAIContestant, Tag("openai")]
    | Annotated[ScriptedContestant, Tag("scripted")],
    Discriminator(backend),
]
TAGS: tuple[str, ...] = tuple(get_args(kind)[1].tag for kind in get_args(get_args(AnyContestant)[0]))
"""The kinds of backend, as models.yaml calls them."""
