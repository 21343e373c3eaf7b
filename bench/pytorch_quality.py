#!/usr/bin/env python3
"""The quality runs in PyTorch: MiniLM on SST-2, or SmolLM2 on GSM8K, with the recipe of speft-cl's own run.

    python bench/pytorch_quality.py --model MODEL_DIR --data SST2_DIR --method gradient
    python bench/pytorch_quality.py --task gsm8k --model MODEL_DIR --data GSM8K_DIR --method gradient

Prints one JSON line with the scores on the held-out rows. See doc/quality.md.
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


class Sst2:
    """configs/presets/sst2.yaml."""
    batch, length, train_rows, scoring_rows, eval_rows = 32, 64, 12000, 1024, None
    sparse = {"rank_equivalent": 8, "scope": "global", "target_modules": ["query", "value"]}
    shuffled = True

    @staticmethod
    def read(args, part, tokenizer):
        path = args.data / {"train": "train.tsv", "eval": "dev.tsv"}[part]
        limit = getattr(args, f"{part}_rows")
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:limit]
        encoded = tokenizer.encode_batch([row["sentence"] for row in rows])
        return [{"input_ids": e.ids, "label": int(row["label"])} for e, row in zip(encoded, rows)]

    @staticmethod
    def load(path):
        model = transformers.BertForSequenceClassification.from_pretrained(path, num_labels=2)
        torch.nn.init.normal_(model.classifier.weight, std=0.02)
        torch.nn.init.zeros_(model.classifier.bias)
        return model

    evaluate = staticmethod(st.evaluate)


class Gsm8k:
    """configs/presets/gsm8k.yaml: the answer is learnt, and the end token behind it."""
    batch, length, train_rows, scoring_rows, eval_rows = 8, 512, 2000, 256, 200
    sparse = {"density": 0.01, "scope": "global",
              "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                                 "down_proj"]}
    shuffled = False  # both sides take the rows as they stand, so that no number is random

    @staticmethod
    def read(args, part, tokenizer):
        path = args.data / {"train": "train.jsonl", "eval": "test.jsonl"}[part]
        limit = getattr(args, f"{part}_rows")
        end = json.loads(pathlib.Path(args.model, "config.json").read_text())["eos_token_id"]
        rows = []
        for line in path.read_text(encoding="utf-8").split("\n")[:limit]:
            row = json.loads(line)
            prompt = tokenizer.encode(row["question"]).ids
            ids = tokenizer.encode(row["question"] + row["answer"]).ids + [end]
            same = next((i for i, (a, b) in enumerate(zip(prompt, ids)) if a != b), len(prompt))
            labels = [-100] * same + ids[same:]
            rows.append({"input_ids": ids[:args.length], "labels": labels[:args.length]})
        return rows

    @staticmethod
    def load(path):
        return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)

    evaluate = staticmethod(st.evaluate_causal)


TASKS = {"sst2": Sst2, "gsm8k": Gsm8k}
RATES = {"gradient": 1e-3, "random": 1e-3, "full": 5e-5, "head": 1e-3}


def make_trainer(task, model, args, train, run):
    if args.method in ("full", "head"):
        return st.Trainer(model, args.method, run)
    weights = st.target_weights(model, task.sparse["target_modules"])
    generator = torch.Generator().manual_seed(args.seed)
    scoring = st.batches(train[:args.scoring_rows], args.batch)
    scores = st.score_weights(model, weights, args.method, scoring, generator)
    count = st.entry_count(weights, task.sparse)
    positions = st.select_positions(scores, count, task.sparse["scope"])
    return st.Trainer(model, "sparse", run, positions)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="sst2")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--method", choices=RATES, default="gradient")
    sizes = ("train-rows", "scoring-rows", "eval-rows", "batch", "length")
    for size in sizes:
        parser.add_argument(f"--{size}", type=int, help="by default the task's")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    for size in (name.replace("-", "_") for name in sizes):
        if getattr(args, size) is None:
            setattr(args, size, getattr(TASKS[args.task], size))
    return args


def load_tokenizer(args, task):
    tokenizer = tokenizers.Tokenizer.from_file(f"{args.model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if task is Sst2:
        tokenizer.enable_truncation(args.length)
    return tokenizer


def main():
    args = parse()
    task = TASKS[args.task]
    tokenizer = load_tokenizer(args, task)
    train = task.read(args, "train", tokenizer)
    held_out = task.read(args, "eval", tokenizer)

    torch.manual_seed(args.seed)
    model = task.load(args.model)
    if task.shuffled:
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(args.seed))
        train = [train[i] for i in order]
    total = math.ceil(len(train) / args.batch)
    run = {"learning_rate": RATES[args.method], "weight_decay": 0.0, "max_grad_norm": 1.0,
           "warmup_steps": math.ceil(0.06 * total)}
    before, _ = task.evaluate(model, held_out, args.batch)
    print(f"before: {before}", file=sys.stderr, flush=True)

    start = time.monotonic()
    trainer = make_trainer(task, model, args, train, run)
    model.train()
    for step, batch in enumerate(st.batches(train, args.batch)):
        loss, norm, rate = trainer.step(batch, step, total)
        if step % 25 == 0 or total < 25:
            print(f"step {step}/{total} loss {loss:.4f} norm {norm:.3f} lr {rate:.2e}",
                  file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    after, _ = task.evaluate(model, held_out, args.batch)
    print(json.dumps({
        "task": args.task, "method": args.method, "seed": args.seed,
        "train_rows": len(train), "batch": args.batch, "length": args.length,
        "trained": trainer.trained_count(),
        **{f"{name}_before": round(value, 5) for name, value in before.items()},
        **{name: round(value, 5) for name, value in after.items()},
        "seconds": round(seconds, 1), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "transformers": transformers.__version__}), flush=True)


if __name__ == "__main__":
    main()
