"""What one engine serves: its contestants, the tokenizer that encodes their prompts, and what goes into their recipes.

The arena encodes prompts itself and sends the engine tokens. So what is too long, which texts are control tokens and
how few-shot documents are shortened is decided by the same code as for transformers, and both get the same tokens.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena.backends.base import BackendError
from arena.backends.local.engine import LOADING, UNBOUNDED
from arena.backends.local.loading import hash_text
from arena.backends.prompting import Asker, one_line
from arena.backends.vllm.command import name_models, write_command, write_environment
from arena.backends.vllm.python import Python, find_device, find_python
from arena.checkpoints.adapter import read_adapter, require_base
from arena.checkpoints.checkpoint import read_chat_template
from arena.checkpoints.weights import Unfit, read_json
from arena.contestants import ChatStyle, Style, VllmContestant
from common.weights import hash_weights


class Served:
    """Contestants of one engine. Everything that has to be read is read by `prepare`, once, in any thread."""

    def __init__(self, contestants: Sequence[VllmContestant]) -> None:
        self.contestants = tuple(contestants)
        self.names = name_models(contestants)
        self.identity: dict[str, Any] = {}
        self._first = contestants[0]
        self._python: Python
        self._asker: Asker | None = None
        self._chat_failure = ""
        self._adapters: dict[Path | None, str | None] = {}
        self._preparing = threading.Lock()

    @property
    def is_prepared(self) -> bool:
        """Return whether everything has been read."""
        return self._asker is not None

    def prepare(self) -> None:
        """Find vLLM, look at the adapters, and load the tokenizer.

        Raises:
            BackendError: one of these is not there, or unfit.
        """
        with self._preparing:
            if self.is_prepared:
                return
            try:
                self._prepare()
            except BackendError:
                raise
            except Exception as error:  # a checkpoint's own files may raise anything
                raise BackendError(f"{self._first.path} cannot be loaded: {one_line(error)}") from error

    def launch(self, port: int, key: str) -> tuple[list[str], dict[str, str]]:
        """Return the engine's command and environment; raises as prepare does."""
        self.prepare()
        return write_command(self.contestants, self._python, port), write_environment(os.environ, key)

    def asker(self, style: Style) -> Asker:
        """Return what encodes prompts in a style, once prepared.

        Raises:
            BackendError: the checkpoint cannot be asked in this style.
        """
        assert self._asker is not None
        if self._chat_failure and isinstance(style, ChatStyle):
            raise BackendError(self._chat_failure)
        return self._asker

    def identify(self, adapter: Path | None) -> dict[str, Any]:
        """Return what tells the weights behind a reply, and what computed it."""
        return {**self.identity, **({"adapter": self._adapters[adapter]} if adapter else {})}

    def _prepare(self) -> None:
        folder = Path(self._first.path)
        if not folder.is_dir():
            raise BackendError(f"{folder} is not a folder, and vLLM reads nothing else: write safetensors")
        self._python = find_python()
        for adapter in filter(None, self.names):
            try:
                require_base(read_adapter(adapter), folder, read_json(folder / "config.json"))
            except Unfit as error:
                raise BackendError(f"the adapter {adapter} {error}") from None
            self._adapters[adapter] = hash_weights(adapter)
        with LOADING:
            asker = load_asker(folder, self._first.context)
        try:
            asker.require_template()
        except BackendError as error:  # it may still be asked in the style few-shot
            self._chat_failure = f"{folder} cannot be asked in the style chat: {error}"
        self.identity = {
            "backend": "vllm",
            "weights": hash_weights(folder),
            "template": hash_text(asker.tokenizer.chat_template or ""),
            "versions": self._python.versions,
            "device": find_device(self._python),
            "engine": self._first.model_dump(mode="json", include={"dtype", "context", "devices", "options"}),
        }
        self._asker = asker


def load_asker(folder: Path, context: int | None) -> Asker:
    """Return the encoder of a checkpoint's prompts; context is the model's unless it is given."""
    import transformers

    source = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **source)
    tokenizer.chat_template = read_chat_template(folder)  # also where transformers does not look
    config = transformers.AutoConfig.from_pretrained(folder, **source).get_text_config()
    context = context or getattr(config, "max_position_embeddings", None) or UNBOUNDED
    return Asker(tokenizer, context=context, vocabulary=config.vocab_size)
