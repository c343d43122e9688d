"""The models.yaml of servers that run already: a contestant for each model, all of them asked alike.

A contestant is called as its model is, without what stands before the last slash. Where two would look alike, the whole
name is taken, then the server's address with it, so that the board tells which is which.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml

from arena.guard.identity import can_be_looked_for, fold_name
from arena.quick.servers import Server

LONGEST = 64  # characters of a contestant's name
SAMPLING = {"temperature": 0.7, "top_p": 0.95, "max_tokens": 512, "max_seconds": 120.0}
FAMILY = re.compile(r"([A-Za-z]{3,})[-_. ]?v?\d")  # Qwen of Qwen3-4B, gemma of gemma-3
COMMON = {"model", "server", "test", "version", "local", "checkpoint", "epoch", "step"}
READY = (
    "Explain to a ten-year-old why the sky is blue.",
    "Write a limerick about a cat who is late.",
    "A train leaves at 14:35 and needs 2 hours and 50 minutes. When does it arrive?",
    "What can I cook with rice, eggs and one onion?",
)


def write_models(servers: Sequence[Server], api_key_envs: Sequence[str | None]) -> str:
    """Return the text of a models.yaml with every model of the servers; the keys' variables are in the same order."""
    found = [(server, key, model) for server, key in zip(servers, api_key_envs, strict=True) for model in server.models]
    names = name_contestants([(model, server.address) for server, _, model in found])
    contestants = [_entry(name, server, key, model) for name, (server, key, model) in zip(names, found, strict=True)]
    tree = {"contestants": contestants, "ready_prompts": [{"prompt": prompt} for prompt in READY]}
    head = "# Written by python -m arena.quick. docs/contestants.md describes every key.\n"
    return head + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)


def _entry(name: str, server: Server, api_key_env: str | None, model: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": name,
        "stage": "served",
        "backend": "openai",
        "base_url": server.address,
        "model": model,
        "dialect": server.dialect,
    }
    if api_key_env:
        entry["api_key_env"] = api_key_env
    if words := [word for word in _words(model) if word != name]:
        entry["known_as"] = words
    return entry | {"sampling": dict(SAMPLING)}


def name_contestants(models: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each model and the address of its server; no two of them look alike."""
    choices = [_choices(model, address) for model, address in models]
    level = [0] * len(models)
    for _ in range(2):
        seen = Counter(fold_name(names[n]) for names, n in zip(choices, level, strict=True))
        for place, names in enumerate(choices):
            if seen[fold_name(names[level[place]])] > 1:
                level[place] += 1
    taken: set[str] = set()
    chosen = []
    for names, n in zip(choices, level, strict=True):
        name, number = names[n], 1
        while fold_name(name) in taken:
            number += 1
            name = f"{names[n][: LONGEST - 4]} {number}"
        taken.add(fold_name(name))
        chosen.append(name)
    return chosen


def _choices(model: str, address: str) -> tuple[str, str, str]:
    """Return names for a model, from the shortest to one with the server's address."""
    whole, place = _safe(model), _letters(urlsplit(address).netloc)
    return _safe(model.rsplit("/", 1)[-1]), whole, f"{whole[: LONGEST - 1 - len(place)]} {place}"[:LONGEST]


def _safe(text: str) -> str:
    """Return a text as a contestant's name, with a letter in it and a letter or digit in front."""
    name = _letters(text)[:LONGEST].strip()
    return name if name[:1].isalnum() and can_be_looked_for(name) else f"model {name}"[:LONGEST].strip()


def _letters(text: str) -> str:
    """Return a text with a space for each character that no contestant's name may have."""
    return " ".join("".join(c if _is_letter(c) or c in "_.:+-" else " " for c in text).split())


def _is_letter(character: str) -> bool:
    return unicodedata.category(character) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd")


def _words(model: str) -> list[str]:
    """Return the words that give a model away besides its contestant's name: its own name, and its family's."""
    own = model.rsplit("/", 1)[-1]
    family = FAMILY.match(own)
    words = [own, family[1] if family and family[1].lower() not in COMMON else ""]
    return [word for word in dict.fromkeys(words) if len(word) <= LONGEST and can_be_looked_for(word)]
