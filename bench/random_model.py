#!/usr/bin/env python3
"""Write a model of a known shape with random weights, as a Hugging Face folder: for memory and time, where the
weights do not matter and the real ones are gigabytes on a hub.

    python bench/random_model.py --shape llama-3.2-1b DIR

It holds config.json, model.safetensors (bf16, as the real ones), and train.jsonl, rows of token ids. Needs
numpy; a few million numbers at a time are in memory.
"""

import argparse
import json
import math
import pathlib
import struct

import numpy

SHAPES = {
    "qwen2.5-0.5b": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 151936,
        "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": True},
    "llama-3.2-1b": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256,
        "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
        "tie_word_embeddings": True},
    "smollm2-135m": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152,
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": True},
}
PIECE = 1 << 22  # numbers at a time


def tensors(config):
    """(name, shape) of every tensor, in the order of the file."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim", width // config["num_attention_heads"])
    queries, keys = (head * config[f"num_{kind}_heads"] for kind in ("attention", "key_value"))
    yield "model.embed_tokens.weight", (config["vocab_size"], width)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        for name, rows in (("q", queries), ("k", keys), ("v", keys)):
            yield f"{layer}.self_attn.{name}_proj.weight", (rows, width)
            if config["model_type"] == "qwen2":
                yield f"{layer}.self_attn.{name}_proj.bias", (rows,)
        yield f"{layer}.self_attn.o_proj.weight", (width, queries)
        yield f"{layer}.mlp.gate_proj.weight", (inner, width)
        yield f"{layer}.mlp.up_proj.weight", (inner, width)
        yield f"{layer}.mlp.down_proj.weight", (width, inner)
        yield f"{layer}.input_layernorm.weight", (width,)
        yield f"{layer}.post_attention_layernorm.weight", (width,)
    yield "model.norm.weight", (width,)


def bf16(values):
    """Rounded to the nearest, of two the even one."""
    words = values.view(numpy.uint32)
    return ((words + 0x7fff + ((words >> 16) & 1)) >> 16).astype(numpy.uint16)


def write_weights(path, config, generator):
    header, at = {}, 0
    for name, shape in tensors(config):
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors(config):
            mean = 1.0 if "norm" in name else 0.0
            left = math.prod(shape)
            while left:
                values = generator.standard_normal(min(left, PIECE), dtype=numpy.float32)
                file.write(bf16(values * numpy.float32(0.02) + numpy.float32(mean)).tobytes())
                left -= len(values)
    return at // 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=256, help="of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()

    config = SHAPES[args.shape]
    generator = numpy.random.default_rng(args.seed)
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    with open(args.folder / "train.jsonl", "w") as file:
        for ids in generator.integers(config["vocab_size"], size=(args.rows, args.tokens)):
            file.write(json.dumps({"input_ids": ids.tolist()}) + "\n")
    count = write_weights(args.folder / "model.safetensors", config, generator)
    print(f"{args.folder}: {args.shape}, {count} parameters")


if __name__ == "__main__":
    main()
