"""The transformers backend on a real checkpoint: its replies, their batches, and their records."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.backends.base import Reply, Request
from arena.backends.local import TransformersBackend
from arena.backends.local import engine as module
from arena.backends.opening import open_backends
from arena.contestants import ChatStyle, Sampling, TransformersContestant
from common.conversation import Conversation
from tests.arena.backends.asked import CHAT, FEW_SHOT, ask, copy_checkpoint, read, replies, run
from tests.arena.helpers.played import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def force(backend: TransformersBackend, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | list[int]], list[int]]:
    """Return a function that makes the model write this text, or these tokens, and returns the tokens."""
    from arena.backends.local import sampling

    run(backend.load())

    def write(text: str | list[int]) -> list[int]:
        is_text = isinstance(text, str)
        tokens: list[int] = (
            backend._engine.asker.tokenizer(text, add_special_tokens=False)["input_ids"] if is_text else text
        )

        class Forced(sampling.RowSampler):
            step = -1

            def __call__(self, input_ids: Any, scores: Any) -> Any:
                self.step += 1
                scores[:] = float("-inf")
                scores[:, tokens[self.step]] = 0.0
                return scores

        monkeypatch.setattr(sampling, "RowSampler", Forced)
        return tokens

    return write


def test_the_same_seed_writes_the_same_text_alone_and_in_a_batch_of_nine(
    backend: TransformersBackend, calls: list[int]
) -> None:
    request = ask(seed=42)
    [alone] = replies(backend, request)
    others = [
        ask("Why? " * n, seed=n, temperature=0.3 * n, top_p=1 - n / 20, max_tokens=4 * n, style=(CHAT, FEW_SHOT)[n % 2])
        for n in range(1, 9)
    ]
    together = replies(backend, *others[:4], request, *others[4:])
    assert calls == [1, 9]
    assert (together[4].text, together[4].tokens, together[4].finish) == (alone.text, alone.tokens, alone.finish)
    assert len(alone.text) > 10


def test_different_seeds_write_different_texts(backend: TransformersBackend) -> None:
    texts = {reply.text for reply in replies(backend, *(ask(seed=seed) for seed in range(8)))}
    assert len(texts) == 8


@pytest.mark.parametrize("style", [CHAT, FEW_SHOT], ids=["chat", "few-shot"])
def test_temperature_0_writes_what_transformers_own_greedy_search_writes(
    backend: TransformersBackend, checkpoint: Path, style: Any
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.stages.tokenizer import CHAT_TEMPLATE

    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    model = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True).eval()
    document = {
        "chat": "<|user|>What is hot?<|end|><|assistant|>",
        "few-shot": "Question: Up?\nAnswer: Down.\n\nQuestion: What is hot?\nAnswer:",
    }[style.style]
    ids = tokenizer(document, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        whole = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
    written = whole[0, ids.shape[1] :]
    expected = tokenizer.decode(written, skip_special_tokens=True).strip().rstrip("\ufffd").rstrip()
    # In company, so that the padding of a batch is tried too.
    found = replies(backend, ask(style=style, temperature=0.0, seed=9), ask("Longer. " * 9, style=style, seed=2))[0]
    assert (found.text, found.tokens, found.prompt_tokens) == (expected, len(written), ids.shape[1])


def test_requests_that_arrive_together_share_one_generate(backend: TransformersBackend, calls: list[int]) -> None:
    replies(backend, *(ask(seed=seed) for seed in range(6)))
    assert calls == [6]


def test_requests_that_together_would_overrun_the_context_do_not_share_a_batch(
    backend: TransformersBackend, calls: list[int]
) -> None:
    context = backend._engine.writer.model.config.max_position_embeddings
    long_prompt, long_reply = ask("Up? " * 20, max_tokens=2), ask("Up?", max_tokens=context - 30)
    written = replies(backend, long_prompt, long_reply, ask("Up?", max_tokens=2))
    assert written[0].prompt_tokens + long_reply.sampling.max_tokens > context
    assert sorted(calls) == [1, 2]


def test_more_requests_than_a_batch_holds_are_all_answered(
    backend: TransformersBackend, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 4)
    assert len(replies(backend, *(ask(seed=seed, max_tokens=3) for seed in range(10)))) == 10
    assert calls == [4, 4, 2]


@pytest.mark.parametrize("max_tokens", [1, 7])
def test_a_reply_is_cut_at_max_tokens_and_says_so(
    backend: TransformersBackend, force: Callable[[str | list[int]], list[int]], max_tokens: int
) -> None:
    tokens = force("The opposite of hot is cold. The opposite of hot is cold.")
    assert len(tokens) > 7
    [reply] = replies(backend, ask(max_tokens=max_tokens))
    assert (reply.finish, reply.tokens) == ("length", max_tokens)
    assert reply.text == backend._engine.asker.tokenizer.decode(tokens[:max_tokens]).strip()


@pytest.mark.parametrize("end", ["<|end|>", "<|endoftext|>"])
def test_an_end_token_ends_the_reply_and_is_not_shown(
    backend: TransformersBackend, force: Callable[[str | list[int]], list[int]], end: str
) -> None:
    tokens = force(f"  Cold. {end}More.")
    deltas, reply = run(read(backend, ask()))
    assert (reply.text, reply.finish) == ("Cold.", "end")
    assert reply.tokens == tokens.index(backend._engine.asker.tokenizer.convert_tokens_to_ids(end)) + 1
    assert "".join(deltas).rstrip() == "Cold."


def test_a_stop_text_ends_the_reply_and_no_part_of_it_is_ever_shown(
    backend: TransformersBackend, force: Callable[[str | list[int]], list[int]]
) -> None:
    force(" Cold.\nQuest is a word.\nQuestion: And up?\nAnswer: Down.")
    deltas, reply = run(read(backend, ask(style=FEW_SHOT, max_tokens=60)))
    assert (reply.text, reply.finish) == ("Cold.\nQuest is a word.", "stop")
    assert reply.text.startswith("".join(deltas))
    assert len(deltas) > 3


def test_letters_of_several_bytes_are_shown_whole_or_not_at_all(
    backend: TransformersBackend, force: Callable[[str | list[int]], list[int]]
) -> None:
    text = "caf\u00e9 costs 5 \u20ac \U0001f414 \u65e5\u672c"
    tokens = force(text + "<|end|>")
    assert len(tokens) > len(text) + 5  # a token a byte: each of these letters does come in pieces
    deltas, reply = run(read(backend, ask(max_tokens=60)))
    assert reply.text == "".join(deltas) == text
    assert not any("\ufffd" in delta for delta in deltas)


def test_bytes_that_are_no_text_become_replacement_characters_and_break_nothing(
    backend: TransformersBackend, force: Callable[[str | list[int]], list[int]]
) -> None:
    first, *_ = force("\u20ac")
    tokens = force([first, *force("bc"), first, first, *force("d<|end|>")])
    deltas, reply = run(read(backend, ask()))
    assert reply.text == "".join(deltas) == backend._engine.asker.tokenizer.decode(tokens, skip_special_tokens=True)
    assert "\ufffdbc\ufffd" in reply.text


def test_what_was_streamed_is_the_beginning_of_the_reply(backend: TransformersBackend) -> None:
    async def together() -> list[tuple[list[str], Reply]]:
        requests = [ask(seed=seed, temperature=1.5, style=(CHAT, FEW_SHOT)[seed % 2]) for seed in range(24)]
        return list(await asyncio.gather(*(read(backend, request) for request in requests)))

    for deltas, reply in run(together()):
        assert reply.text.startswith("".join(deltas).rstrip())
        assert reply.text == reply.text.strip()


def test_a_reader_that_leaves_frees_its_row(
    backend: TransformersBackend, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    has_left, steps, take = threading.Event(), [], backend._engine.writer._take

    def taking(rows: Any, tokens: Any) -> None:
        steps.append(1)
        take(rows, tokens)
        if rows[0].shown:
            assert has_left.wait(PATIENCE)

    monkeypatch.setattr(backend._engine.writer, "_take", taking)

    async def leave_early() -> None:
        stream = backend.stream(ask(max_tokens=200, seed=3))
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        has_left.set()

    run(leave_early())
    # The next request is served only when the worker has left the first one.
    [reply] = replies(backend, ask(max_tokens=2))
    assert reply.tokens <= 2
    assert len(steps) < 60
    assert calls == [1, 1]


def test_a_reader_that_leaves_does_not_disturb_the_others(backend: TransformersBackend, calls: list[int]) -> None:
    [alone] = replies(backend, ask(seed=5, max_tokens=40))

    async def one_leaves() -> Reply:
        async def leave() -> None:
            stream = backend.stream(ask(seed=6, max_tokens=100))
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]

        (_, reply), _ = await asyncio.gather(read(backend, ask(seed=5, max_tokens=40)), leave())
        return reply

    assert run(one_leaves()).text == alone.text
    assert calls == [1, 2]


def test_a_reply_can_be_made_again_from_its_recipe(backend: TransformersBackend, checkpoint: Path) -> None:
    [reply] = replies(backend, ask(seed=2**62 + 1, temperature=1.1, top_p=0.9))
    recipe = reply.recipe
    request = Request(
        Conversation.ask("What is hot?"), ChatStyle(**recipe["prompt"]), Sampling(**recipe["sampling"]), recipe["seed"]
    )
    other = TransformersBackend(checkpoint)
    [again] = replies(other, request)
    other.close()
    assert (again.text, again.recipe) == (reply.text, recipe)
    assert recipe["weights"].startswith("sha256:")
    assert set(recipe["versions"]) == {"transformers", "torch"}
    assert recipe["sampling"]["max_seconds"] == 60.0


def test_different_weights_have_different_hashes(checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1e-3
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(checkpoint, local_files_only=True).save_pretrained(tmp_path)
    one, other = TransformersBackend(checkpoint), TransformersBackend(tmp_path)
    hashes = {replies(each, ask(max_tokens=1))[0].recipe["weights"] for each in (one, other)}
    one.close()
    other.close()
    assert len(hashes) == 2


def test_the_record_counts_tokens_and_seconds(backend: TransformersBackend) -> None:
    [reply] = replies(backend, ask(max_tokens=5))
    assert reply.prompt_tokens == len(backend._engine.asker.encode(Conversation.ask("What is hot?"), CHAT, 5))
    assert 1 <= reply.tokens <= 5
    assert 0 < reply.first_seconds <= reply.seconds < PATIENCE


def test_contestants_that_share_weights_share_the_model(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    contestants = tuple(
        TransformersContestant(name=name, stage="base", path=str(path), prompt=style)
        for name, path, style in (("one", checkpoint, CHAT), ("two", checkpoint, FEW_SHOT), ("three", tmp_path, CHAT))
    )
    backends = open_backends(contestants)
    assert backends["one"] is backends["two"]
    assert backends["one"] is not backends["three"]
    for each in set(backends.values()):
        each.close()
