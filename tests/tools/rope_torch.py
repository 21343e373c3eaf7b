#!/usr/bin/env python3
"""Prints the rotary frequencies that transformers computes, as tests/unit/test_rope.c keeps them.

    python3 tests/tools/rope_torch.py      (torch and transformers 5.23)
"""
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

CASES = {
    "linear": dict(rope_type="linear", rope_theta=10000.0, factor=4.0),
    "llama3": dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=8192),
    "yarn": dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0, original_max_position_embeddings=32768),
    "yarn_all": dict(rope_type="yarn", rope_theta=10000.0, factor=40.0, original_max_position_embeddings=4096,
                     beta_fast=24.0, beta_slow=2.0, mscale=1.0, mscale_all_dim=0.707, truncate=False),
    "yarn_given": dict(rope_type="yarn", rope_theta=10000.0, factor=2.0, original_max_position_embeddings=64,
                       attention_factor=1.25),
}


def show(name, frequencies, scale, head_dim):
    values = ", ".join(float(f).hex() + "f" for f in frequencies)
    print(f"    /* {name}, {head_dim} */ {{ {float(scale)!r}, {{ {values} }} }},")


def main():
    import torch
    for head_dim in (16,):
        for name, parameters in CASES.items():
            config = LlamaConfig(hidden_size=head_dim * 2, num_attention_heads=2, head_dim=head_dim,
                                 max_position_embeddings=131072, rope_parameters=parameters)
            frequencies, scale = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config)
            show(name, frequencies, scale, head_dim)
        default = 1.0 / (10000.0 ** (torch.arange(0, 10, 2, dtype=torch.int64).float() / 10))
        show("default", default, 1.0, 10)
    position = torch.tensor(1023.0)
    angle = (default * position).float()
    print("cos", [float(x).hex() for x in angle.cos()], "sin", [float(x).hex() for x in angle.sin()])


main()
