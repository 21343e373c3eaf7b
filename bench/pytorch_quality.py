#!/usr/bin/env python3
"""The quality run in PyTorch: MiniLM on SST-2 with the recipe of speft-cl's own run.

    python bench/pytorch_quality.py --model MODEL_DIR --data SST2_DIR --method gradient

Prints one JSON line with the accuracy and loss on dev.tsv. See doc/quality.md.
"""

import argparse
import csv
import json
import math
import pathlib
import sys
import time

import tokenizers
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "tools"))
import sparse_torch as st  # noqa: E402

BATCH = 32
MAX_LENGTH = 64
SCORING_EXAMPLES = 1024
SPARSE = {"rank_equivalent": 8, "scope": "global", "target_modules": ["query", "value"]}
RATES = {"gradient": 1e-3, "random": 1e-3, "full": 5e-5, "head": 1e-3}


def read_tsv(path, tokenizer, limit=None):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:limit]
    encoded = tokenizer.encode_batch([row["sentence"] for row in rows])
    return [{"input_ids": e.ids, "label": int(row["label"])} for e, row in zip(encoded, rows)]


def load_model(path, seed):
    torch.manual_seed(seed)
    model = transformers.BertForSequenceClassification.from_pretrained(path, num_labels=2)
    torch.nn.init.normal_(model.classifier.weight, std=0.02)
    torch.nn.init.zeros_(model.classifier.bias)
    return model


def make_trainer(model, args, train, run):
    if args.method in ("full", "head"):
        return st.Trainer(model, args.method, run)
    weights = st.target_weights(model, SPARSE["target_modules"])
    generator = torch.Generator().manual_seed(args.seed)
    scoring = st.batches(train[:SCORING_EXAMPLES], BATCH)
    scores = st.score_weights(model, weights, args.method, scoring, generator)
    count = st.entry_count(weights, SPARSE)
    positions = st.select_positions(scores, count, SPARSE["scope"])
    return st.Trainer(model, "sparse", run, positions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--method", choices=RATES, default="gradient")
    parser.add_argument("--train-rows", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    tokenizer = tokenizers.Tokenizer.from_file(f"{args.model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    train = read_tsv(args.data / "train.tsv", tokenizer, args.train_rows)
    dev = read_tsv(args.data / "dev.tsv", tokenizer)

    model = load_model(args.model, args.seed)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(args.seed))
    train = [train[i] for i in order]
    total = math.ceil(len(train) / BATCH)
    run = {"learning_rate": RATES[args.method], "weight_decay": 0.0, "max_grad_norm": 1.0,
           "warmup_steps": math.ceil(0.06 * total)}
    before, _ = st.evaluate(model, dev, BATCH)

    start = time.monotonic()
    trainer = make_trainer(model, args, train, run)
    model.train()
    for step, batch in enumerate(st.batches(train, BATCH)):
        loss, norm, rate = trainer.step(batch, step, total)
        if step % 25 == 0:
            print(f"step {step}/{total} loss {loss:.4f} norm {norm:.3f} lr {rate:.2e}",
                  file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    after, _ = st.evaluate(model, dev, BATCH)
    print(json.dumps({
        "method": args.method, "seed": args.seed, "trained": trainer.trained_count(),
        "accuracy_before": round(before["accuracy"], 4), "accuracy": round(after["accuracy"], 4),
        "loss": round(after["loss"], 4), "f1": round(after["f1"], 4),
        "matthews_correlation": round(after["matthews_correlation"], 4),
        "seconds": round(seconds, 1), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "transformers": transformers.__version__}), flush=True)


if __name__ == "__main__":
    main()
