#!/usr/bin/env python3
"""Make tests/data/reference/*/moving.json: runs whose mask moves, and SM3, as PyTorch computes them.

    python tests/tools/make_reference.py       # first: the models and rows
    python tests/tools/moving_torch.py

Optimizers and masks are written out here entry by entry, in double precision; runtime/train's
headers say the rules. A run is refused if its masks or losses would not bear another program's
rounding: fp32 must repeat every mask and the losses within 1e-5.
"""

import argparse
import json
import math
import pathlib
import sys

import torch
import transformers

import make_reference as mr
import sparse_torch as st

SMALL = {"reselection_steps": 6, "selection_accumulation_steps": 2}

# Each run of 20 steps: its sparse block over the model's targets and budget, and other options.
RUNS = {
    "dynamic_merge": ({"method": "dynamic", "interval": 6}, {}),
    "dynamic_revert": ({"method": "dynamic", "interval": 7, "on_drop": "revert"},
                       {"weight_decay": 1.0}),
    "dynamic_merge_sm3": ({"method": "dynamic", "interval": 6}, {"optimizer": "sm3"}),
    "spiel_ag": ({"method": "spiel", **SMALL}, {}),
    "spiel_ag_clip": ({"method": "spiel", **SMALL, "initial_replacement": 0.6,
                       "replacement_schedule": "cosine", "drop": "delta_change"},
                      {"max_grad_norm": 1.0, "gradient_accumulation_steps": 2, "max_steps": 20}),
    "spiel_ag_sm3": ({"method": "spiel", **SMALL}, {"optimizer": "sm3"}),
    "spiel_ma": ({"method": "spiel", "growth": "ma", **SMALL}, {"weight_decay": 1.0}),
    "static_sm3": ({"method": "static", "metric": "gradient", "scoring_examples": 20},
                   {"optimizer": "sm3", "weight_decay": 0.5, "max_grad_norm": 1.0}),
    "full_sm3": ({"method": "full"}, {"optimizer": "sm3"}),
}
SEED = 42


def philox(counter, key):
    """Philox4x32-10 of four and two 32-bit words."""
    c, k, word = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & word, (p0 >> 32) ^ c[3] ^ k[1], p0 & word]
        k = [(k[0] + 0x9E3779B9) & word, (k[1] + 0xBB67AE85) & word]
    return c


def random_scores(tensor, count):
    """The metric `random`: 24 bits for each position of a tensor."""
    stream = 3  # SP_RNG_MASK
    words = [philox((i, 0, tensor, stream), (SEED, 0))[0] >> 8 for i in range(count)]
    return torch.tensor(words, dtype=torch.float64)


def smallest(values, count):
    """Indices of the smallest, of equal ones the lower."""
    return torch.sort(values, stable=True).indices[:count]


class Entries:
    """What is trained of one tensor: `where` (None: all of it), values, optimizer state."""

    def __init__(self, weight, where=None, decay=True):
        self.weight, self.where, self.decay = weight, where, decay
        flat = weight.detach().flatten()
        self.base = torch.zeros_like(flat) if where is None else flat[where].clone()
        self.values = flat.clone() if where is None else torch.zeros_like(self.base)
        self.shape = (len(flat), 1) if weight.ndim == 1 else tuple(weight.shape)
        self.m, self.v, self.age = (torch.zeros_like(self.values) for _ in range(3))
        self.rows, self.cols = (flat.new_zeros(n) for n in self.shape)

    def flat(self):
        return self.weight.data.view(-1)

    def take(self, gradient):
        return gradient.flatten() if self.where is None else gradient.flatten()[self.where]

    def write(self):
        if self.where is None:
            self.flat().copy_(self.values)
        else:
            self.flat()[self.where] = self.base + self.values

    def adamw(self, g, rate, decay):
        self.age += 1
        self.values *= 1 - rate * decay
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g * g
        self.values -= rate * (self.m / (1 - 0.9 ** self.age)) / (
            torch.sqrt(self.v / (1 - 0.999 ** self.age)) + 1e-8)

    def sm3(self, g, rate, decay):
        where = torch.arange(self.weight.numel()) if self.where is None else self.where
        row, col = where // self.shape[1], where % self.shape[1]
        u = torch.minimum(self.rows[row], self.cols[col]) + g * g
        self.values = (self.values - rate * g / torch.sqrt(u + 1e-8)) * (1 - rate * decay)
        self.rows = self.rows.scatter_reduce(0, row, u, "amax")
        self.cols = self.cols.scatter_reduce(0, col, u, "amax")

    def move(self, where, merge, seeds=None):
        """The new positions; `seeds`: {position: (m, v, age)} of those that were not there."""
        old = {p: i for i, p in enumerate(self.where.tolist())}
        if merge:
            self.rows, self.cols = torch.zeros_like(self.rows), torch.zeros_like(self.cols)
        else:
            self.flat()[self.where] = self.base
        state = (self.values, self.m, self.v, self.age)
        self.where = where
        self.base = self.flat()[where].clone()
        new = [torch.zeros_like(self.base) for _ in state]
        for k, position in enumerate(where.tolist()):
            if position in old and not merge:
                for target, source in zip(new, state):
                    target[k] = source[old[position]]
            elif seeds:
                for target, value in zip(new[1:], seeds[position]):
                    target[k] = value
        self.values, self.m, self.v, self.age = new
        self.write()


class Trainer:
    def __init__(self, model, config, train):
        self.model, self.config, self.train = model, config, train
        self.sparse = config["sparse"]
        self.method = self.sparse["method"]
        for param in model.parameters():
            param.requires_grad_()
        self.targets, self.moves = {}, []
        dense = dict(model.named_parameters())
        if self.method != "full":
            names = st.target_weights(model, self.sparse["target_modules"])
            self.targets = {n: Entries(names[n], w) for n, w in self.first_mask(names).items()}
            dense = st.head_parameters(model)
        self.touched = {n: set(e.where.tolist()) for n, e in self.targets.items()}
        self.dense = [Entries(p, decay=p.ndim > 1) for p in dense.values()]
        self.before = {n: torch.zeros_like(e.values) for n, e in self.targets.items()}
        self.window = None

    def first_mask(self, weights):
        if self.method != "spiel":
            return self.scored_mask(weights)
        scores = {n: random_scores(i, w.numel()) for i, (n, w) in enumerate(weights.items())}
        return st.select_positions(scores, st.entry_count(weights, self.sparse), "tensor")

    def scored_mask(self, weights):
        rows = self.train[:self.sparse["scoring_examples"]]
        scoring = st.batches(rows, self.config["per_device_train_batch_size"])
        scores = st.score_weights(self.model, weights, "gradient", scoring)
        return st.select_positions(scores, st.entry_count(weights, self.sparse), "global")

    def option(self, key, default):
        return self.sparse.get(key, default)

    def opens(self, done, total):
        """Whether a window of growth ag opens with `done` steps done."""
        return (self.method == "spiel" and self.option("growth", "ag") == "ag"
                and done % self.sparse["reselection_steps"] == 0
                and done + self.sparse["selection_accumulation_steps"] < total)

    def gradients(self, group, done, total):
        """Mean loss of the group's rows; gradients stay in .grad; the first choose candidates."""
        self.model.zero_grad()
        mean = 0.0
        for m, (batch, share) in enumerate(st.shares(group)):
            loss = st.loss_of(self.model, batch) * share
            loss.backward()
            mean += loss.item()
            if m == 0 and self.opens(done, total):
                self.window = {}
                for n, e in self.targets.items():
                    largest = st.top_positions(e.weight.grad.abs().flatten(), len(e.where))
                    self.window[n] = (largest, 0, 0)
        return mean

    def step(self, group, done, total):
        run = self.config
        rate = run["learning_rate"] * st.linear_schedule(done, total, run["warmup_steps"])
        loss = self.gradients(group, done, total)
        everything = [*self.targets.values(), *self.dense]
        grads = [e.take(e.weight.grad) for e in everything]
        norm = math.sqrt(sum((g * g).sum().item() for g in grads))
        limit = run["max_grad_norm"]
        clip = min(1.0, limit / (norm + 1e-6)) if limit else 1.0
        for entries, g in zip(everything, grads):
            update = entries.sm3 if self.optimizer() == "sm3" else entries.adamw
            update(g * clip, rate, run["weight_decay"] if entries.decay else 0.0)
            entries.write()
        if self.window:
            for n, (where, total_g, squares) in self.window.items():
                g = self.targets[n].weight.grad.flatten()[where] * clip
                self.window[n] = (where, total_g + g, squares + g * g)
        self.move(done + 1, total)
        return loss, norm, rate

    def optimizer(self):
        default = "sm3" if self.option("growth", "ag") == "ma" else "adamw"
        return self.config.get("optimizer", default)

    def move(self, done, total):
        if done >= total:
            return
        if self.method == "dynamic" and done % self.sparse["interval"] == 0:
            weights = {n: e.weight for n, e in self.targets.items()}
            merge = self.option("on_drop", "merge") == "merge"
            self.record(done, {n: (w, None) for n, w in self.scored_mask(weights).items()}, merge)
        if self.method == "spiel" and (done % self.sparse["reselection_steps"]
                                       == self.sparse["selection_accumulation_steps"]):
            share = self.replaced_share(done, total)
            masks = {n: self.reselect(n, e, share) for n, e in self.targets.items()}
            self.record(done, masks, False)
            self.window = None
            self.before = {n: e.values.clone() for n, e in self.targets.items()}

    def replaced_share(self, done, total):
        first, progress = self.option("initial_replacement", 0.2), done / total
        if self.option("replacement_schedule", "linear") == "cosine":
            return first * (1 + math.cos(math.pi * progress)) / 2
        is_first = done == self.sparse["selection_accumulation_steps"]
        return 1.0 if is_first else first * (1 - progress)

    def reselect(self, name, e, share):
        """(new positions, seeds) of one tensor."""
        n = int(len(e.where) * share)
        changed = e.values
        if self.option("drop", "delta") == "delta_change":
            changed = changed - self.before[name]
        active = set(e.where.tolist())
        dropped = set(e.where[smallest(changed.abs(), n)].tolist())
        if self.option("growth", "ag") == "ma":
            n = min(n, e.weight.numel() - len(active))
            dropped = set(e.where[smallest(changed.abs(), n)].tolist())
            products = torch.outer(e.rows, e.cols).flatten()
            products[e.where] = -1
            grown = torch.sort(products, descending=True, stable=True).indices[:n].tolist()
            return torch.tensor(sorted(active - dropped | set(grown))), None
        window, sums, squares = self.window[name]
        valid = [i for i, p in enumerate(window.tolist()) if p not in active - dropped]
        order = torch.sort(sums[valid].abs(), descending=True, stable=True).indices[:n]
        steps = self.sparse["selection_accumulation_steps"]
        seeds = {}
        for i in (valid[k] for k in order.tolist()):
            seeds[window[i].item()] = (sums[i] / steps * (1 - 0.9 ** steps),
                                       squares[i] / steps * (1 - 0.999 ** steps), steps)
        return torch.tensor(sorted(active - dropped | set(seeds))), seeds

    def record(self, done, masks, merge):
        """Moves every tensor's entries and notes what metrics.jsonl says of it."""
        line = {"step": done, "mask_kept": 0, "mask_dropped": 0, "mask_added": 0,
                "mask_touched": 0, "mask_size": 0}
        for n, (where, seeds) in masks.items():
            e = self.targets[n]
            old, new = set(e.where.tolist()), set(where.tolist())
            e.move(where, merge, seeds)
            self.touched[n] |= new
            line["mask_kept"] += len(old & new)
            line["mask_dropped"] += len(old - new)
            line["mask_added"] += len(new - old)
            line["mask_touched"] += len(self.touched[n])
            line["mask_size"] += len(new)
        self.moves.append({"line": line, "indices": {n: w.tolist() for n, (w, _) in masks.items()}})


def run_config(name, spec, sparse, options):
    block = dict(sparse)
    if sparse["method"] != "full":
        block.update(target_modules=spec["targets"], **mr.BUDGETS[name])
    if sparse["method"] == "dynamic":
        block.update(metric="gradient", scoring_examples=20)
    rate = spec["rates"]["full" if sparse["method"] == "full" else "sparse"]
    return {"learning_rate": rate, "per_device_train_batch_size": spec["batch"],
            "num_train_epochs": spec["epochs"], "max_seq_length": mr.MAX_LENGTH, "shuffle": False,
            "dropout": 0, "lr_scheduler_type": "linear", "warmup_steps": 0, "weight_decay": 0,
            "max_grad_norm": 0, "logging_steps": 1, "seed": SEED, **options, "sparse": block}


def compute(folder, name, spec, key, rows):
    torch.manual_seed(0)
    model = mr.load_model(folder)
    config = run_config(name, spec, *RUNS[key])
    trainer = Trainer(model, config, rows["train"])
    epoch = st.batches(rows["train"], spec["batch"])
    size = config.get("gradient_accumulation_steps", 1)
    groups = [epoch[i:i + size] for i in range(0, len(epoch), size)]
    total = config.get("max_steps") or len(groups) * spec["epochs"]
    steps = [trainer.step(groups[t % len(groups)], t, total) for t in range(total)]
    losses, norms, _ = zip(*steps)
    metrics, logits = st.evaluate(model, rows["eval"], spec["batch"])
    touched = {n: sorted(t) for n, t in trainer.touched.items()}
    return {"config": config, "losses": losses, "grad_norms": norms, "moves": trainer.moves,
            "touched": touched, "metrics": metrics, "logits": logits.tolist()}


def fragile(wide, single):
    if wide["moves"] != single["moves"]:
        return "fp32 gives another mask"
    away = mr.distance(wide["losses"], single["losses"])
    if away > 1e-5:
        return f"fp32 losses {away:.1e} away"
    return mr.fragile_outputs(wide, single)


def read_rows(path, names):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    ids = {label: i for i, label in (names or {}).items()}
    return [{**row, "label": ids.get(row["label"], row["label"])} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=pathlib.Path, default=mr.ROOT / "tests/data/reference")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    failed = False
    for name, spec in mr.MODELS.items():
        folder, runs = args.reference / name, {}
        names = spec["config"]["id2label"] if name == "binary" else None
        rows = {part: read_rows(folder / f"{part}.jsonl", names) for part in ("train", "eval")}
        for key in RUNS:
            results = []
            for dtype in (torch.float32, torch.float64):
                torch.set_default_dtype(dtype)
                results.append(compute(folder, name, spec, key, rows))
            reason = fragile(results[1], results[0])
            sizes = [move["line"]["mask_added"] for move in results[1]["moves"]]
            print(f"{name}, {key}: {reason or 'kept'}, {sizes} added", flush=True)
            failed |= reason is not None
            runs[key] = results[1]
        (folder / "moving.json").write_text(mr.dump(mr.rounded({"runs": runs})) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
