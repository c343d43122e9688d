"""The hash that identifies weights."""

import hashlib
from pathlib import Path

from common.weights import BLOCK, hash_files, hash_weights


def test_the_hash_is_of_all_safetensors_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    parts = {"b.safetensors": b"second", "a.safetensors": b"first" * BLOCK, "notes.txt": b"ignored"}
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    expected = hashlib.sha256(parts["a.safetensors"] + parts["b.safetensors"]).hexdigest()
    assert hash_weights(tmp_path) == f"sha256:{expected}"


def test_a_folder_without_weights_has_no_hash(tmp_path: Path) -> None:
    assert hash_weights(tmp_path) is None
    assert hash_files([]) == f"sha256:{hashlib.sha256().hexdigest()}"
