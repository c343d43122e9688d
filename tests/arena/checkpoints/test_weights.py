"""Whether weights are complete, by sizes and headers; damaged ones in a whole folder are in test_checkpoint.py."""

from pathlib import Path

import pytest

from arena.checkpoints.weights import INDEX, LFS_MAGIC, WEIGHTS, Unfit, find_weights, read_json, require_whole
from tests.arena.helpers.folders import make_weights


@pytest.mark.parametrize("tensors", [("a",), ("a", "b", "c")])
def test_a_complete_file_is_accepted_and_every_cut_is_refused(tmp_path: Path, tensors: tuple[str, ...]) -> None:
    file, content = tmp_path / WEIGHTS, make_weights(*tensors)
    file.write_bytes(content)
    require_whole(file)
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(Unfit, match=r"damaged model\.safetensors"):
            require_whole(file)


def test_a_header_longer_than_the_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(Unfit, match="cut off within its header"):
        require_whole(tmp_path / WEIGHTS)


def test_the_parts_are_those_of_the_index_each_once(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text('{"weight_map": {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}')
    with pytest.raises(Unfit, match=r"lacks 2 of 2 parts of its weights \(1\.safetensors\)"):
        find_weights(tmp_path, {})
    for name in ("1.safetensors", "2.safetensors"):
        (tmp_path / name).write_bytes(make_weights("x"))
    assert [file.name for file in find_weights(tmp_path, {})] == ["1.safetensors", "2.safetensors"]


def test_the_config_may_name_the_file(tmp_path: Path) -> None:
    for name in ("other.safetensors", "own.safetensors"):
        (tmp_path / name).write_bytes(make_weights("x"))
    assert find_weights(tmp_path, {"transformers_weights": "own.safetensors"}) == [tmp_path / "own.safetensors"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LFS_MAGIC + b"v1", "git lfs pull"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "a list instead of a mapping"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(Unfit, match=reason):
        read_json(tmp_path / "config.json")
