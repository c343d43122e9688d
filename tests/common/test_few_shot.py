"""The document by which a base model is asked."""

from common.few_shot import few_shot_document


def test_a_few_shot_document_is_its_examples_and_the_open_question() -> None:
    shots = [("Up?", "Down."), ("Hen?", "Cluck.")]
    assert few_shot_document(shots, "Hot?") == (
        "Question: Up?\nAnswer: Down.\n\nQuestion: Hen?\nAnswer: Cluck.\n\nQuestion: Hot?\nAnswer:"
    )
    assert few_shot_document(shots[1:], "Hot?") == "Question: Hen?\nAnswer: Cluck.\n\nQuestion: Hot?\nAnswer:"
    assert few_shot_document([], "Hot?") == "Question: Hot?\nAnswer:"
