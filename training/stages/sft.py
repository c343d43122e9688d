"""Supervised finetuning: the base model learns to answer in the chat format and to stop (TRL's SFTTrainer).

Only the reply and its end token count in the loss; the prompt is context.
"""

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from datasets import Dataset
from transformers import GenerationConfig
from trl import SFTConfig, SFTTrainer

from training.data.corpus import Corpus
from training.data.documents.outside import open_chats
from training.data.rubric import Rubric
from training.data.world.examples import Example
from training.runs import distributed
from training.runs.arguments import learning_arguments, lora_config, saver, train_quietly, whole_model
from training.runs.batching import deal, rows_at_once
from training.runs.callbacks import ProgressBar
from training.runs.checkpoint import CheckpointError, require_parent, write_stage
from training.runs.generate import ask, sample_replies
from training.runs.job import Job
from training.runs.loading import load_language_model, load_tokenizer
from training.runs.resources import require_room
from training.runs.work import open_work
from training.stages.tokenizer import CHAT_TEMPLATE, REPLY_END

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

VALIDATED = 256
MEASURED_PER_TASK = 8


def conversations(examples: list[Example]) -> Dataset:
    """Return examples as TRL's conversational prompt-completion rows."""
    return Dataset.from_list(
        [{"prompt": ask(e.prompt), "completion": [{"role": "assistant", "content": e.reply}]} for e in examples]
    )


def run_sft(job: Job) -> dict[str, float]:
    """Finetune the base model in job.parent; report held-out loss (nats per token), right and cut-off shares."""
    assert job.parent is not None
    require_parent(job)
    recipe, settings = job.recipe, job.recipe.sft
    tokenizer = load_tokenizer(job.parent)
    if job.outside is None:
        tokenizer.chat_template = CHAT_TEMPLATE
    model = load_language_model(job.parent, to_train=True)
    require_vocabulary(model, len(tokenizer), job.parent, may_have_more=job.outside is not None)
    corpus = Corpus(recipe.data, recipe.seed)
    ends = _reply_ends(job, model, tokenizer)
    context = recipe.model.context
    batch_tokens = rows_at_once(settings) * context
    require_room(job, parameters=model.num_parameters(), batch_tokens=batch_tokens, vocabulary=len(tokenizer))
    examples = open_chats(recipe.data, recipe.data.examples) or corpus.examples()
    rng = Random(f"{recipe.seed}/deal")
    dealt = deal(examples, settings.batch, settings.epochs, rng, lambda e: len(e.prompt) + len(e.reply))
    steps = len(dealt) // settings.batch
    heldout = corpus.heldout()
    folder = open_work(job)
    arguments = SFTConfig(
        **learning_arguments(recipe, settings, folder, steps=steps),
        num_train_epochs=1,  # all epochs are among the dealt examples
        train_sampling_strategy="sequential",
        max_length=context,
        completion_only_loss=True,
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=conversations(dealt),
        eval_dataset=conversations(heldout[:: max(1, len(heldout) // VALIDATED)]),
        processing_class=tokenizer,
        peft_config=lora_config(settings.lora, "CAUSAL_LM"),
        callbacks=[ProgressBar("sft")],
    )
    history = train_quietly(trainer, job)
    loss = trainer.evaluate()["eval_loss"]
    tokens = int(trainer.state.num_input_tokens_seen)
    model = whole_model(trainer)
    if not distributed.is_first():
        return {}
    model.config.eos_token_id = ends[0]
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    asked = corpus.heldout(MEASURED_PER_TASK)
    figures = {"loss": round(loss, 4), **measure_replies(model, tokenizer, asked, corpus, recipe.rl.max_reply_tokens)}

    write_stage(
        job, saver(model, tokenizer), fingerprint=corpus.fingerprint, tokens=tokens, heldout=figures, history=history
    )
    return figures


def measure_replies(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    asked: list[Example],
    corpus: Corpus,
    max_reply_tokens: int,
) -> dict[str, float]:
    """Ask held-out prompts greedily; return the right share, the mean rubric score (of 100) and the cut-off share."""
    rubric = Rubric(corpus.tasks, corpus.vocabulary)
    samples = sample_replies(
        model, tokenizer, [e.prompt for e in asked], max_reply_tokens=max_reply_tokens, temperature=0.0
    )
    checked = [rubric.is_exact(e, s.text) for e, s in zip(asked, samples, strict=True) if e.answers]
    points = [rubric.mark(e, s.text, is_finished=s.is_finished).points for e, s in zip(asked, samples, strict=True)]
    return {
        "exact": round(sum(checked) / max(1, len(checked)), 4),
        "rubric": round(sum(points) / len(points), 2),
        "cut_off": round(sum(not s.is_finished for s in samples) / len(samples), 4),
    }


def _reply_ends(job: Job, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> list[int]:
    """Return the tokens that end a reply, first the one that the chat template writes."""
    if job.outside:
        return list(model.generation_config.eos_token_id)
    return [tokenizer.convert_tokens_to_ids(REPLY_END), tokenizer.eos_token_id]


def require_vocabulary(model: "PreTrainedModel", size: int, folder: Path, *, may_have_more: bool = False) -> None:
    """Refuse a model whose embeddings do not match its tokenizer; models of others may have spare ones.

    Raises:
        CheckpointError: their sizes differ.
    """
    rows = model.get_input_embeddings().num_embeddings
    if rows < size or (rows > size and not may_have_more):
        raise CheckpointError(
            f"{folder}: the model has {rows} tokens and its tokenizer {size}, so the two do not belong together: "
            "make it again"
        )
