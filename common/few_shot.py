"""How a base model, which has no chat format, is asked: by a document of questions and answers, the last left open."""

from collections.abc import Iterable


def few_shot_document(shots: Iterable[tuple[str, str]], prompt: str) -> str:
    """Return solved questions, as (question, answer), and then the prompt's own without its answer."""
    solved = [f"Question: {question}\nAnswer: {answer}" for question, answer in shots]
    return "\n\n".join([*solved, f"Question: {prompt}\nAnswer:"])
