"""Session ownership: answers go to the visitor who asked, and events are limited."""

from typing import Any

import httpx

from arena.server import sessions
from arena.server.gate import JOIN, STREAM
from tests.arena.helpers.talking import build_app, event, talk


async def join(client: httpx.AsyncClient, session: str) -> int:
    return (await client.post(JOIN, json=event(session_hash=session))).status_code


async def stream(client: httpx.AsyncClient, session: str) -> int:
    return (await client.get(STREAM, params={"session_hash": session})).status_code


def two_visitors(conversation: Any) -> Any:
    app = build_app()

    async def both(first: httpx.AsyncClient) -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://arena.test") as second:
            for client in (first, second):
                await client.get("/healthz")  # gets its cookie
            return await conversation(first, second)

    return talk(both, app=app)


def test_a_stream_goes_to_the_visitor_who_opened_the_session_and_to_nobody_else() -> None:
    async def conversation(first: httpx.AsyncClient, second: httpx.AsyncClient) -> list[int]:
        own = [await join(first, "s1"), await stream(first, "s1")]
        return [*own, await stream(second, "s1"), await join(second, "s1")]

    assert two_visitors(conversation) == [200, 200, 404, 404]


def test_an_unknown_session_is_not_found() -> None:
    async def conversation(client: httpx.AsyncClient) -> list[int]:
        await client.get("/")
        return [await stream(client, "s1"), await stream(client, ""), await stream(client, "../x")]

    assert talk(conversation) == [404, 404, 404]


def test_more_events_than_a_hand_can_click_are_turned_away_for_that_visitor_only() -> None:
    async def conversation(first: httpx.AsyncClient, second: httpx.AsyncClient) -> tuple[list[int], int]:
        return [await join(first, "s1") for _ in range(40)], await join(second, "s2")

    flood, other = two_visitors(conversation)
    assert set(flood) == {200, 429}
    assert flood[-1] == 429
    assert other == 200


def test_fresh_cookies_do_not_get_around_the_limit_of_the_address() -> None:
    async def flood(client: httpx.AsyncClient) -> list[int]:
        statuses = []
        for number in range(900):
            client.cookies.clear()
            await client.get("/")
            statuses.append(await join(client, f"s{number}"))
        return statuses

    assert 429 in talk(flood)


def test_old_sessions_are_forgotten(monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "KEPT_SESSIONS", 3)

    async def conversation(client: httpx.AsyncClient) -> list[int]:
        await client.get("/")
        for number in range(5):
            await join(client, f"s{number}")
        return [await stream(client, "s0"), await stream(client, "s4")]

    assert talk(conversation) == [404, 200]


def test_a_visitor_without_the_cookie_gets_a_message_and_no_reload_loop() -> None:
    async def conversation(client: httpx.AsyncClient) -> list[httpx.Response]:
        answers = []
        for path in (JOIN, STREAM, "/gradio_api/app_id"):
            client.cookies.clear()
            method, body = ("POST", event()) if path == JOIN else ("GET", None)
            answers.append(await client.request(method, path, json=body, params={"session_hash": "s1"}))
        return answers

    answers = talk(conversation)
    assert [answer.status_code for answer in answers] == [403, 403, 404]
    assert all("cookie" in answer.json()["detail"] for answer in answers)
