"""Battles between endpoints: every one has a defined end, and the ledger holds no key."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from arena.battle import Battle, State
from arena.ledger.store import Store
from arena.service import Service
from tests.arena.backends.openai.scripts import (
    DONE,
    END,
    KEY,
    contestant,
    error,
    event,
    finish,
    head,
    open_backend,
    playing,
    reply,
    response,
    run,
    sent,
    token,
)

pytestmark = pytest.mark.usefixtures("short_rests")

WELL = reply("Cold", ".")
VOID = {
    "wrong key": (response(401, f'{{"error": "{KEY}"}}'), "refused the key (HTTP 401): see BIRCH_KEY"),
    "wrong model": (error(404, message=KEY), "knows no model 'birch-1'"),
    "down": (error(503, message=KEY), "answered HTTP 503"),
    "slow": ([5.0], "sent no token for 0.3 s"),
    "lying": ([head(), token("Hot", model="oak"), finish(), END], "answered as another model"),
    "echoing the key": ([head(), token(KEY), finish(), DONE, END], "sent its own key back: see BIRCH_KEY"),
    "echoing it in parts": ([head(), token(KEY[:9]), token(KEY[9:]), finish(), END], "sent its own key back"),
    "echoing it as its name": ([head(), token("Hot", model=f"x {KEY}"), finish(), END], "sent its own key back"),
    "half": ([head(), token("Hot"), sent(f": {KEY}\n"), b"zz"], "broke off"),
    "an error in the end": ([head(), token("Hot"), event(error={"message": KEY}), END], "sent an error"),
}


@pytest.fixture
def fields() -> dict[str, Any]:
    return {"api_key_env": "BIRCH_KEY", "environment": {"BIRCH_KEY": KEY}}


def everything_in(store: Store) -> Iterator[bytes]:
    """Yield the ledger's files, with what has not been moved into the main one yet."""
    for path in store.path.parent.glob(f"{store.path.name}*"):
        yield path.read_bytes()


async def fight(store: Store, addresses: tuple[str, str], fields: dict[str, Any]) -> tuple[Battle, Service]:
    names = ("alder", "birch")
    given = {name: field for name, field in fields.items() if name != "environment"}
    service = Service(
        tuple(contestant(address, name=name, **given) for name, address in zip(names, addresses, strict=True)),
        {name: open_backend(address, name=name, **fields) for name, address in zip(names, addresses, strict=True)},
        store,
        rng=random.Random(4),
        is_paced=False,
    )
    battle = await service.start("ann", "What is hot?")
    await settle_battle(battle)
    return battle, service


async def settle_battle(battle: Battle) -> None:
    while battle.state is State.GENERATING:
        await asyncio.sleep(0.02)


def test_two_endpoints_fight_and_the_ledger_tells_who_wrote_but_no_key(store: Store, fields: dict[str, Any]) -> None:
    async def test() -> None:
        async with playing(reply("Hot")) as one, playing(WELL) as other:
            battle, _ = await fight(store, (one.address, other.address), fields)
            assert battle.state is State.READY
            assert {each.text for each in battle.replies.values()} == {"Hot", "Cold."}
            await asyncio.sleep(0.1)  # until the ledger has it
            whole = b"".join(everything_in(store))
            assert one.address.encode() in whole
            assert KEY.encode() not in whole

    run(test())


@pytest.mark.parametrize("name", VOID)
def test_one_that_fails_voids_its_battle_and_is_benched(
    store: Store, fields: dict[str, Any], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    script, reason = VOID[name]

    async def test() -> None:
        async with playing(WELL) as one, playing(script) as other:
            battle, service = await fight(store, (one.address, other.address), fields)
            assert battle.state is State.VOID
            assert reason in battle.void_reason
            assert list(service.bench.absent()) == ["birch"]
            await asyncio.sleep(0.1)  # until the ledger has it
            assert KEY.encode() not in b"".join(everything_in(store))
            assert KEY not in caplog.text

    with caplog.at_level("INFO"):
        run(test())
