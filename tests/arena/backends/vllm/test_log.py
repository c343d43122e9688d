"""An engine's log stays small, and says why the engine ended."""

from pathlib import Path

import pytest

from arena.backends.vllm import log as module
from arena.backends.vllm.log import EngineLog

NOT_ENOUGH = "Available memory on node 0 is less than requested memory for kv (200.0 GiB)."
WORKER = "(Worker pid=7) ERROR 11-28 16:55:23 [multiproc_executor.py:1063]"
FAILED = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"


def reason(path: Path, *lines: str) -> str:
    log = EngineLog(path / "engine.log", "secret")
    for line in lines:
        log.write(f"{line}\n".encode())
    log.close()
    return log.find_reason()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((f"{WORKER} ValueError: {NOT_ENOUGH}", f"RuntimeError: Worker failed with error '{NOT_ENOUGH}'"), NOT_ENOUGH),
        ((FAILED, "vLLM ended with status 1"), "vLLM ended with status 1"),
        (("(APIServer pid=1) WARNING 11-28 16:54:23 [a.py:2] OSError: no limit", "vLLM ended with status -9"), "-9"),
        (("torch.OutOfMemoryError: CUDA out of memory.",), "OutOfMemoryError: CUDA out of memory."),
        (
            ("pydantic_core._pydantic_core.ValidationError: 1 validation error", "  Value error, too long [x"),
            "too long",
        ),
        (("usage: api_server.py [-h]", "api_server.py: error: unrecognized arguments: --x"), "arguments: --x"),
        (("INFO all is well",), "vLLM was killed"),
    ],
)
def test_the_first_error_is_the_reason(tmp_path: Path, lines: tuple[str, ...], why: str) -> None:
    assert why in reason(tmp_path, *lines)


def test_a_reason_is_one_short_line_that_no_terminal_obeys(tmp_path: Path) -> None:
    said = reason(tmp_path, "ValueError: \x1b[2J\x07 a\tb" + "x" * 5000)
    assert said.isprintable()
    assert len(said) < 500


def test_the_reason_is_that_of_the_last_start(tmp_path: Path) -> None:
    log = EngineLog(tmp_path / "engine.log", "secret")
    log.write(b"ValueError: of before\n")
    log.begin()
    log.write(b"ValueError: of now\n")
    assert log.find_reason() == "ValueError: of now"
    log.close()


def test_the_file_stays_small_and_holds_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES", 2000)
    path = tmp_path / "new" / "engine.log"
    log = EngineLog(path, "secret")
    for number in range(200):
        log.write(b"line %d with the secret key 100%% \xff\n" % number)
    log.close()
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["engine.log", "engine.log.1"]
    assert all(file.stat().st_size <= 2000 for file in files)
    texts = "".join(file.read_text(encoding="utf-8") for file in files)
    assert "secret" not in texts
    assert "line 199 with the *** key 100% \ufffd" in texts


def test_a_full_disk_stops_no_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full.log").symlink_to("/dev/full")
    log = EngineLog(tmp_path / "full.log", "secret")
    log.write(b"ValueError: lost\n")
    assert log.find_reason() == "ValueError: lost"
    log.close()
    assert capsys.readouterr() == ("", "")
