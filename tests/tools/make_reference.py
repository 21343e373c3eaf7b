#!/usr/bin/env python3
"""Make tests/data/reference: small BERT and RoBERTa models, data, and what PyTorch computes from them.

    pip install torch transformers safetensors
    python tests/tools/make_reference.py

Everything is computed in double precision from the stored fp32 weights. A seed is used only if
nothing kept depends on rounding: see `fragile`.
"""

import argparse
import itertools
import json
import math
import pathlib
import shutil
import string

import safetensors.torch
import tokenizers
import torch
import transformers

import sparse_torch as st

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LENGTH = 40

# Sizes that no kernel's tile divides. `epochs` times the batches of an epoch makes 20 steps.
MODELS = {
    "binary": {
        "config": {"vocab_size": 99, "hidden_size": 20, "num_attention_heads": 5,
                   "intermediate_size": 37, "num_hidden_layers": 3,
                   "id2label": {0: "rejected", 1: "accepted"}},
        "train_rows": 43, "batch": 9, "epochs": 4, "targets": ["query", "value"],
        "rates": {"sparse": 1e-2, "full": 2e-3, "head": 2e-2},
    },
    "regression": {
        "config": {"vocab_size": 90, "hidden_size": 48, "num_attention_heads": 3,
                   "intermediate_size": 100, "num_hidden_layers": 1, "layer_norm_eps": 1e-5,
                   "num_labels": 1, "problem_type": "regression"},
        "train_rows": 41, "batch": 9, "epochs": 4, "targets": ["query", "value"],
        "rates": {"sparse": 1e-2, "full": 2e-3, "head": 2e-2},
    },
    "multiclass": {
        "config": {"vocab_size": 96, "hidden_size": 64, "num_attention_heads": 2,
                   "intermediate_size": 90, "num_hidden_layers": 2,
                   "id2label": {0: "neutral", 1: "entailment", 2: "contradiction"}},
        "train_rows": 47, "batch": 12, "epochs": 5,
        "targets": ["query", "value", "intermediate.dense"],
        "rates": {"sparse": 1e-2, "full": 1e-3, "head": 2e-2},
    },
    # No tokenizer: its rows are ids. Positions count from the padding token's id, which a row has.
    "roberta": {
        "family": "Roberta",
        "config": {"vocab_size": 88, "hidden_size": 36, "num_attention_heads": 3,
                   "intermediate_size": 50, "num_hidden_layers": 2, "type_vocab_size": 1,
                   "max_position_embeddings": MAX_LENGTH + 2, "pad_token_id": 1,
                   "id2label": {0: "rejected", 1: "accepted"}},
        "train_rows": 43, "batch": 9, "epochs": 4, "targets": ["query", "value"],
        "rates": {"sparse": 1e-2, "full": 2e-3, "head": 2e-2}, "runs": ["sparse", "full", "head"],
    },
}

BUDGETS = {"binary": {"rank_equivalent": 2}, "regression": {"density": 0.037},
           "multiclass": {"count": 501}, "roberta": {"count": 301}}

# Each run of 20 steps: the metric or method, its options, and the run that these must tell it from.
RUNS = {
    "sparse": ("gradient", {}, None),
    "sparse_magnitude": ("magnitude", {}, "sparse"),
    "sparse_clip": ("gradient", {"max_grad_norm": 1.0}, "sparse"),
    "sparse_decay": ("gradient", {"weight_decay": 1.0}, "sparse"),
    "sparse_decay_warmup": ("gradient", {"weight_decay": 0.01, "warmup_steps": 5}, "sparse"),
    "full": ("full", {}, None),
    "full_decay": ("full", {"weight_decay": 1.0}, "full"),
    "head": ("head", {}, None),
}


def make_vocab(size):
    letters = string.ascii_lowercase
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    tokens += ["##" + c for c in letters] + list(string.digits)
    tokens += ["##" + c for c in string.digits] + list(string.punctuation)
    return tokens[:size]


def write_tokenizer(folder, size, as_json):
    vocab = make_vocab(size)
    if not as_json:
        (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}\n')
        return
    ids = {token: i for i, token in enumerate(vocab)}
    tok = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    tok.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tok.decoder = tokenizers.decoders.WordPiece()
    tok.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    tok.add_special_tokens(vocab[:5])
    tok.save(str(folder / "tokenizer.json"))


def make_model(name, spec, folder, generator):
    """Random weights large enough that every part of the model matters to its output."""
    family = spec.get("family", "Bert")
    config = getattr(transformers, f"{family}Config")(
        **{"max_position_embeddings": MAX_LENGTH, "type_vocab_size": 2, **spec["config"]})
    model = getattr(transformers, f"{family}ForSequenceClassification")(config)
    with torch.no_grad():
        for key, param in model.named_parameters():
            noise = torch.randn(param.shape, generator=generator)
            if param.ndim == 1:
                param.copy_(0.1 * noise + (1.0 if key.endswith("LayerNorm.weight") else 0.0))
            elif "embeddings" in key:
                param.copy_(0.5 * noise)
            else:
                param.copy_(1.2 * noise / math.sqrt(param.shape[1]))
        if name == "regression":  # many equal magnitudes, so that ties decide the mask
            for weight in st.target_weights(model, spec["targets"]).values():
                weight.copy_((weight * 16).round() / 16)
    # Shards and an index for one model; one file for the others.
    model.save_pretrained(folder, max_shard_size="100KB" if name == "multiclass" else "5GB")
    if name != "roberta":
        write_tokenizer(folder, config.vocab_size, as_json=name == "multiclass")


def make_rows(name, spec, count, generator):
    """Rows without the padding token: PyTorch never trains its embedding."""
    config = spec["config"]
    padding = config.get("pad_token_id", 0)

    def draw(low, high, size=1):
        return torch.randint(low, high, (size,), generator=generator).tolist()

    rows = []
    for i in range(count):
        length = {2: 1, 5: MAX_LENGTH, 7: 2, 11: 3, 15: 33}.get(i) or draw(4, MAX_LENGTH)[0]
        row = {"input_ids": draw(padding + 1, config["vocab_size"], length)}
        if i % 3 and config.get("type_vocab_size", 2) > 1:  # the others leave token_type_ids out
            first = draw(1, length + 1)[0]
            row["token_type_ids"] = [0] * first + [1] * (length - first)
        if name == "regression":
            row["label"] = draw(-4, 5)[0] / 2
        else:
            row["label"] = draw(0, len(config["id2label"]))[0]
        rows.append(row)
    return rows


def write_rows(path, rows, names=None):
    """One JSON object a row; with `names` a label is written as its class's name."""
    with open(path, "w") as file:
        for row in rows:
            label = row["label"] if names is None else names[row["label"]]
            file.write(json.dumps({**row, "label": label}) + "\n")


def load_model(folder):
    return transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.get_default_dtype(), attn_implementation="eager").eval()


def mask_cases(name, spec):
    """{case: sparse block}: every metric and scope; each budget, fewer rows, and all of them."""
    base = {"method": "static", "target_modules": spec["targets"]}
    cases = {}
    for metric, scope in itertools.product(("gradient", "magnitude"), ("global", "tensor")):
        cases[f"{metric}_{scope}"] = {**base, "metric": metric, "scope": scope, **BUDGETS[name],
                                      "scoring_examples": 20}
    cases["gradient_all_rows"] = {**base, "metric": "gradient", "scope": "global",
                                  "density": 0.043, "scoring_examples": 1024}
    return cases


def make_mask(model, spec, sparse, train):
    """(positions, scores) of a sparse block."""
    weights = st.target_weights(model, sparse["target_modules"])
    scoring = st.batches(train[:sparse["scoring_examples"]], spec["batch"])
    scores = st.score_weights(model, weights, sparse["metric"], scoring)
    count = st.entry_count(weights, sparse)
    return st.select_positions(scores, count, sparse["scope"]), scores


def threshold_gap(positions, scores, scope):
    """The least relative distance from a kept score to one left out, where they are ranked."""
    pairs = []
    for name, values in scores.items():
        kept = torch.zeros(len(values), dtype=torch.bool)
        kept[positions[name]] = True
        pairs.append((values, kept))
    if scope == "global":
        pairs = [[torch.cat(parts) for parts in zip(*pairs)]]
    return min(1 - (values[~kept].max() / values[kept].min()).item() for values, kept in pairs)


def run_config(name, spec, method, options, _rival):
    kind = method if method in ("full", "head") else "sparse"
    sparse = ({"method": kind} if kind != "sparse" else
              {**mask_cases(name, spec)["gradient_global"], "metric": method})
    return {"learning_rate": spec["rates"][kind], "per_device_train_batch_size": spec["batch"],
            "num_train_epochs": spec["epochs"], "max_seq_length": MAX_LENGTH, "shuffle": False,
            "dropout": 0, "lr_scheduler_type": "linear", "warmup_steps": 0, "weight_decay": 0,
            "max_grad_norm": 0, "logging_steps": 1, **options, "sparse": sparse}


def train_run(folder, name, spec, run, rows):
    """20 steps in file order, then the metrics and logits of the trained model on eval.jsonl."""
    model = load_model(folder)
    config = run_config(name, spec, *run)
    method = config["sparse"]["method"]
    if method == "static":
        positions, _ = make_mask(model, spec, config["sparse"], rows["train"])
        trainer = st.Trainer(model, "sparse", config, positions)
    else:
        trainer = st.Trainer(model, method, config)
    epoch = st.batches(rows["train"], spec["batch"])
    total = len(epoch) * spec["epochs"]
    steps = [trainer.step(epoch[t % len(epoch)], t, total) for t in range(total)]
    losses, norms, rates = zip(*steps)
    metrics, logits = st.evaluate(model, rows["eval"], spec["batch"])
    return {"config": config, "trained": trainer.trained_count(), "losses": losses,
            "grad_norms": norms, "learning_rates": rates, "metrics": metrics,
            "logits": logits.tolist()}


def compute(folder, name, spec, rows):
    """(expected, gradients, gaps) in the default dtype."""
    model = load_model(folder)
    metrics, logits = st.evaluate(model, rows["eval"], spec["batch"])
    masks, gaps = {}, {}
    for case, sparse in mask_cases(name, spec).items():
        positions, scores = make_mask(model, spec, sparse, rows["train"])
        gaps[case] = threshold_gap(positions, scores, sparse["scope"])
        masks[case] = {"sparse": sparse, "count": sum(len(p) for p in positions.values()),
                       "indices": {n: p.tolist() for n, p in positions.items()}}
    model.zero_grad()
    st.loss_of(model, st.batches(rows["train"], spec["batch"])[0]).backward()
    gradients = {n: p.grad.float() for n, p in model.named_parameters()}
    runs = {key: train_run(folder, name, spec, RUNS[key], rows) for key in spec.get("runs", RUNS)}
    return {"batch_size": spec["batch"], "metrics": metrics, "logits": logits.tolist(),
            "masks": masks, "runs": runs}, gradients, gaps


def distance(a, b):
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def fragile_masks(expected, single, gaps):
    """Thresholds of gradients need a gap; magnitudes are exact, ties too."""
    for case, gap in gaps.items():
        if case.startswith("gradient") and gap < 1e-4:
            return f"{case}: gap {gap:.1e}"
        if expected["masks"][case] != single["masks"][case]:
            return f"{case}: fp32 gives another mask"
    return None


def fragile_outputs(wide, single):
    """fp32 agrees 5 times closer than 1e-4, and no class is a near tie."""
    for a, b in zip(wide["logits"], single["logits"]):
        top = sorted(a)[-2:]
        if distance(a, b) > 2e-5 or len(a) > 1 and top[1] - top[0] < 1e-3:
            return f"logits {a} and {b}"
    if distance(wide["metrics"].values(), single["metrics"].values()) > 1e-5:
        return "metrics"
    return None


def fragile_run(key, runs, single):
    """fp32 agrees 20 times closer than 1e-4, and the run's option moves its losses by far more."""
    losses, rival = runs[key]["losses"], RUNS[key][2]
    away = distance(losses, single["losses"])
    if away > 5e-6:
        return f"fp32 losses {away:.1e} away"
    if rival and distance(losses, runs[rival]["losses"]) < 1e-2:
        return f"as {rival}"
    return fragile_outputs(runs[key], single)


def fragile(expected, single, gaps):
    """Why these numbers would not bear another program's rounding, or None."""
    runs = expected["runs"]
    reasons = [fragile_masks(expected, single, gaps), fragile_outputs(expected, single)]
    for key in runs:
        reason = fragile_run(key, runs, single["runs"][key])
        reasons.append(reason and f"{key}: {reason}")
    return next(filter(None, reasons), None)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return value


def dump(value, indent=""):
    """JSON with a line for each key and each row of a matrix."""
    inner = indent + " "
    if isinstance(value, dict) and value:
        body = [f"{inner}{json.dumps(k)}: {dump(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(body) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(inner + json.dumps(v) for v in value) + f"\n{indent}]"
    return json.dumps(value)


def make(name, spec, folder, seed):
    """Writes one model's folder; returns why the seed will not do, or None."""
    generator = torch.Generator().manual_seed(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_model(name, spec, folder, generator)
    rows = {"train": make_rows(name, spec, spec["train_rows"], generator),
            "eval": make_rows(name, spec, 17, generator)}
    if name == "roberta":
        rows["eval"][4]["input_ids"][2:2] = [1]
    for part, content in rows.items():
        names = spec["config"]["id2label"] if name in ("binary", "roberta") else None
        write_rows(folder / f"{part}.jsonl", content, names)

    torch.set_default_dtype(torch.float32)
    single, _, _ = compute(folder, name, spec, rows)
    torch.set_default_dtype(torch.float64)
    expected, gradients, gaps = compute(folder, name, spec, rows)
    torch.set_default_dtype(torch.float32)
    (folder / "expected.json").write_text(dump(rounded({"seed": seed, **expected})) + "\n")
    if name != "multiclass":
        safetensors.torch.save_file(gradients, folder / "gradients.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors leaves 0600
    return fragile(expected, single, gaps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "tests/data/reference")
    parser.add_argument("--model", choices=MODELS, action="append", help="only this one")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name in args.model or MODELS:
        for seed in itertools.count():
            reason = make(name, MODELS[name], args.output / name, seed)
            print(f"{name}, seed {seed}: {reason or 'kept'}", flush=True)
            if reason is None:
                break


if __name__ == "__main__":
    main()
