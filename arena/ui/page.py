"""The whole page, and the server that carries it.

The page is built here and served by app.py. The environment switches are set before gradio is imported anywhere:
nothing phones home, and per-event analytics stay short.
"""

import os
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "200"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)  # events between two summaries that nobody reads

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from arena.config import Models
from arena.host import Host
from arena.ui.battle_tab import BattleTab
from arena.ui.leaderboard_tab import LeaderboardTab
from arena.web import Gate, Policy, Visitors
from ratings.counts import read_ledger_votes
from ratings.elo import Ticker, elo

STYLE = Path(__file__).with_name("style.css")
TITLE = "Checkpoint arena"
FONTS = ["ui-sans-serif", "system-ui", "sans-serif"]  # the visitor's own: nothing to load, every weight there


def build_page(host: Host, models: Models, db: Path) -> gr.Blocks:
    """Lay out the tabs and wire them; db is read for the leaderboard."""
    stages = {contestant.name: contestant.stage for contestant in models.contestants}
    ticker = read_ticker(db)
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(f"<h1>{TITLE}</h1>", elem_id="title")
        with gr.Tab("Battle", elem_id="battle-tab"):
            battle = BattleTab(host, stages, ticker, tuple(ready.prompt for ready in models.ready_prompts))
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


def build_server(page: gr.Blocks, *, secret: str) -> FastAPI:
    """Mount the page behind the gate, the policy and the visitor cookie."""
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @server.get("/healthz")
    def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    gr.mount_gradio_app(
        server,
        page,
        path="/",
        run_history=False,
        footer_links=[],
        enable_monitoring=False,
        show_error=False,
        max_file_size=1,
        css_paths=STYLE,
        theme=gr.themes.Default(font=FONTS),
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
    )
    # The last one added is the outermost.
    server.add_middleware(Visitors, secret=secret)
    server.add_middleware(Policy)
    server.add_middleware(Gate)
    return server
