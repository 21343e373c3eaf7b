#!/usr/bin/env python3
"""speft-cl's training step beside PyTorch's, interleaved on an otherwise idle machine.

    python bench/compare.py --model MODEL_DIR [--step build/bench/step] [--method lora]

Each repeat runs one program, then the other. Of the repeats the medians are shown, and the ratios
are medians of the repeats' own ratios, so that a machine that slows down meanwhile does less harm.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

KEYS = {"tokens/s, median step": "tokens_per_second_median",
        "tokens/s, best step": "tokens_per_second_best",
        "peak memory, MiB": "peak_mib"}


def run(command):
    """The JSON object on the last line that the command prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"compare.py: exit status {done.returncode} from: {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--step", default="build/bench/step", help="speft-cl's benchmark program")
    parser.add_argument("--python", default=sys.executable, help="one that has torch and peft")
    parser.add_argument("--method", default="lora", help="PyTorch's: lora, shira, full or head")
    parser.add_argument("--dtype", default="fp32", help="PyTorch's: fp32 or bf16")
    parser.add_argument("--batch", default="32")
    parser.add_argument("--length", default="128")
    parser.add_argument("--rank", default="8", help="LoRA's rank and the sparse rank_equivalent")
    parser.add_argument("--steps", default="8")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    shape = ["--model", args.model, "--batch", args.batch, "--length", args.length,
             "--steps", args.steps]
    ours = [args.step, *shape, "--rank-equivalent", args.rank]
    theirs = [args.python, str(here / "pytorch_step.py"), *shape, "--rank", args.rank,
              "--method", args.method, "--dtype", args.dtype]
    pairs = []
    for i in range(args.repeats):
        pairs.append((run(ours), run(theirs)))
        print(f"{i + 1}/{args.repeats}:", *(p["tokens_per_second_median"] for p in pairs[-1]),
              "tokens/s", file=sys.stderr)

    print(f"| {args.batch} x {args.length}, {args.repeats} repeats | speft-cl "
          f"| PyTorch {args.method} {args.dtype} | ratio | lowest | highest |")
    print("|---|---|---|---|---|---|")
    for title, key in KEYS.items():
        left, right = (statistics.median(p[side][key] for p in pairs) for side in (0, 1))
        ratios = [a[key] / b[key] for a, b in pairs]
        print(f"| {title} | {left:.0f} | {right:.0f} | {statistics.median(ratios):.2f} "
              f"| {min(ratios):.2f} | {max(ratios):.2f} |")


if __name__ == "__main__":
    main()
