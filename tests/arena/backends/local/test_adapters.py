"""Contestants with adapters of one base share its memory and its batches, and each writes what its adapter writes."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.backends.base import BackendError
from arena.backends.local import TransformersBackend
from tests.arena.backends.asked import ask, read, replies, run
from tests.arena.helpers.adapters import make_adapter

pytestmark = pytest.mark.slow

GREEDY = {"temperature": 0.0, "max_tokens": 16}


@pytest.fixture(scope="module")
def adapters(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return make_adapter(folder / "one", checkpoint, seed=1), make_adapter(folder / "two", checkpoint, seed=2, rank=8)


@pytest.fixture
def base(checkpoint: Path) -> Iterator[TransformersBackend]:
    made = TransformersBackend(checkpoint)
    yield made
    made.close()


def write_alone(checkpoint: Path, adapter: Path | None, prompt: str) -> list[int]:
    """Return the tokens that transformers and peft write by themselves."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True)
    model = (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
    )
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        whole = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16)
    written: list[int] = whole[0, ids.shape[1] :].tolist()
    return written


def test_each_row_of_a_shared_batch_writes_what_its_adapter_alone_writes(
    base: TransformersBackend, adapters: tuple[Path, Path], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.backends.local import engine

    monkeypatch.setattr(engine, "GATHER_SECONDS", 0.3)
    views = [base, base.for_adapter(adapters[0]), base.for_adapter(adapters[1]), base]
    prompts = ["What is hot?", "What is hot?", "Who is Mia? " * 3, "Why?"]

    async def together() -> list[str]:
        for view in views:
            await view.load()
        asked = (read(view, ask(prompt, **GREEDY)) for view, prompt in zip(views, prompts, strict=True))  # type: ignore[arg-type]
        return [reply.text for _, reply in await asyncio.gather(*asked)]

    sizes: list[int] = []
    run(base.load())
    write = base._engine.writer.write
    monkeypatch.setattr(base._engine.writer, "write", lambda rows: (sizes.append(len(rows)), write(rows)))
    texts = run(together())
    assert sizes == [4]
    decode = base._engine.asker.tokenizer.decode
    for text, prompt, adapter in zip(texts, prompts, (None, *adapters, None), strict=True):
        expected = decode(write_alone(checkpoint, adapter, prompt), skip_special_tokens=True)
        assert text == expected.strip().rstrip("\ufffd").rstrip()
    assert len({texts[0], texts[1], *[replies(views[2], ask("What is hot?", **GREEDY))[0].text]}) == 3


def test_the_recipe_tells_base_and_adapter(base: TransformersBackend, adapters: tuple[Path, Path]) -> None:
    recipes = [
        replies(view, ask(max_tokens=1))[0].recipe for view in (base, *(base.for_adapter(each) for each in adapters))
    ]
    assert len({recipe["weights"] for recipe in recipes}) == 1
    assert "adapter" not in recipes[0]
    assert recipes[1]["adapter"] != recipes[2]["adapter"]
    assert set(recipes[1]["versions"]) == {"transformers", "torch", "peft"}


def test_an_adapter_that_fails_when_it_is_first_needed_writes_nothing_as_the_base(
    checkpoint: Path, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    lazy = TransformersBackend(checkpoint, preload=False)
    bad = lazy.for_adapter(tmp_path / "none")
    good = lazy.for_adapter(adapters[0])

    async def all_at_once() -> list[object]:
        asked = (read(view, ask()) for view in (bad, good, lazy))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    failed, *written = run(all_at_once())
    assert isinstance(failed, BackendError)
    assert len({reply.text for _, reply in written}) == 2
    lazy.close()


def test_an_adapter_asked_for_twice_is_loaded_once(base: TransformersBackend, adapters: tuple[Path, Path]) -> None:
    assert base.for_adapter(adapters[0])._voice is base.for_adapter(adapters[0])._voice


def test_an_adapter_of_another_base_fails_alone(
    base: TransformersBackend, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    for file in adapters[0].iterdir():
        (stranger / file.name).write_bytes(file.read_bytes())
    config = json.loads((stranger / "adapter_config.json").read_text(encoding="utf-8"))
    (stranger / "adapter_config.json").write_text(json.dumps(config | {"target_modules": ["q_proj"]}), encoding="utf-8")
    good, bad, none = (base.for_adapter(each) for each in (adapters[1], stranger, tmp_path / "none"))
    for view, reason in ((bad, "name different modules"), (none, "not an adapter")):
        with pytest.raises(BackendError, match=reason):
            run(view.load())
        assert reason in view.failure
        assert not view.is_loading
    assert replies(good, ask())[0].tokens > 0
    assert replies(base, ask())[0].tokens > 0
