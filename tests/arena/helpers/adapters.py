"""Small LoRA adapters with random factors, and small GGUF files."""

import json
from pathlib import Path
from typing import Any


def make_adapter(folder: Path, base: Path, *, seed: int = 1, rank: int = 4, **config: Any) -> Path:
    """Make an adapter of a checkpoint, as peft saves it, with factors that change what it writes."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True)
    lora = LoraConfig(r=rank, lora_alpha=4 * rank, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(folder)
    tree = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")) | {"init_lora_weights": True}
    (folder / "adapter_config.json").write_text(json.dumps(tree | config), encoding="utf-8")
    return folder


def make_gguf(file: Path, architecture: str = "llama", template: str | None = "{{ messages }}") -> Path:
    """Make a GGUF file of one tensor."""
    import numpy as np
    from gguf import GGUFWriter

    writer = GGUFWriter(file, architecture)
    writer.add_context_length(64)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    if template is not None:
        writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", np.ones((2, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def make_llama_gguf(file: Path, checkpoint: Path) -> Path:
    """Write a Llama with a byte-level tokenizer as GGUF, as llama.cpp's convert_hf_to_gguf.py does."""
    from gguf import GGUFWriter, TokenType
    from safetensors.numpy import load_file

    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    tokens = json.loads((checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    heads, few = config["num_attention_heads"], config["num_key_value_heads"]
    special = {each["id"]: each["content"] for each in tokens["added_tokens"]}
    vocabulary = {number: text for text, number in tokens["model"]["vocab"].items()} | special
    writer = GGUFWriter(file, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(few)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([vocabulary[number] for number in sorted(vocabulary)])
    writer.add_token_types([TokenType.CONTROL if n in special else TokenType.NORMAL for n in sorted(vocabulary)])
    writer.add_token_merges([" ".join(pair) for pair in tokens["model"]["merges"]])
    ends = config["eos_token_id"]
    writer.add_eos_token_id(ends if isinstance(ends, int) else ends[0])
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text(encoding="utf-8"))
    for name, tensor in load_file(checkpoint / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # llama.cpp rotates pairs, transformers halves
            count = heads if "q_proj" in name else few
            tensor = tensor.reshape(count, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
        writer.add_tensor(_renamed(name), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _renamed(name: str) -> str:
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "model.layers": "blk",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for old, new in names.items():
        name = name.replace(old, new)
    return name
