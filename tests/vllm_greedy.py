"""Run by test_vllm.py in vLLM's own environment: greedy replies of a family, as JSON on the last line."""

import json
import os
import sys

os.environ.update(
    HF_HUB_OFFLINE="1",
    VLLM_CPU_KVCACHE_SPACE="1",
    VLLM_CPU_OMP_THREADS_BIND="nobind",
    VLLM_ENABLE_V1_MULTIPROCESSING="0",
    VLLM_LOGGING_LEVEL="ERROR",
    VLLM_NO_USAGE_STATS="1",
)


def main(family: str, prompts: list[str], max_tokens: int) -> dict[str, list[str]]:
    from vllm import LLM, SamplingParams

    greedy = SamplingParams(temperature=0.0, max_tokens=max_tokens)
    replies = {}
    for stage in ("base", "sft", "rlhf"):
        model = LLM(f"{family}/{stage}", dtype="float32", enforce_eager=True)
        if stage == "base":
            outputs = model.generate(prompts, greedy)
        else:
            outputs = model.chat([[{"role": "user", "content": prompt}] for prompt in prompts], greedy)
        replies[stage] = [output.outputs[0].text for output in outputs]
        del model
    return replies


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    print(json.dumps(main(request["family"], request["prompts"], request["max_tokens"])))
