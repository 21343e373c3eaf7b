#!/usr/bin/env python3
"""Make metrics.json and scores.safetensors of tests/data/reference: every metric's mask.

    python tests/tools/make_reference.py
    python tests/tools/make_metrics.py

The models and rows are those of make_reference.py, as they lie there. Everything is computed in
double precision. A case's count is the first from COUNT on at which nothing depends on rounding.
"""

import json

import safetensors.torch
import torch
import transformers

import make_reference as reference
import metric_torch as mt
import sparse_torch as st

COUNT = 90
EXAMPLES = 20
# The least distance from a kept score to one left out, relative to the threshold. speft-cl's
# Hessian-vector product is a finite difference.
GAPS = {"grasp": 4e-3, "lift": 1e-3}
# Of the binary model: what the scores themselves are compared with.
KEPT_SCORES = ("synflow", "wanda", "fisher", "grasp")


def cases(name, spec):
    """{case: sparse block}; scopes take turns, so that each metric has another in each model."""
    scopes = ("global", "tensor", "uniform_count")
    shift = list(reference.MODELS).index(name)
    for i, metric in enumerate(mt.METRICS):
        scope = "global" if metric == "grasp" else scopes[(i + shift) % len(scopes)]
        yield metric, {"method": "static", "target_modules": spec["targets"], "metric": metric,
                       "scope": scope, "scoring_examples": EXAMPLES, "lift_rank": 4,
                       "sign": "paper"}
        if metric == "grasp":  # the other sign, and rows that wrap
            yield "grasp_code", {**dict(method="static", target_modules=spec["targets"]),
                                 "metric": metric, "scope": "global", "scoring_examples": 30,
                                 "lift_rank": 4, "sign": "code"}


def gap(scores, positions, scope):
    """The least relative distance over the rankings that there are."""
    kept = {n: torch.zeros(len(s), dtype=torch.bool) for n, s in scores.items()}
    for n, p in positions.items():
        kept[n][p] = True
    pairs = [(scores[n], kept[n]) for n in scores]
    if scope == "global":
        pairs = [[torch.cat(parts) for parts in zip(*pairs)]]
    least = 1.0
    for values, chosen in pairs:
        low, high = values[chosen].min().item(), values[~chosen].max().item()
        least = min(least, (low - high) / (abs(low) + abs(high)))
    return least


def choose(wide, single, sparse):
    """(count, positions): the first count that rounding does not decide. Magnitudes are exact."""
    for count in range(COUNT, 4 * COUNT):
        positions = mt.select(wide, count, sparse["scope"])
        if sparse["metric"].startswith("magnitude"):
            return count, positions
        other = mt.select(single, count, sparse["scope"])
        same = all(torch.equal(positions[n], other[n]) for n in positions)
        if same and gap(wide, positions, sparse["scope"]) > GAPS.get(sparse["metric"], 1e-4):
            return count, positions
    raise RuntimeError(f"{sparse['metric']}: every count is fragile")


def compute(folder, spec, sparse, rows, dtype):
    torch.set_default_dtype(dtype)
    typed = [{**r, "label": float(r["label"])} for r in rows] if spec["config"].get(
        "num_labels") == 1 else rows
    model = reference.load_model(folder)
    weights = st.target_weights(model, sparse["target_modules"])
    return mt.score(model, weights, sparse, typed, spec["batch"])


def read_rows(folder, spec):
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    classes = {label: i for i, label in spec["config"].get("id2label", {}).items()}
    return [{**row, "label": classes.get(row["label"], row["label"])} for row in rows]


def make(name, spec, folder):
    rows = read_rows(folder, spec)
    result, kept = {}, {}
    for case, sparse in cases(name, spec):
        wide = compute(folder, spec, sparse, rows, torch.float64)
        single = compute(folder, spec, sparse, rows, torch.float32)
        count, positions = choose(wide, single, sparse)
        result[case] = {"sparse": {**sparse, "count": count},
                        "count": sum(len(p) for p in positions.values()),
                        "indices": {n: p.tolist() for n, p in positions.items()}}
        print(f"{name}, {case}: {count}", flush=True)
        if name == "binary" and case in KEPT_SCORES:
            kept |= {f"{case}.{n}": s.float() for n, s in wide.items()}
    document = {"batch_size": spec["batch"], "masks": result}
    (folder / "metrics.json").write_text(reference.dump(document) + "\n")
    if kept:
        safetensors.torch.save_file(kept, folder / "scores.safetensors")
        (folder / "scores.safetensors").chmod(0o644)


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name, spec in reference.MODELS.items():
        make(name, spec, reference.ROOT / "tests/data/reference" / name)


if __name__ == "__main__":
    main()
