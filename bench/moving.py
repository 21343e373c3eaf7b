#!/usr/bin/env python3
"""What SpIEL costs beside a static mask: steps outside selection, a reselection, memory.

    make bench/step
    python bench/moving.py --step bench/step --model MODEL [--growth ag] [--repeats 3] [--targets query,value]

Runs alternate. A step is outside selection when it is none of the window's steps; a reselection is
what the window's steps, the last of which reselects, take more than ordinary steps.
"""

import argparse
import json
import statistics
import subprocess

S, A, STEPS = 8, 3, 20


def run(args, method, options):
    command = [args.step, "--model", args.model, "--batch", str(args.batch), "--length", str(args.length),
               "--steps", str(STEPS), "--rank-equivalent", "0", "--method", method]
    for option in [f"sparse.density={args.density}", f"sparse.target_modules={args.targets}", *options]:
        command += ["--set", option]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--growth", default="ag", choices=["ag", "ma"])
    parser.add_argument("--density", default="0.01")
    parser.add_argument("--targets", default="query,value")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    optimizer = "sm3" if args.growth == "ma" else "adamw"
    spiel = [f"sparse.growth={args.growth}", f"sparse.reselection_steps={S}",
             f"sparse.selection_accumulation_steps={A}"]
    ordinary, outside, windows = [], [], []
    for _ in range(args.repeats):
        fixed = run(args, "static", ["sparse.metric=random", f"optimizer={optimizer}"])
        moving = run(args, "spiel", spiel)
        ordinary += fixed["step_seconds"][2:]
        steps = moving["step_seconds"]
        outside += [t for i, t in enumerate(steps) if i % S >= A and i > 2]
        windows += [steps[i:i + A] for i in range(S, STEPS - A, S)]
    usual = statistics.median(ordinary)
    print(json.dumps({
        "growth": args.growth, "targets": args.targets, "density": args.density,
        "static_step_median": round(usual, 4), "static_step_best": min(ordinary),
        "spiel_step_median": round(statistics.median(outside), 4), "spiel_step_best": min(outside),
        "ratio_of_medians": round(statistics.median(outside) / usual, 3),
        "ratio_of_best": round(min(outside) / min(ordinary), 3),
        "reselection_in_steps": round(statistics.median(sum(w) for w in windows)
                                      / statistics.median(outside) - A, 2),
        "device_peak_mib": [fixed["device_peak_mib"], moving["device_peak_mib"]],
        "process_peak_mib": [fixed["peak_mib"], moving["peak_mib"]],
        "device_peak_ratio": round(moving["device_peak_mib"] / fixed["device_peak_mib"], 3),
    }))


if __name__ == "__main__":
    main()
