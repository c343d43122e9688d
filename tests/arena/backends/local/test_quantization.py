"""Weights in 8 and 4 bits write sensible text, and what cannot be quantized says so."""

import re
from pathlib import Path

import pytest

from arena.backends.base import BackendError
from arena.backends.local import TransformersBackend, quantization
from arena.backends.local.quantization import quantized
from tests.arena.backends.asked import ask, replies, run
from tests.arena.helpers.adapters import make_adapter
from tests.paths import ROOT

pytestmark = pytest.mark.slow

MODEL = ROOT / "checkpoints" / "demo" / "sft"
PROMPT = "What is the opposite of hot?"


@pytest.mark.parametrize(("kind", "share", "same_words"), [("int8", 0.5, 3), ("nf4", 0.4, 0)])
def test_quantized_weights_are_smaller_and_write_much_the_same(kind: str, share: float, same_words: int) -> None:
    full, small = TransformersBackend(MODEL), TransformersBackend(MODEL, quantization=kind)
    [wanted], [found] = (replies(each, ask(PROMPT, temperature=0.0, max_tokens=8)) for each in (full, small))
    assert found.text.split()[:same_words] == wanted.text.split()[:same_words]
    assert re.match(r"[A-Z][a-z]+\W+[a-z]+\W+[a-z]+", found.text, re.IGNORECASE)
    assert found.recipe["quantization"] == kind
    assert "bitsandbytes" in found.recipe["versions"]
    assert "quantization" not in wanted.recipe
    sizes = [each._engine.writer.model.get_memory_footprint() for each in (full, small)]
    assert sizes[1] < share * sizes[0]
    full.close()
    small.close()


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_a_quantized_reply_depends_on_its_seed_and_not_on_its_company(kind: str) -> None:
    backend = TransformersBackend(MODEL, quantization=kind)
    [alone] = replies(backend, ask(PROMPT, seed=4))
    together = replies(backend, *(ask(PROMPT * n, seed=n) for n in (1, 2, 3)), ask(PROMPT, seed=4))
    assert together[3].text == alone.text
    backend.close()


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization.importlib.util, "find_spec", lambda name: None)
    import torch

    with pytest.raises(BackendError, match=r"pip install -r requirements-quantization\.txt"):
        quantized("int8", torch.float32)


def test_kernels_that_fail_on_this_machine_are_a_reason_that_names_the_kind(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def forward(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 needs 16 rows")

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", forward)
    backend = TransformersBackend(checkpoint, quantization="int8")
    with pytest.raises(BackendError, match=r"int8 does not work for its shapes on this machine \(mat1 needs 16 rows\)"):
        run(backend.load())
    backend.close()


def test_beside_int8_an_adapter_leaves_its_base_as_it_was_and_beside_nf4_on_a_cpu_it_is_refused(tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", MODEL)
    for kind in ("int8", "nf4"):
        backend = TransformersBackend(MODEL, quantization=kind)
        [before] = replies(backend, ask(PROMPT, temperature=0.0, max_tokens=8))
        tuned = backend.for_adapter(adapter)
        if kind == "int8":
            [other] = replies(tuned, ask(PROMPT, temperature=0.0, max_tokens=8))
            assert other.text != before.text
        else:
            with pytest.raises(BackendError, match="nf4 on a CPU: take quantization: int8"):
                run(tuned.load())
        [after] = replies(backend, ask(PROMPT, temperature=0.0, max_tokens=8))
        assert after.text == before.text
        backend.close()
