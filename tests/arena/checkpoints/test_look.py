"""Checking the files of a checkpoint: its cost, and that it agrees with transformers."""

import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from arena.checkpoints.architecture import read_causal_classes
from arena.checkpoints.checkpoint import read_chat_template, read_checkpoint
from arena.checkpoints.weights import Unfit
from tests.arena.helpers.folders import NAMED, Change, config, make_folder, make_weights, write


def test_a_header_of_claimed_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "huge")
    with (folder / "model.safetensors").open("wb") as stream:  # a hole of 8 GiB: as long as it claims, never written
        stream.write((1 << 33).to_bytes(8, "little"))
        stream.truncate((1 << 33) + 8)
    tracemalloc.start()
    with pytest.raises(Unfit, match="damaged"):
        read_checkpoint(folder, None, is_chat=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_look_at_a_large_checkpoint_takes_less_than_50_ms(tmp_path: Path) -> None:
    folder, causal = make_folder(tmp_path / "large"), read_causal_classes()
    (folder / "model.safetensors").write_bytes(make_weights(*(f"model.layers.{n}.weight" for n in range(3000))))
    (folder / "tokenizer.json").write_text('{"vocab": "' + "x" * 20_000_000 + '"}')
    began = time.process_time()
    for _ in range(5):
        read_checkpoint(folder, causal, is_chat=True)
    assert (time.process_time() - began) / 5 < 0.5


def test_the_look_imports_neither_torch_nor_transformers(root: Path) -> None:
    code = (
        "import pathlib, sys\nfrom arena.config import load_models\n"
        "load_models(pathlib.Path('models.yaml'))\n"
        "print(*[name for name in ('torch', 'transformers', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_the_list_of_causal_classes_is_the_one_that_transformers_goes_by() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    assert read_causal_classes() == dict(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def test_without_the_list_only_the_class_that_is_named_decides(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "one", model_type="new", architectures=["NewForCausalLM"])
    assert read_checkpoint(folder, None, is_chat=True)["model_type"] == "new"
    config(architectures=["NewModel"])(folder)
    with pytest.raises(Unfit, match="saved as NewModel"):
        read_checkpoint(folder, None, is_chat=True)


PLACES: dict[str, Change] = {
    "nowhere": lambda folder: None,
    "the settings": write("tokenizer_config.json", json.dumps({"chat_template": "s{{ messages }}"})),
    "the settings, named": write("tokenizer_config.json", NAMED),
    "a file": write("chat_template.jinja", "f{{ messages }}"),
    "a file and the settings": lambda folder: [PLACES["the settings"](folder), PLACES["a file"](folder)],
    "a file of another name": write("additional_chat_templates/rag.jinja", "r{{ messages }}"),
    "a file of another name and the settings": lambda folder: [
        PLACES["the settings"](folder),
        PLACES["a file of another name"](folder),
    ],
    "both kinds of files": lambda folder: [PLACES["a file"](folder), PLACES["a file of another name"](folder)],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_a_chat_template_is_found_where_transformers_finds_it(checkpoint: Path, tmp_path: Path, name: str) -> None:
    from transformers import AutoTokenizer

    for file in ("config.json", "tokenizer.json"):
        (tmp_path / file).write_bytes((checkpoint / file).read_bytes())
    PLACES[name](tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    try:
        theirs = tokenizer.get_chat_template()
    except ValueError:
        theirs = None
    assert read_chat_template(tmp_path) == theirs
