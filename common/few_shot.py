"""The prompt of a base model, which has no chat format: a document of questions and answers, the last left open."""

from collections.abc import Iterable


def few_shot_document(shots: Iterable[tuple[str, str]], prompt: str) -> str:
    """Return the shots, (question, answer) pairs, followed by the prompt as a question without an answer."""
    solved = [f"Question: {question}\nAnswer: {answer}" for question, answer in shots]
    return "\n\n".join([*solved, f"Question: {prompt}\nAnswer:"])
