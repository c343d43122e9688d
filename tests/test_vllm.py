"""A real vLLM loads the checkpoints unchanged and writes what transformers writes."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

VLLM = ROOT / ".venv-vllm" / "bin" / "python"
PROMPTS = ["What is the opposite of hot?", "Tell me a story about Mia and a fox.", "Hello!"]
MAX_TOKENS = 12


@pytest.mark.vllm
def test_vllm_and_transformers_write_the_same_greedy_replies(tiny_family: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    request = json.dumps({"family": str(tiny_family), "prompts": PROMPTS, "max_tokens": MAX_TOKENS})
    done = subprocess.run([VLLM, ROOT / "tests" / "vllm_greedy.py", request], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    replies = json.loads(done.stdout.splitlines()[-1])
    for stage, texts in replies.items():
        tokenizer = AutoTokenizer.from_pretrained(tiny_family / stage)
        model = AutoModelForCausalLM.from_pretrained(tiny_family / stage, dtype=torch.float32)
        for prompt, text in zip(PROMPTS, texts, strict=True):
            if stage != "base":
                messages = [{"role": "user", "content": prompt}]
                prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            inputs = tokenizer(prompt, return_tensors="pt")
            ids = model.generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False)[0]
            written = tokenizer.decode(ids[inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            assert text == written, stage
