"""llama.cpp's own HTTP server in a process of its own, which ends with whoever started it.

    python -m tests.arena.backends.openai.llamacpp FILE.gguf NAME

It says its address in one line and serves until its standard input is closed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.paths import ROOT

SLOTS = 2
CONTEXT = 1024  # of each slot


@contextmanager
def serving(gguf: Path, name: str = "smollm2") -> Iterator[str]:
    """Serve a GGUF file under a name; yield the address of its API. At the end it is killed, whatever it does."""
    command = [sys.executable, "-m", "tests.arena.backends.openai.llamacpp", str(gguf), name]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            if not address.startswith("http://127.0.0.1:"):
                log.seek(0)
                raise RuntimeError(f"llama.cpp did not start: {log.read()[-2000:]}")
            yield f"{address}/v1"
        finally:
            process.kill()


def serve(gguf: str, name: str) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = gguf
    parameters.model_alias = {name}
    parameters.port = 0
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT
    parameters.cpuparams.n_threads = 1  # several spin while they wait for one that has no core
    parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(*sys.argv[1:])
