"""The text that checkpoints are made of, and what judges it.

The text itself, in files that can be read and edited:

    lexicon/    words with facts, names, rhymes      stories/   plots, each told by several skeletons
    families/   how prompts are asked and answered   forms/     letters, dialogues, poems, explanations
    pairs/      prompts and responses in full        asking.yaml, endings.yaml, games.yaml, heldout.yaml, titles.yaml

What composes it, by seed:

    reading.py     files, and errors that name file, line and cure     phrasing.py   sentences with slots
    lexicon.py     words and what is true of them                      scenes.py     who is where with what
    skeletons.py   stories and other forms                             passages.py   texts about several children
    problems.py    problems that know their answer, by family:         families.py   prompts and replies around them
                   word_problems.py, number_problems.py,               pools.py      the words they draw from
                   list_problems.py                                    games.py      games that only copying wins
    examples.py    a prompt and a good reply                           asking.py     how both stand in a text
    seasoning.py   what people wrote                                   outside.py    any other dataset instead
    corpus.py      documents, examples, and what is held out

    rubric.py        what synthetic voters look at, and their votes
    preferences.py   preference pairs as files: synthetic ones and the arena's
"""
