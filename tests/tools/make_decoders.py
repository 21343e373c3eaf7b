#!/usr/bin/env python3
"""Make tests/data/reference/decoders: small random decoders, and what PyTorch computes from them.

    pip install torch transformers safetensors
    python tests/tools/make_decoders.py

As make_reference.py: in double precision from the stored fp32 weights, with seeds at which nothing
kept depends on rounding. A name that ends in "-classes" has the sequence-classification head, the
others the causal language model's. The rows are token ids.
"""

import argparse
import contextlib
import itertools
import json
import math
import pathlib
import shutil
import sys
import unittest.mock

import safetensors.torch
import torch
import transformers

import make_metrics as mm
import make_reference as mr
import metric_torch as mt
import moving_torch as mv
import sparse_torch as st

MAX_LENGTH = 40
NEW_TOKENS = 12
CLASSES = {0: "left", 1: "right", 2: "straight"}

# Sizes that no kernel's tile divides, mostly the same ones, so that few kernels are compiled.
SIZES = {"vocab_size": 88, "hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 4,
         "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
GROUPED = {**SIZES, "intermediate_size": 50, "num_key_value_heads": 2, "head_dim": 12}
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def rope(kind, **options):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **options}}


MODELS = {
    "llama": ("Llama", {**GROUPED, **rope("default"), "tie_word_embeddings": True}, ALL),
    # heads over one key, biases, a head of its own
    "llama3": ("Llama", {**GROUPED, "num_attention_heads": 3, "num_key_value_heads": 1,
                         "head_dim": 20, "attention_bias": True, "tie_word_embeddings": False,
                         **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                original_max_position_embeddings=32)}, ["q_proj", "v_proj"]),
    "llama-linear": ("Llama", {**GROUPED, **rope("linear", factor=2.5)}, None),
    "llama-yarn": ("Llama", {**GROUPED, **rope("yarn", factor=4.0,
                                               original_max_position_embeddings=16)}, None),
    "mistral": ("Mistral", {**GROUPED, "sliding_window": 7}, ["o_proj", "gate_proj"]),
    "qwen2": ("Qwen2", {**GROUPED, "num_attention_heads": 3, "num_key_value_heads": 1,
                        "tie_word_embeddings": True},
              ["k_proj", "down_proj"]),
    "qwen3": ("Qwen3", {**GROUPED, **rope("default")}, ["q_proj", "up_proj"]),
    "gemma2": ("Gemma2", {**GROUPED, "sliding_window": 6, "query_pre_attn_scalar": 9,
                          "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
               ["q_proj", "v_proj", "down_proj"]),
    "opt": ("OPT", {**SIZES, "ffn_dim": 50}, ["q_proj", "v_proj", "fc1", "fc2"]),
    "opt-projected": ("OPT", {**SIZES, "ffn_dim": 50, "word_embed_proj_dim": 20,
                              "do_layer_norm_before": False}, ["q_proj", "out_proj"]),
}
BATCH, EPOCHS, ROWS, RATE = 9, 4, 43, 5e-3  # 5 batches, 20 steps
BUDGET = {"count": 301}
RUNS = {
    "static": ({"method": "static", "metric": "gradient", "scoring_examples": 20}, {}),
    "dynamic": mv.RUNS["dynamic_merge"],
    "spiel_ag": mv.RUNS["spiel_ag"],
    "spiel_ma": mv.RUNS["spiel_ma"],
    # of a micro-batch of its own each row group: the mean is over the step's tokens all the same
    "full": ({"method": "full"}, {"gradient_accumulation_steps": 2, "max_steps": 20}),
}


def is_causal(name):
    return not name.endswith("-classes")


def all_models():
    """(name, family, configuration, target modules) of both heads."""
    for name, (family, config, targets) in MODELS.items():
        yield name, family, config, targets
        if targets:
            yield f"{name}-classes", family, {**config, "num_hidden_layers": 1,
                                              "id2label": CLASSES}, targets


def make_model(name, family, config, folder, generator):
    """Random weights large enough that every part of the model matters to its output."""
    kind = "CausalLM" if is_causal(name) else "SequenceClassification"
    parsed = getattr(transformers, f"{family}Config")(**config)
    model = getattr(transformers, f"{family}For{kind}")(parsed)
    shift = 0.0 if family == "Gemma2" else 1.0
    with torch.no_grad():
        for key, param in model.named_parameters():
            noise = torch.randn(param.shape, generator=generator)
            if param.ndim == 1:
                param.copy_(0.1 * noise + (shift if "norm" in key and "bias" not in key else 0.0))
            elif "embed" in key:
                param.copy_(0.5 * noise)
            else:
                param.copy_(1.2 * noise / math.sqrt(param.shape[1]))
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def make_rows(name, count, generator):
    def draw(low, high, size=1):
        return torch.randint(low, high, (size,), generator=generator).tolist()

    rows = []
    for i in range(count):
        length = {2: 2, 5: MAX_LENGTH, 11: 3, 15: 33}.get(i) or draw(4, MAX_LENGTH)[0]
        ids = draw(4, SIZES["vocab_size"], length)
        if not is_causal(name):
            rows.append({"input_ids": ids, "label": draw(0, len(CLASSES))[0]})
            continue
        first = 0 if i % 3 == 0 else draw(0, length - 1)[0]  # a prompt's tokens are not supervised
        labels = [-100] * first + ids[first:]
        if i % 5 == 4:
            labels[length // 2:length // 2 + 1] = [-100]
        if all(label == -100 for label in labels[1:]):
            labels[-1] = ids[-1]
        rows.append({"input_ids": ids, "labels": labels})
    return rows


@contextlib.contextmanager
def precision(dtype):
    """Everything in that type: transformers' norms and softmax are in fp32 whatever is asked."""
    def norm(module, x):
        gemma = "Gemma" in type(module).__name__
        epsilon = module.eps if gemma else module.variance_epsilon
        scale = 1 + module.weight if gemma else module.weight
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * scale

    softmax = torch.nn.functional.softmax
    torch.set_default_dtype(dtype)
    with contextlib.ExitStack() as stack:
        for family in ("llama.modeling_llama.Llama", "mistral.modeling_mistral.Mistral",
                       "qwen2.modeling_qwen2.Qwen2", "qwen3.modeling_qwen3.Qwen3",
                       "gemma2.modeling_gemma2.Gemma2"):
            stack.enter_context(unittest.mock.patch(
                f"transformers.models.{family}RMSNorm.forward", norm))
        stack.enter_context(unittest.mock.patch(
            "torch.nn.functional.softmax", lambda x, dim=-1, **_: softmax(x, dim)))
        yield
    torch.set_default_dtype(torch.float32)


def load_model(folder, name):
    kind = (transformers.AutoModelForCausalLM if is_causal(name)
            else transformers.AutoModelForSequenceClassification)
    return kind.from_pretrained(folder, dtype=torch.get_default_dtype(),
                                attn_implementation="eager").eval()


@torch.no_grad()
def generate(model, prompt):
    """(greedy tokens, the least gap between the best two logits)."""
    tokens, gap = list(prompt), math.inf
    for _ in range(NEW_TOKENS):
        logits = model(input_ids=torch.tensor([tokens])).logits[0, -1]
        best = logits.topk(2)
        gap = min(gap, (best.values[0] - best.values[1]).item())
        tokens.append(best.indices[0].item())
        if tokens[-1] == SIZES["eos_token_id"]:
            break
    return tokens[len(prompt):], gap


def run_config(name, targets, sparse, options):
    block = dict(sparse)
    if sparse["method"] != "full":
        block.update(target_modules=targets, **BUDGET)
    if sparse["method"] == "dynamic":
        block.update(metric="gradient", scoring_examples=20)
    rate = RATE / 5 if sparse["method"] == "full" else RATE
    return {"task": "causal_lm" if is_causal(name) else "classification", "learning_rate": rate,
            "per_device_train_batch_size": BATCH, "num_train_epochs": EPOCHS,
            "max_seq_length": MAX_LENGTH, "shuffle": False, "dropout": 0,
            "lr_scheduler_type": "linear", "warmup_steps": 0, "weight_decay": 0,
            "max_grad_norm": 0, "logging_steps": 1, "seed": mv.SEED, **options, "sparse": block}


def evaluate(name, model, rows):
    if is_causal(name):
        metrics, logprobs = st.evaluate_causal(model, rows, BATCH)
        return {"metrics": metrics, "logprobs": logprobs}
    metrics, logits = st.evaluate(model, rows, BATCH)
    return {"metrics": metrics, "logits": logits.tolist()}


def train_run(folder, name, targets, key, rows):
    model, config = load_model(folder, name), run_config(name, targets, *RUNS[key])
    trainer = mv.Trainer(model, config, rows["train"])
    epoch = st.batches(rows["train"], BATCH)
    size = config.get("gradient_accumulation_steps", 1)
    groups = [epoch[i:i + size] for i in range(0, len(epoch), size)]
    total = config.get("max_steps") or len(groups) * EPOCHS
    losses, norms, _ = zip(*(trainer.step(groups[t % len(groups)], t, total)
                             for t in range(total)))
    return {"config": config, "losses": losses, "grad_norms": norms, "moves": trainer.moves,
            **evaluate(name, model, rows["eval"])}


def runs_of(name):
    if not is_causal(name):
        return ["static"]
    return list(RUNS) if name in ("llama", "gemma2") else [k for k in RUNS if k != "full"]


def compute(folder, name, targets, rows):
    """(expected, generations' least gap) in the default type, but for the masks."""
    model = load_model(folder, name)
    result, gap = {"batch_size": BATCH, **evaluate(name, model, rows["eval"])}, math.inf
    if is_causal(name):
        result["generations"] = []
        for row in (0, 2, 5):
            prompt = rows["eval"][row]["input_ids"][:17]
            tokens, least = generate(model, prompt)
            gap = min(gap, least)
            result["generations"].append({"prompt": prompt, "tokens": tokens})
    if targets:
        result["runs"] = {key: train_run(folder, name, targets, key, rows)
                          for key in runs_of(name)}
    return result, gap


def score(folder, name, sparse, train):
    model = load_model(folder, name)
    weights = st.target_weights(model, sparse["target_modules"])
    return mt.score(model, weights, sparse, train, BATCH)


def make_masks(folder, name, targets, train):
    """Every metric's mask, scopes taking turns; of the other head one model's will do. GraSP
    is refused where there are ReLUs, OPT's, across which a difference of gradients steps."""
    masks = {}
    for i, metric in enumerate(mt.METRICS):
        if metric == "grasp" and name.startswith("opt"):
            continue
        scope = "global" if metric == "grasp" else ("global", "tensor", "uniform_count")[i % 3]
        sparse = {"method": "static", "target_modules": targets, "metric": metric, "scope": scope,
                  "scoring_examples": 20, "lift_rank": 4, "sign": "paper"}
        with precision(torch.float64):
            wide = score(folder, name, sparse, train)
        with precision(torch.float32):
            single = score(folder, name, sparse, train)
        count, positions = mm.choose(wide, single, sparse)
        masks[metric] = {"sparse": {**sparse, "count": count},
                         "indices": {n: p.tolist() for n, p in positions.items()}}
    return masks


def keep_gradients(name, folder):
    """Every parameter's gradient of the first training batch's mean loss."""
    rows = [json.loads(line) for line in open(folder / "train.jsonl")]
    numbers = {label: i for i, label in CLASSES.items()}
    if not is_causal(name):
        rows = [{**row, "label": numbers[row["label"]]} for row in rows]
    with precision(torch.float64):
        model = load_model(folder, name)
        st.loss_of(model, st.batches(rows, BATCH)[0]).backward()
    gradients = {key: param.grad.float() for key, param in model.named_parameters()}
    safetensors.torch.save_file(gradients, folder / "gradients.safetensors")
    (folder / "gradients.safetensors").chmod(0o644)  # safetensors leaves 0600


def fragile(wide, single, gap):
    """Why these numbers would not bear another program's rounding, or None."""
    def outputs(a, b):
        rows = a.get("logprobs") or a["logits"]
        return max(mr.distance(x, y) for x, y in
                   zip(rows, b.get("logprobs") or b["logits"]) if x)

    if gap < 1e-3:
        return f"greedy tokens {gap:.1e} apart"
    if outputs(wide, single) > 2e-5:
        return "outputs"
    for key, run in wide.get("runs", {}).items():
        other = single["runs"][key]
        if run["moves"] != other["moves"]:
            return f"{key}: fp32 gives another mask"
        away = max(mr.distance(run["losses"], other["losses"]), outputs(run, other) / 2)
        if away > 2e-5:
            return f"{key}: fp32 {away:.1e} away"
    return None


def make(name, family, config, targets, folder, seed):
    """Writes one model's folder; returns why the seed will not do, or None."""
    generator = torch.Generator().manual_seed(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_model(name, family, config, folder, generator)
    rows = {"train": make_rows(name, ROWS, generator), "eval": make_rows(name, 17, generator)}
    for part, content in rows.items():
        with open(folder / f"{part}.jsonl", "w") as file:
            for row in content:
                label = {} if is_causal(name) else {"label": CLASSES[row["label"]]}
                file.write(json.dumps({**row, **label}) + "\n")
    with precision(torch.float32):
        single, _ = compute(folder, name, targets, rows)
    with precision(torch.float64):
        expected, gap = compute(folder, name, targets, rows)
    reason = fragile(expected, single, gap)
    if reason is None and targets and (is_causal(name) or name == "llama-classes"):
        try:
            expected["masks"] = make_masks(folder, name, targets, rows["train"])
        except RuntimeError as error:
            reason = str(error)
    (folder / "expected.json").write_text(mr.dump(mr.rounded({"seed": seed, **expected})) + "\n")
    keep_gradients(name, folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors leaves 0600
    return reason


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path,
                        default=mr.ROOT / "tests/data/reference/decoders")
    parser.add_argument("--model", action="append", help="only this one")
    parser.add_argument("--gradients", action="store_true",
                        help="only these, of the models that are there")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name, *spec in all_models():
        if args.model and name not in args.model:
            continue
        if args.gradients:
            keep_gradients(name, args.output / name)
            continue
        for seed in itertools.count():
            reason = make(name, *spec, args.output / name, seed)
            print(f"{name}, seed {seed}: {reason or 'kept'}", flush=True)
            if reason is None:
                break
            if seed == 40:
                sys.exit(f"{name}: no seed will do")


if __name__ == "__main__":
    main()
