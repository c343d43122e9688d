"""A family in bfloat16: half the size, the same lineage."""

import shutil
from pathlib import Path

import pytest

from common.weights import hash_weights
from training.__main__ import main
from training.evaluate.measure import evaluate
from training.runs.checkpoint import read_record

pytestmark = pytest.mark.slow


def test_publishing_halves_the_weights_and_keeps_the_lineage(
    tiny_family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    old = tmp_path / "old"
    shutil.copytree(tiny_family, old)
    template = old / "sft" / "chat_template.jinja"
    template.write_text(template.read_text().replace("{{ text }}", "{% generation %}{{ text }}{% endgeneration %}"))
    assert main(["publish", str(old), "--out", str(tmp_path / "plain")]) == 0
    assert "generation %}" not in (tmp_path / "plain" / "sft" / "chat_template.jinja").read_text()
    assert main(["publish", str(tiny_family), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["base", "reward", "rlhf", "sft"]
    for name in ("base", "sft", "reward", "rlhf"):
        sizes = [(folder / name / "model.safetensors").stat().st_size for folder in (out, tiny_family)]
        assert sizes[0] < 0.6 * sizes[1]
        record = read_record(out / name)
        assert record is not None
        assert record["weights"] == hash_weights(out / name) != hash_weights(tiny_family / name)
        assert record["rounded"] == "bfloat16"
    for child, parent in (("sft", "base"), ("rlhf", "sft"), ("reward", "sft")):
        record = read_record(out / child)
        assert record is not None
        assert record["parent"]["weights"] == hash_weights(out / parent)
    whole, small = (evaluate(folder / "sft", per_task=1, show=False) for folder in (tiny_family, out))
    assert small["bits_per_byte"] == pytest.approx(whole["bits_per_byte"], rel=0.01)
    capsys.readouterr()
    assert main(["publish", str(tmp_path), "--out", str(tmp_path / "none")]) == 2
    assert "holds no trained checkpoints" in capsys.readouterr().err
