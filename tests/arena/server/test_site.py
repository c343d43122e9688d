"""The page behind proxies, under a path and in frames: which headers are trusted, and what the page then contains."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from arena.server.gate import JOIN, STREAM, Gate
from arena.server.policy import Policy
from arena.server.site import HOST, Origin, Site, SiteError, unmapped
from arena.server.visitors import Visitors
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.program import Program, arena_words, running, write_models
from tests.arena.helpers.proxied import Proxy, proxy_to
from tests.arena.helpers.served import Arena
from tests.arena.helpers.talking import EVENTS, event, talk
from tests.paths import ROOT

ONE = "203.0.113.5"  # a visitor, and a proxy
PROXY = "10.0.0.9"


async def page(request: Request) -> Response:
    return HTMLResponse(f'<script>config = {{"root":"{str(request.base_url)[:-1]}"}}</script>')


async def echo(request: Request) -> Response:
    seen = {"path": request.url.path, "scheme": request.url.scheme, "client": request.client and request.client.host}
    return JSONResponse(seen | {"headers": dict(request.headers)})


def build(site: Site, secret: str = "s3cret") -> Any:
    """Return an app that tells what reached it, behind what the real server puts before the page."""
    app = Starlette(routes=[Route("/", page), Route("/{path:path}", echo, methods=["GET", "POST"])])
    return Origin(Gate(Policy(Visitors(app, secret=secret, site=site), site=site), events=EVENTS), site=site)


def ask(
    site: Site, path: str = "/healthz", *, peer: str = PROXY, method: str = "GET", **options: Any
) -> httpx.Response:
    async def run(client: httpx.AsyncClient) -> httpx.Response:
        transport = httpx.ASGITransport(build(site), client=(peer, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://any.test") as asking:
            return await asking.request(method, path, **options)

    response: httpx.Response = talk(run)
    return response


FORWARDED = {"x-forwarded-for": f"198.51.100.1, {ONE}", "x-forwarded-proto": "https"}


def test_what_a_named_proxy_says_of_the_visitor_is_believed() -> None:
    seen = ask(Site(proxies=("10.0.0.0/8",)), headers=FORWARDED).json()
    assert (seen["client"], seen["scheme"]) == (ONE, "https")


@pytest.mark.parametrize("peer", [PROXY, "127.0.0.1", "::1"])
def test_nobody_else_is_believed_not_even_this_machine(peer: str) -> None:
    for site in (Site(), Site(proxies=("10.0.0.1",))):
        response = ask(site, peer=peer, headers=FORWARDED)
        assert (response.json()["client"], response.json()["scheme"]) == (peer, "http")
        assert not FORWARDED.keys() & response.json()["headers"].keys()
        assert "Secure" not in response.headers["set-cookie"]


def test_an_address_that_the_visitor_put_before_the_proxys_own_counts_for_nothing() -> None:
    seen = ask(Site(proxies=(PROXY,)), headers={"x-forwarded-for": f"1.1.1.1, 2.2.2.2, {ONE}, {PROXY}"}).json()
    assert seen["client"] == ONE


def test_an_ipv4_peer_on_an_ipv6_socket_is_the_same_proxy() -> None:
    assert ask(Site(proxies=(PROXY,)), peer=f"::ffff:{PROXY}", headers=FORWARDED).json()["client"] == ONE
    assert ask(Site(), peer=f"::ffff:{ONE}").json()["client"] == ONE
    assert [unmapped(text) for text in ("::1", "unix:", "::ffff:1.2.3.4")] == ["::1", "unix:", "1.2.3.4"]


LIES = {
    "host": "evil.example",
    "x-forwarded-host": "evil.example",
    "x-gradio-server": "http://evil.example",
    "forwarded": "host=evil.example",
    "x-forwarded-prefix": "/evil",
    "x-real-ip": "6.6.6.6",
}


@pytest.mark.parametrize("peer", [PROXY, ONE])
def test_no_header_of_a_request_says_where_the_page_is(peer: str) -> None:
    site = Site(proxies=(PROXY,))
    seen = ask(site, peer=peer, headers=LIES).text
    assert "evil" not in seen
    assert "6.6.6.6" not in seen
    assert "evil" not in ask(site, "/", peer=peer, headers=LIES).text


@pytest.mark.parametrize("path", ["/arena/healthz", "/healthz"], ids=["kept", "cut off"])
def test_a_path_below_the_root_path_is_found_whether_the_proxy_cuts_it_off_or_not(path: str) -> None:
    assert ask(Site(root_path="/arena"), path).json()["path"] == "/healthz"


@pytest.mark.parametrize("path", ["/arenas/healthz", "/other/arena/healthz", "/arena/arena/healthz", "/arena//"])
def test_other_paths_are_not_found(path: str) -> None:
    assert ask(Site(root_path="/arena"), path).status_code == 404


def test_the_root_path_itself_leads_to_the_page_below_it() -> None:
    response = ask(Site(root_path="/a/b"), "/a/b")
    assert (response.status_code, response.headers["location"]) == (308, "/a/b/")
    assert ask(Site(root_path="/a/b"), "/a/b/").status_code == 200


def test_the_page_says_its_root_as_a_path_of_whatever_host() -> None:
    assert '"root":"/arena"' in ask(Site(root_path="/arena"), "/").text
    assert '"root":"/arena"' in ask(Site(root_path="/arena", proxies=(PROXY,)), "/", headers=FORWARDED).text
    assert '"root":"/."' in ask(Site(), "/").text  # with a path put behind it: /./assets, which is /assets


def cookie(site: Site, **options: Any) -> list[str]:
    return [word.strip() for word in ask(site, **options).headers["set-cookie"].split(";")][1:]


def test_the_cookie_belongs_to_the_path_of_the_arena() -> None:
    assert "Path=/arena" in cookie(Site(root_path="/arena"))
    assert "Path=/" in cookie(Site())


def test_a_cookie_of_an_arena_above_it_on_the_same_host_does_not_hide_the_visitors_own() -> None:
    own, other = (
        talk(lambda client: client.get("/healthz"), app=build(Site(), secret)).headers["set-cookie"].split(";")[0]
        for secret in ("s3cret", "the other's")
    )
    for both in (f"{own}; {other}", f"{other}; {own}"):
        assert "set-cookie" not in ask(Site(), headers={"cookie": both}).headers
    assert "set-cookie" in ask(Site(), headers={"cookie": other}).headers


FRAMED = Site(proxies=(PROXY,), ancestors=("https://a.example", "https://*.b.example:8443"))


def policy_of(response: httpx.Response) -> dict[str, str]:
    parts = response.headers["content-security-policy"].split(";")
    return dict(part.strip().split(" ", 1) for part in parts)


def test_only_sites_that_were_named_may_frame_the_page() -> None:
    assert policy_of(ask(Site(), "/"))["frame-ancestors"] == "'self'"
    assert policy_of(ask(FRAMED, "/"))["frame-ancestors"] == "'self' https://a.example https://*.b.example:8443"
    assert policy_of(ask(FRAMED, "/"))["script-src"].startswith("'self' 'nonce-")


def test_a_cookie_goes_into_other_sites_frames_only_where_they_are_named_and_by_tls() -> None:
    assert {"SameSite=None", "Secure", "Partitioned"} <= set(cookie(FRAMED, headers=FORWARDED))
    assert {"SameSite=Lax"} == {w for w in cookie(FRAMED) if w.startswith(("SameSite", "Partitioned", "Secure"))}
    unframed = cookie(Site(proxies=(PROXY,)), headers=FORWARDED)
    assert {"SameSite=Lax", "Secure"} == {w for w in unframed if w.startswith(("SameSite", "Partitioned", "Secure"))}


@pytest.mark.parametrize(
    "wrong",
    [
        {"root_path": "arena"},
        {"root_path": "/arena/"},
        {"root_path": "/a//b"},
        {"root_path": "/../x"},
        {"root_path": "/a/."},
        {"root_path": "/a b"},
        {"root_path": "/a;b"},
        {"root_path": "/a\r\nx: y"},
        {"root_path": "https://a.example/arena"},
        {"root_path": '/"</script>'},
        {"proxies": ("*",)},
        {"proxies": ("proxy.example",)},
        {"proxies": ("10.0.0.1/8",)},
        {"proxies": ("",)},
        {"ancestors": ("*",)},
        {"ancestors": ("https:",)},
        {"ancestors": ("a.example",)},
        {"ancestors": ("https://a.example; script-src *",)},
        {"ancestors": ("https://a.example,https://b.example",)},
        {"ancestors": ("https://a.example/path",)},
        {"ancestors": ("https://a.example\r\nset-cookie: x=y",)},
        {"ancestors": ("https://a.example\n",)},
        {"ancestors": ("'none'",)},
        {"ancestors": ("javascript://a",)},
    ],
    ids=str,
)
def test_what_would_be_no_path_proxy_or_site_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SiteError) as raised:
        Site(**wrong)
    assert repr(next(iter(wrong.values()))).strip("(,)") in str(raised.value)


ORIGINS = ["null", "http://evil.example", "http://localhost:1234", "http://127.0.0.1:9"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_no_answer_lets_another_site_read_it(arena: Arena, origin: str) -> None:
    with httpx.Client(base_url=arena.url, headers={"origin": origin}) as client:
        answers = [
            client.get(path) for path in ("/", "/theme.css", "/healthz", "/gradio_api/app_id", "/nothing", STREAM)
        ]
        answers.append(client.post(JOIN, json=event()))
        answers.append(client.options(JOIN, headers={"access-control-request-method": "POST"}))
    assert answers[0].status_code == 200
    for answer in answers:
        assert [name for name in answer.headers if name.startswith(("access-control", "timing-allow"))] == []
    assert answers[0].headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_event_that_another_sites_page_sends_is_refused(arena: Arena, site: str) -> None:
    def send(fetch_site: str) -> int:
        with httpx.Client(base_url=arena.url) as client:
            client.get("/")
            return client.post(JOIN, json=event(), headers={"sec-fetch-site": fetch_site}).status_code

    assert send(site) == 403
    assert send("same-origin") != 403


def test_the_real_page_says_one_root_and_no_host(arena: Arena) -> None:
    text = httpx.get(arena.url, headers=LIES).text
    assert root_of(text) == "/."
    assert "evil" not in text
    assert HOST.decode() not in text
    assert arena.url not in text


def root_of(text: str) -> str:
    found = re.search(r"window\.gradio_config = (.*?);</script>", text, re.DOTALL)
    assert found
    return str(json.loads(found[1])["root"])


@pytest.fixture(scope="module")
def below(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Serve app.py below a path, behind proxies on this machine, for the frames of a site."""
    folder = tmp_path_factory.mktemp("below")
    models = write_models(folder / "models.yaml", checkpoint)
    more = ["--root-path", "/arena/", "--proxy", "127.0.0.1,10.0.0.0/8", "--frame-ancestors", "https://a.example"]
    words = arena_words(models, folder / "arena.db", *more)
    with running(ROOT, words, folder / "log") as program:
        yield program


@pytest.mark.slow
@pytest.mark.parametrize("is_path_kept", [True, False], ids=["kept", "cut off"])
def test_all_that_the_page_asks_for_lies_below_the_path(below: Program, is_path_kept: bool) -> None:
    with ExitStack() as opened:
        proxy: Proxy = opened.enter_context(
            proxy_to(below.port, path="/arena", is_path_kept=is_path_kept, scheme="https")
        )
        client = opened.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", timeout=PATIENCE))
        page = client.get("/arena/")
        words = {word.strip() for word in page.headers["set-cookie"].split(";")}
        assert {"Path=/arena", "Secure", "SameSite=None", "Partitioned"} <= words
        assert policy_of(page)["frame-ancestors"] == "'self' https://a.example"
        assert root_of(page.text) == "/arena"
        links = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.text)
        assert links
        own = {"cookie": page.headers["set-cookie"].split(";")[0]}
        for link in [*links, "theme.css", "gradio_api/app_id", "healthz"]:
            assert client.get(page.url.join(link), headers=own).status_code == 200
        root = root_of(page.text)
        session = {"session_hash": f"kept{is_path_kept}"}
        assert client.post(root + JOIN, json=event(data=["Hi!"], **session), headers=own).status_code == 200
        with client.stream("GET", root + STREAM, params=session, headers=own) as answers:
            assert any("process_completed" in line for line in answers.iter_lines())
        assert proxy.lost == []
    assert below.url.endswith("/arena")
