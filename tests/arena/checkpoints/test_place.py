"""What a path of models.yaml is, and what is said when it is nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from arena.checkpoints.place import place
from arena.checkpoints.weights import Unfit
from arena.config import load_models
from common.models_yaml import ModelsError
from tests.arena.helpers.adapters import make_adapter, make_gguf
from tests.arena.helpers.folders import make_folder

NAME, COMMIT = "maker/model", "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache of the Hub, which is out of reach."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def put_into(cache: Path, revision: str = "main") -> Path:
    """Put a model into a cache of the Hub, in its layout."""
    model = cache / "models--maker--model"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / revision).write_text(COMMIT)
    return make_folder(model / "snapshots" / COMMIT)


def test_folders_and_files_are_looked_for_beside_models_yaml(tmp_path: Path) -> None:
    make_folder(tmp_path / "models" / "one")
    file = make_gguf(tmp_path / "models" / "m.gguf")
    assert place("models/one", tmp_path) == tmp_path / "models" / "one"
    assert place("models/m.gguf", tmp_path) == file
    assert place(str(file), Path("/")) == file


def test_a_name_on_the_hub_is_taken_from_its_local_cache(hub: Path, tmp_path: Path) -> None:
    folder = put_into(hub)
    assert place(NAME, tmp_path, "main") == folder
    assert place(NAME, tmp_path, COMMIT) == folder


def test_a_name_that_is_not_cached_says_what_to_do_without_a_network(hub: Path, tmp_path: Path) -> None:
    cure = f"connect to the network for the first start, or fetch it elsewhere .hf download {NAME} --revision main."
    with pytest.raises(Unfit, match=f"not in the Hub's local cache, and fetching it failed .*: {cure}"):
        place(NAME, tmp_path, "main")


def test_a_cached_model_without_its_weights_is_not_taken(hub: Path, tmp_path: Path) -> None:
    (put_into(hub) / "model.safetensors").unlink()
    with pytest.raises(Unfit, match=r"not whole in the Hub's local cache: it holds no weights .* Connect"):
        place(NAME, tmp_path, "main")


def test_what_is_fetched_holds_no_pickles_and_no_code(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fnmatch

    import huggingface_hub

    asked: dict[str, Any] = {}

    def fetch(name: str, **options: Any) -> str:
        if options.get("local_files_only"):
            raise FileNotFoundError
        asked.update(options)
        return str(make_folder(tmp_path / "fetched"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert place(NAME, tmp_path, COMMIT) == tmp_path / "fetched"
    assert asked["revision"] == COMMIT
    wanted = ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "tokenizer.model"]
    unwanted = ["pytorch_model.bin", "modeling_x.py", "model.pt", "tf_model.h5"]
    matches = [any(fnmatch.fnmatch(name, pattern) for pattern in asked["allow_patterns"]) for name in wanted + unwanted]
    assert matches == [True] * len(wanted) + [False] * len(unwanted)


def test_a_name_needs_a_revision_and_a_folder_has_none(tmp_path: Path) -> None:
    make_folder(tmp_path / "one")
    with pytest.raises(Unfit, match="needs its revision too"):
        place(NAME, tmp_path)
    with pytest.raises(Unfit, match="is here, so it has no revision 'main'"):
        place("one", tmp_path, "main")
    for path in ("one two", "a/b/c", "https://example.org/a"):
        with pytest.raises(Unfit, match="is no name on the Hub"):
            place(path, tmp_path, "main")


def models(folder: Path, **keys: Any) -> Path:
    few_shot = {"style": "few-shot", "examples": [{"question": "Up?", "answer": "Down."}]}
    entries = [{"name": name, "stage": "sft", "prompt": few_shot} | keys for name in ("elm", "oak")]
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump({"contestants": entries}), encoding="utf-8")
    return file


def test_a_file_of_contestants_names_the_key_that_is_wrong(tmp_path: Path, checkpoint: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", checkpoint)
    loaded = load_models(models(tmp_path, path=str(checkpoint), adapter="adapter"))
    assert loaded.contestants[0].adapter == adapter  # type: ignore[union-attr]
    make_gguf(tmp_path / "m.gguf", "abacus")
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8")) | {"quantization_config": {"x": 1}}
    cases: dict[str, dict[str, Any]] = {
        r"elm: path 'm\.gguf' is a GGUF file of the architecture 'abacus'": {"path": "m.gguf"},
        r"elm: adapter 'none' holds no adapter_config\.json": {"path": str(checkpoint), "adapter": "none"},
        r"elm: path 'quantized' is quantized already": {"path": "quantized", "quantization": "int8"},
    }
    quantized = make_folder(tmp_path / "quantized")
    (quantized / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for message, keys in cases.items():
        with pytest.raises(ModelsError, match=message):
            load_models(models(tmp_path, **keys))
