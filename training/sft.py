"""Supervised finetuning: the base model learns to answer in the chat format and to stop (TRL's SFTTrainer).

Only the reply and its end token carry loss; the prompt is context.
"""

import tempfile
from pathlib import Path

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from trl import SFTConfig, SFTTrainer

from training.checkpoint import Job, require_parent, write_stage
from training.data.checker import share_expected
from training.data.corpus import build_corpus
from training.data.world import Example
from training.sampling import ask, sample_replies
from training.tokenizer import CHAT_TEMPLATE, REPLY_END
from training.trainer import ProgressBar, common_arguments, train_quietly

MEASURED_PROMPTS = 128


def conversations(examples: list[Example]) -> Dataset:
    """Return examples as TRL's conversational prompt-completion rows."""
    return Dataset.from_list(
        [{"prompt": ask(e.prompt), "completion": [{"role": "assistant", "content": e.reply}]} for e in examples]
    )


def run_sft(job: Job) -> dict[str, float]:
    """Finetune the base model in job.parent; report the held-out loss (nats a token), correct and cut-off shares."""
    assert job.parent is not None
    require_parent(job.parent, ("base",))
    recipe, settings = job.recipe, job.recipe.sft
    tokenizer = AutoTokenizer.from_pretrained(job.parent)
    tokenizer.chat_template = CHAT_TEMPLATE
    model = AutoModelForCausalLM.from_pretrained(job.parent)
    corpus = build_corpus(recipe.data, recipe.seed)
    ends = [tokenizer.convert_tokens_to_ids(REPLY_END), tokenizer.eos_token_id]
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            **common_arguments(recipe, folder),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch,
            per_device_eval_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            max_length=recipe.model.context,
            completion_only_loss=True,
        )
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=conversations(corpus.examples),
            eval_dataset=conversations(corpus.heldout[:MEASURED_PROMPTS]),
            processing_class=tokenizer,
            callbacks=[ProgressBar("sft")],
        )
        train_quietly(trainer)
        loss = trainer.evaluate()["eval_loss"]
        tokens = int(trainer.state.num_input_tokens_seen)
    model.config.eos_token_id = ends[0]
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
    tokenizer.eos_token = REPLY_END
    heldout = {"loss": round(loss, 4), **measure_replies(model, tokenizer, corpus.heldout, job)}

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    write_stage(job, save, fingerprint=corpus.fingerprint, tokens=tokens, heldout=heldout)
    return heldout


def measure_replies(model, tokenizer, heldout: list[Example], job: Job) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Ask held-out prompts greedily; return the share of expected words found and the share of replies cut off."""
    asked = heldout[:MEASURED_PROMPTS]
    samples = sample_replies(
        model,
        tokenizer,
        [e.prompt for e in asked],
        max_reply_tokens=job.recipe.rl.max_reply_tokens,
        temperature=0.0,
    )
    found = [share_expected(e, s.text) for e, s in zip(asked, samples, strict=True)]
    return {
        "expected_words": round(sum(found) / len(found), 4),
        "cut_off": round(sum(not s.is_finished for s in samples) / len(samples), 4),
    }
