"""The whole page, and the web application around it; app.py serves it.

The environment variables are set before gradio is imported: no telemetry, and short lists of per-event analytics.
"""

import os
from functools import partial
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "200"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)  # events between two summaries, which are not used

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from markupsafe import Markup

from arena.config import Models
from arena.server.gate import Event, Gate
from arena.server.policy import Policy
from arena.server.sessions import Sessions
from arena.server.site import PLAIN, Origin, Site
from arena.server.visitors import Visitors
from arena.service import Service
from arena.ui.battle_tab import BattleTab
from arena.ui.head import SCRIPT, STYLE, TITLE, write_head
from arena.ui.leaderboard_tab import LeaderboardTab
from arena.ui.theme import make_theme
from ratings.fit.elo import Ticker, elo
from ratings.ledger.reader import read_ledger_votes

SCRIPTS = ("connection.js",)  # beside this file


def build_page(service: Service, models: Models, db: Path) -> gr.Blocks:
    """Lay out the tabs and wire them; db is read for the leaderboard."""
    stages = {contestant.name: contestant.stage for contestant in models.contestants}
    ticker = read_ticker(db)
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(Markup("<h1>{}</h1>").format(TITLE), elem_id="title")
        with gr.Tab("Battle", elem_id="battle-tab"):
            battle = BattleTab(service, stages, ticker, tuple(ready.prompt for ready in models.ready_prompts))
        with gr.Tab("Leaderboard", elem_id="leaderboard-tab") as tab:
            board = LeaderboardTab(db, tuple(stages), ticker)
        shown = [board.board, board.plot]
        tab.select(board.refresh, None, shown, show_progress="hidden", api_visibility="private")
        battle.wire_resume(page)
    page.max_threads = 200
    page.state_session_capacity = 300
    page.queue(api_open=False, default_concurrency_limit=None, max_size=200)
    return page


def read_ticker(db: Path) -> Ticker:
    """Return Elo after the votes in the ledger so far."""
    votes = read_ledger_votes(db)
    return Ticker(dict(zip(votes.models, elo(votes).tolist(), strict=True)))


def events_of(page: gr.Blocks) -> dict[int, Event]:
    """Return the page's events by Gradio's number, with the maximum length of each input."""
    return {
        number: Event(str(event.name), tuple(box.max_length for box in event.inputs))
        for number, event in page.fns.items()
        if event.fn is not None
    }


def _scripts() -> str:
    # Gradio runs this once the page is built; it would add a script in `head` without the nonce that the policy needs.
    texts = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "() => {" + "\n".join(texts) + "}"


def build_server(page: gr.Blocks, service: Service, *, secret: str, site: Site = PLAIN) -> FastAPI:
    """Mount the page behind the middleware: origin, gate, policy, visitor cookie and sessions."""
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @server.get("/healthz")
    async def healthz() -> JSONResponse:
        health = await service.health()
        return JSONResponse(health, status_code=200 if health["status"] == "ok" else 503)

    gr.mount_gradio_app(
        server,
        page,
        path="/",
        run_history=False,
        footer_links=[],
        enable_monitoring=False,
        show_error=False,
        max_file_size=1,
        js=_scripts(),
        theme=make_theme(),
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
    )
    head = partial(write_head, style=STYLE.read_text(encoding="utf-8"), script=SCRIPT.read_text(encoding="utf-8"))
    # The last one added is the outermost.
    server.add_middleware(Sessions)
    server.add_middleware(Visitors, secret=secret, site=site)
    server.add_middleware(Policy, site=site, rewrite=head)
    server.add_middleware(Gate, events=events_of(page))
    server.add_middleware(Origin, site=site)
    return server
