"""Battles: who meets whom, what they say, what the voter chose.

    config.py        models.yaml -> validated contestants
    matchmaking.py   which two contestants meet, and on which side
    prompts.py       how a contestant is asked: chat format, or a few-shot document
    backends/        a stream of text and a final record, from transformers (or a scripted fake in tests)
    battle.py        one battle as a state machine
    host.py          runs battles: draws, streams, stores, takes the vote
    store.py         the ledger of battles and votes; all SQL of the arena
    guard.py         which prompts are let in
    render.py        replies, which are hostile, to safe HTML
    web.py           the server around the page: routes let through, policy, visitor cookie
    ui/              the Gradio page, one file a tab

It may import ratings, never training; gradio stays in ui/ and torch inside the backend that needs it.
"""
