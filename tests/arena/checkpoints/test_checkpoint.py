"""A checkpoint that cannot write replies is refused at the start, by name, from its files alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from arena.config import load_models
from common.models_yaml import ModelsError
from tests.arena.helpers.folders import (
    NAMED,
    TEMPLATE,
    Change,
    config,
    cut,
    make_folder,
    make_weights,
    remove,
    shards,
    write,
)

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 135000000\n"
FEW_SHOT = {"style": "few-shot", "examples": [{"question": "Up?", "answer": "Down."}]}


UNFIT: dict[str, tuple[Change, list[str]]] = {
    "no config.json": (remove("config.json"), ["holds no config.json", "correct the path"]),
    "config.json that is no JSON": (write("config.json", "{"), ["config.json that is not JSON", "download it again"]),
    "config.json that is a list": (write("config.json", "[1]"), ["config.json that holds a list"]),
    "config.json that nests without end": (write("config.json", "[" * 100_000), ["config.json that is not JSON"]),
    "config.json as a pointer": (write("config.json", POINTER), ["in place of config.json", "run git lfs pull"]),
    "config.json in another encoding": (write("config.json", b'{"a": "\xe9"}'), ["config.json that is not JSON"]),
    "no model_type": (config(model_type=None), ["without a model_type"]),
    "model_type that is a number": (config(model_type=7), ["without a model_type"]),
    "unknown model_type": (config(model_type="abacus"), ["'abacus'", "no causal language model", "take another"]),
    "an encoder with a decoder": (
        config(model_type="t5", architectures=["T5ForConditionalGeneration"]),
        ["'t5'", "no causal language model"],
    ),
    "an encoder with a decoder that could be halved": (
        config(model_type="bart", architectures=["BartForConditionalGeneration"], is_encoder_decoder=True),
        ["saved as BartForConditionalGeneration", "writes no text", "BartForCausalLM"],
    ),
    "an encoder with a decoder of several parts": (
        config(
            model_type="musicgen",
            architectures=["MusicgenForConditionalGeneration"],
            is_encoder_decoder=True,
            text_config={},
        ),
        ["saved as MusicgenForConditionalGeneration", "writes no text"],
    ),
    "an encoder with a decoder that names no class": (
        config(model_type="bart", architectures=None, is_encoder_decoder=True),
        ["encoder with a decoder", "take a causal language model"],
    ),
    "a reward model": (
        config(architectures=["LlamaForSequenceClassification"]),
        ["saved as LlamaForSequenceClassification", "writes no text", "LlamaForCausalLM"],
    ),
    "a tagger": (config(architectures=["LlamaForTokenClassification"]), ["LlamaForTokenClassification"]),
    "a model without a head": (config(architectures=["LlamaModel"]), ["saved as LlamaModel", "LlamaForCausalLM"]),
    "a model of masked words": (
        config(model_type="bert", architectures=["BertForMaskedLM"]),
        ["saved as BertForMaskedLM", "BertLMHeadModel"],
    ),
    "architectures that are a word": (config(architectures="LlamaForCausalLM"), ["'LlamaForCausalLM'", "list"]),
    "architectures that are numbers": (config(architectures=[1]), ["[1]", "list"]),
    "code of its own": (
        config(model_type="mine", architectures=["MineForCausalLM"], auto_map={"AutoModelForCausalLM": "mine.Mine"}),
        ["code of its own (auto_map", "'mine'", "not run"],
    ),
    "an adapter": (
        write(
            "adapter_config.json",
            '{"base_model_name_or_path": "big/base"}',
            without=("config.json", "model.safetensors"),
        ),
        ["an adapter without its base ('big/base')", "merge it", "merge_and_unload", "copy the tokenizer"],
    ),
    "an adapter with a config": (
        write("adapter_config.json", "{}", without=("model.safetensors",)),
        ["an adapter without its base (None)", "merge it"],
    ),
    "an adapter beside whole weights": (
        write("adapter_config.json", '{"base_model_name_or_path": "big/base"}'),
        ["whole weights and an adapter", "move the adapter away"],
    ),
    "no weights": (remove("model.safetensors"), ["holds no weights (model.safetensors)", "copy or download"]),
    "pickles only": (
        write("pytorch_model.bin", b"x", without=("model.safetensors",)),
        ["pytorch_model.bin only", "save_pretrained"],
    ),
    "weights of another name": (
        write("consolidated.safetensors", make_weights("a"), without=("model.safetensors",)),
        ["no model.safetensors (but consolidated.safetensors)"],
    ),
    "a trainer's settings are no weights": (
        write("training_args.bin", b"x", without=("model.safetensors",)),
        ["holds no weights"],
    ),
    "weights as a pointer": (write("model.safetensors", POINTER), ["in place of model.safetensors", "git lfs pull"]),
    "weights without a byte": (cut(0), ["damaged model.safetensors (0 bytes"]),
    "weights cut within the length": (cut(5), ["damaged model.safetensors (5 bytes"]),
    "weights cut within the header": (cut(40), ["damaged model.safetensors (40 bytes", "cut off", "again"]),
    "weights cut at their end": (cut(-3), ["damaged model.safetensors", "bytes are there", "again"]),
    "weights with a tail": (
        write("model.safetensors", make_weights("a") + b"tail"),
        ["damaged model.safetensors", "bytes are there"],
    ),
    "weights that claim a huge header": (
        write("model.safetensors", b"\xff" * 8 + b"{}" * 40),
        ["damaged model.safetensors (88 bytes"],
    ),
    "weights with a header that is no JSON": (
        write("model.safetensors", (4).to_bytes(8, "little") + b"{{{{"),
        ["its header names no tensors"],
    ),
    "weights with a header that is a list": (
        write("model.safetensors", (2).to_bytes(8, "little") + b"[]"),
        ["its header names no tensors"],
    ),
    "weights without tensors": (write("model.safetensors", make_weights()), ["its header names no tensors"]),
    "weights whose tensors have no place": (
        write("model.safetensors", (22).to_bytes(8, "little") + b'{"a": {"dtype": "F32"}}'[:22]),
        ["damaged model.safetensors"],
    ),
    "a text in place of weights": (write("model.safetensors", "no weights, " * 30), ["damaged model.safetensors"]),
    "a missing part": (
        shards("model-00001-of-00002.safetensors"),
        ["lacks 1 of 2 parts", "model-00002-of-00002.safetensors"],
    ),
    "an index without a map": (shards(index={"metadata": {}}), ["index.json without a weight_map"]),
    "an index that maps to numbers": (shards(index={"weight_map": {"a": 1}}), ["index.json without a weight_map"]),
    "an index that is no JSON": (
        write("model.safetensors.index.json", "{", without=("model.safetensors",)),
        ["model.safetensors.index.json that is not JSON"],
    ),
    "no tokenizer": (remove("tokenizer.json"), ["holds no tokenizer (tokenizer.json)", "from its parent"]),
    "tokenizer as a pointer": (write("tokenizer.json", POINTER), ["in place of tokenizer.json", "git lfs pull"]),
    "tokenizer without a byte": (write("tokenizer.json", ""), ["tokenizer.json that is damaged"]),
    "tokenizer cut off": (write("tokenizer.json", '{"version": "1.0", "added'), ["tokenizer.json that is damaged"]),
    "half of a tokenizer": (write("vocab.json", "{}", without=("tokenizer.json",)), ["holds no tokenizer"]),
    "pieces of a tokenizer as pointers": (
        lambda folder: [
            write("vocab.json", POINTER, without=("tokenizer.json",))(folder),
            write("merges.txt", POINTER)(folder),
        ],
        ["in place of vocab.json", "git lfs pull"],
    ),
    "tokenizer of another library": (
        write("tekken.json", "{}", without=("tokenizer.json",)),
        ["tekken.json only", "needs mistral_common", "save_pretrained"],
    ),
    "settings of the tokenizer that are no JSON": (
        write("tokenizer_config.json", "{"),
        ["tokenizer_config.json that is not JSON"],
    ),
    "settings of generation as a pointer": (
        write("generation_config.json", POINTER),
        ["in place of generation_config.json", "git lfs pull"],
    ),
    "no chat template": (
        remove("chat_template.jinja"),
        ["no chat template", "add chat_template.jinja", "ask it in the style few-shot"],
    ),
    "an empty chat template": (write("chat_template.jinja", " \n"), ["no chat template"]),
    "a chat template as a pointer": (write("chat_template.jinja", POINTER), ["in place of chat_template.jinja"]),
    "a chat template in another encoding": (write("chat_template.jinja", b"\xe9"), ["that is not UTF-8"]),
    "templates of which none is the default": (
        write("additional_chat_templates/rag.jinja", TEMPLATE, without=("chat_template.jinja",)),
        ["no chat template"],
    ),
    "named templates of which none is the default": (
        write(
            "tokenizer_config.json",
            json.dumps({"chat_template": [{"name": "rag", "template": TEMPLATE}]}),
            without=("chat_template.jinja",),
        ),
        ["no chat template"],
    ),
}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a models.yaml of two contestants that share nothing and could fight."""
    contestants = [
        {"name": name, "stage": "sft", "path": name, "prompt": {"style": "chat"}} for name in ("first", "second")
    ]
    for each in contestants:
        make_folder(tmp_path / str(each["path"]))
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"contestants": contestants}))
    return file


@pytest.mark.parametrize("name", UNFIT)
def test_a_checkpoint_that_cannot_fight_is_refused_by_name_with_the_way_out(models: Path, name: str) -> None:
    change, words = UNFIT[name]
    change(models.parent / "second")
    with pytest.raises(ModelsError) as caught:
        load_models(models)
    message = str(caught.value)
    assert message.startswith(f"{models}: second: path 'second' ")
    assert "\n" not in message
    for word in words:
        assert word in message


FIT: dict[str, Change] = {
    "as it was made": lambda folder: None,
    "weights in parts": shards("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
    "weights under the name that the config gives": lambda folder: [
        (folder / "model.safetensors").rename(folder / "own.safetensors"),
        config(transformers_weights="own.safetensors")(folder),
    ],
    "weights beside a pickle": write("pytorch_model.bin", b"x"),
    "no class named": config(architectures=None),
    "a class of an earlier name": config(model_type="phi", architectures=["MixFormerSequentialForCausalLM"]),
    "a class in older spelling": config(architectures=["LLaMAForCausalLM"]),
    "code of its own that is not needed": config(auto_map={"AutoModelForCausalLM": "mine.Mine"}),
    "a model that also sees pictures": config(
        model_type="gemma3", architectures=["Gemma3ForConditionalGeneration"], text_config={}
    ),
    "a model whose text half is loaded alone": config(
        model_type="llama4", architectures=["Llama4ForConditionalGeneration"], text_config={}
    ),
    "a class with another ending": config(model_type="reformer", architectures=["ReformerModelWithLMHead"]),
    "a class without an ending": config(model_type="bert-generation", architectures=["BertGenerationDecoder"]),
    "a tokenizer in pieces": lambda folder: [
        write("vocab.json", "{}", without=("tokenizer.json",))(folder),
        write("merges.txt", "")(folder),
    ],
    "a template in the settings": write(
        "tokenizer_config.json", json.dumps({"chat_template": TEMPLATE}), without=("chat_template.jinja",)
    ),
    "named templates with a default": write("tokenizer_config.json", NAMED, without=("chat_template.jinja",)),
    "more templates beside the default": write("additional_chat_templates/rag.jinja", "x"),
    "a default among the additional ones": write(
        "additional_chat_templates/default.jinja", TEMPLATE, without=("chat_template.jinja",)
    ),
    "a template of a processor": write(
        "chat_template.json", json.dumps({"chat_template": TEMPLATE}), without=("chat_template.jinja",)
    ),
}


@pytest.mark.parametrize("name", FIT)
def test_a_checkpoint_that_can_fight_is_let_in(models: Path, name: str) -> None:
    FIT[name](models.parent / "second")
    assert len(load_models(models).contestants) == 2


@pytest.mark.parametrize(
    "name", [name for name in UNFIT if "template" in name and "pointer" not in name and "encoding" not in name]
)
def test_what_is_asked_by_examples_needs_no_chat_template(models: Path, name: str) -> None:
    UNFIT[name][0](models.parent / "second")
    tree = yaml.safe_load(models.read_text())
    tree["contestants"][1]["prompt"] = FEW_SHOT
    models.write_text(yaml.safe_dump(tree))
    assert len(load_models(models).contestants) == 2


def test_a_file_that_may_not_be_read_is_named(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_file = Path.open

    def refuse(self: Path, *options: Any, **named: Any) -> Any:
        if self.name == "model.safetensors":
            raise PermissionError(13, "Permission denied", str(self))
        return is_file(self, *options, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelsError, match=r"model.safetensors: Permission denied\): correct its permissions"):
        load_models(models)
