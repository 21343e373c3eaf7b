#!/usr/bin/env python3
"""speft-cl's training step beside PyTorch's, interleaved on an otherwise idle machine.

    python bench/compare.py --model MODEL_DIR [--step build/bench/step] [--method lora,shira]
        [--dtype fp32,bf16] [--causal --targets all-linear --batch 2 --length 512]

Each repeat runs speft-cl, then PyTorch with each method in each type. Of the repeats the medians
are shown, and the ratios are medians of the repeats' own ratios, so that a machine that slows down
meanwhile does less harm; an interrupt shows those that are done. "Of processor time": what the
machine's cores would do if they did nothing else, for one that others use; PyTorch's includes what
its idle threads spin away.
"""

import argparse
import itertools
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys

KEYS = {"tokens/s, median step": "tokens_per_second_median",
        "tokens/s, best step": "tokens_per_second_best",
        "tokens/s of processor time": "tokens_per_processor_second",
        "peak memory, MiB": "peak_mib"}


def run(command, tokens):
    """The JSON object on the last line that the command prints, of steps of so many tokens."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"compare.py: exit status {done.returncode} from: {' '.join(command)}")
    result = json.loads(done.stdout.splitlines()[-1])
    result["tokens_per_processor_second"] = \
        tokens * os.cpu_count() / result["processor_seconds_median"]
    return result


def show(title, ours, theirs):
    print(f"| {title} | ratio | lowest | highest |\n|---|---|---|---|---|---|")
    for name, key in KEYS.items():
        ratios = [a[key] / b[key] for a, b in zip(ours, theirs)]
        left, right = (statistics.median(r[key] for r in side) for side in (ours, theirs))
        print(f"| {name} | {left:.0f} | {right:.0f} | {statistics.median(ratios):.2f} "
              f"| {min(ratios):.2f} | {max(ratios):.2f} |")
    print()


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--step", default="build/bench/step", help="speft-cl's benchmark program")
    parser.add_argument("--python", default=sys.executable, help="one that has torch and peft")
    parser.add_argument("--method", default="lora",
                        help="PyTorch's: lora, shira, full, head; several parted by commas")
    parser.add_argument("--dtype", default="fp32", help="PyTorch's: fp32, bf16, or both")
    parser.add_argument("--causal", action="store_true", help="a language model, no classifier")
    parser.add_argument("--targets", default="query,value", help="module names, or all-linear")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rank", default="8", help="LoRA's rank and the sparse rank_equivalent")
    parser.add_argument("--steps", default="8")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    shape = ["--model", args.model, "--batch", str(args.batch), "--length", str(args.length),
             "--steps", args.steps] + ["--causal"] * args.causal
    ours = [args.step, *shape, "--rank-equivalent", args.rank,
            "--set", f"sparse.target_modules={args.targets}"]
    theirs = [[args.python, str(here / "pytorch_step.py"), *shape, "--rank", args.rank,
               "--targets", args.targets, "--method", method, "--dtype", dtype]
              for dtype, method in itertools.product(args.dtype.split(","), args.method.split(","))]
    repeats = []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background
    try:
        for i in range(args.repeats):
            repeats.append([run(command, args.batch * args.length) for command in [ours, *theirs]])
            print(f"{i + 1}/{args.repeats}:", *(r["tokens_per_second_median"] for r in repeats[-1]),
                  "tokens/s", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"interrupted after {len(repeats)} repeats", file=sys.stderr)
    for k, results in enumerate(list(zip(*repeats))[1:]):
        show(f"{args.batch} x {args.length}, {len(repeats)} repeats | speft-cl "
             f"| PyTorch {theirs[k][-3]} {theirs[k][-1]}", [r[0] for r in repeats], results)


if __name__ == "__main__":
    main()
