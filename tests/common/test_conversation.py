"""Conversations: who speaks when, and what can be asked of one."""

import pytest

from common.conversation import Conversation, Message


def test_a_prompt_begins_a_conversation_after_the_systems_message() -> None:
    assert Conversation.ask("Why?").messages == (Message("user", "Why?"),)
    talk = Conversation.ask("Why?", "Be brief.")
    assert (talk.system, talk.prompt, talk.turns) == ("Be brief.", "Why?", (Message("user", "Why?"),))
    assert talk.as_dicts() == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]


def test_a_conversation_goes_on_after_a_reply() -> None:
    talk = Conversation.ask("Why?", "Be brief.").then("So.", "How?")
    assert talk.prompt == "How?"
    assert talk.exchanges == (("Why?", "So."),)
    assert talk == Conversation.of(["Why?", "How?"], ["So."], "Be brief.")
    whole = Conversation.of(["Why?", "How?"], ["So.", "Thus."])
    assert whole.messages[-1] == Message("assistant", "Thus.")
    assert whole.exchanges == (("Why?", "So."), ("How?", "Thus."))


@pytest.mark.parametrize("roles", [(), ("assistant",), ("user", "user"), ("system",), ("user", "system")])
def test_nobody_speaks_out_of_turn(roles: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="take turns"):
        Conversation(tuple(Message(role, "x") for role in roles))  # type: ignore[arg-type]
