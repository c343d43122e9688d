"""Battles: who meets whom, what they say, what the voter chose.

    config.py        models.yaml -> validated contestants
    checkpoint.py    whether a folder's files make a checkpoint that can fight
    architecture.py  which checkpoints write text
    weights.py       whether weights are there and whole
    identity.py      whether a text says who a contestant is
    matchmaking.py   which two contestants meet, and on which side
    prompts.py       how a contestant is asked: chat format, or a few-shot document
    backends/        a stream of text and a final record, from transformers (or a scripted fake in tests)
    pace.py          both replies at one pace, so that speed does not tell who is who
    bench.py         contestants that failed, left out for a while
    limits.py        how often a visitor and a network address may start a battle
    battle.py        one battle as a state machine
    host.py          runs battles: draws, streams, stores, takes the vote
    schema.py        the ledger's tables and their migrations
    store.py         the ledger of battles and votes
    ledger_files.py  the ledger's files, watched for what befalls them from outside
    voters.py        python -m arena.voters: who votes how, and whose votes count
    guard.py         which prompts are let in
    render.py        replies, which are hostile, to safe HTML, whole or while they grow
    markdown.py      Markdown to the few tags that a reply may produce
    gate.py          what is let in: the table of routes, and what each event takes
    sessions.py      whose session it is, and how many events are too many
    web.py           the server around the page: what the browser may do, and who is asking
    site.py          where the page stands: below which path, behind which proxies, in whose frames
    options.py       the command line of app.py
    listening.py     the address that is listened on
    serving.py       the server, and its end within seconds
    connections.py   deadlines and places, so that half requests cost nobody anything
    stopping.py      the wish to stop, heard at every moment
    claim.py         one arena a ledger
    backup.py        python -m arena.backup: copies of a ledger in use, and putting one back
    logs.py          a log that does not grow by what is thrown at the server
    ui/              the Gradio page, one file a tab

It may import ratings, never training; gradio stays in ui/ and torch inside the backend that needs it.
"""
