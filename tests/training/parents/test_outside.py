"""Which models from outside a stage starts from, told by their files."""

import json
from pathlib import Path

import pytest

from common.weights import hash_weights
from tests.training.parents.conftest import MakeOutside
from training.parents.outside import find_outside, outside_recipe
from training.recipe import RecipeError
from training.runs.checkpoint import CheckpointError
from training.stages import SFT

HEADS = {"GPT2": "LMHeadModel"}


@pytest.mark.parametrize("kind", ["Llama", "GPT2", "Qwen2"])
def test_folder_of_others_is_found_with_its_shape_and_hash(make_outside: MakeOutside, kind: str) -> None:
    folder = make_outside(kind, HEADS.get(kind, "ForCausalLM"), positions=200)
    outside = find_outside(folder, SFT)
    assert outside is not None
    assert (outside.name, outside.weights, outside.revision) == (str(folder), hash_weights(folder), None)
    model = outside_recipe(None, [], outside).model
    assert (model.start, model.context, model.layers, model.hidden_size) == (str(folder), 200, 2, 32)


def test_checkpoint_made_here_is_none(make_checkpoint: MakeOutside) -> None:
    assert find_outside(make_checkpoint("base"), SFT) is None


def test_recipe_that_does_not_fit_the_context_of_the_model_is_refused(make_outside: MakeOutside) -> None:
    outside = find_outside(make_outside(positions=32), SFT)
    assert outside is not None
    with pytest.raises(RecipeError, match=r"max_reply_tokens \d+ leaves no room"):
        outside_recipe("nano", [], outside)


@pytest.mark.parametrize(
    ("kind", "head", "message"),
    [
        ("Bert", "ForMaskedLM", "BertForMaskedLM, which does not continue text"),
        ("Llama", "ForSequenceClassification", "is a reward model"),
        ("Llama", "Model", "LlamaModel, which does not continue text"),
    ],
)
def test_model_that_writes_no_text_is_refused(make_outside: MakeOutside, kind: str, head: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        find_outside(make_outside(kind, head), SFT)


def test_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no finished checkpoint and no model"):
        find_outside(tmp_path, SFT)


def test_adapter_says_how_it_is_merged(make_outside: MakeOutside) -> None:
    folder = make_outside()
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is an adapter: merge it into its base"):
        find_outside(folder, SFT)


def test_missing_part_is_named(make_outside: MakeOutside) -> None:
    folder = make_outside(shard="50KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    assert find_outside(folder, SFT) is not None
    parts[1].unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-\d+.safetensors is missing"):
        find_outside(folder, SFT)
    for part in parts:
        part.unlink(missing_ok=True)
    with pytest.raises(CheckpointError, match="holds no weights in safetensors"):
        find_outside(folder, SFT)


def test_broken_config_is_named(make_outside: MakeOutside) -> None:
    folder = make_outside()
    (folder / "config.json").write_text(json.dumps([]))
    with pytest.raises(CheckpointError, match=r"config\.json is no JSON object"):
        find_outside(folder, SFT)


def test_name_of_the_hub_is_downloaded_with_its_revision(
    make_outside: MakeOutside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = make_outside().rename(tmp_path / "0123abc")
    asked = {}

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.update(name=name, revision=revision, patterns=allow_patterns)
        return str(kept)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    outside = find_outside(Path("org/model@v1"), SFT)
    assert outside is not None
    assert (outside.name, outside.folder, outside.revision) == ("org/model@v1", kept, "0123abc")
    assert (asked["name"], asked["revision"]) == ("org/model", "v1")


@pytest.mark.parametrize("name", ["org/model", "gpt2"])
def test_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError("Got: ConnectError\nAn error happened")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(CheckpointError, match=rf"^{name}: no such folder, and the Hub gave no model .*ConnectError\)"):
        find_outside(Path(name), SFT)
