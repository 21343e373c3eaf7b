#!/usr/bin/env python3
"""Time training steps of one configuration in PyTorch and PEFT; prints one JSON line.

    python bench/pytorch_step.py --model MODEL_DIR --method lora

Random token ids, every row of full length, AdamW, 8 classes, dropout as the model has it. One
configuration a process, so that the peak of resident memory is its own.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import statistics
import time

import peft
import torch
import transformers

CLASSES = 8
WARM_UP = 2
TARGETS = ["query", "value"]


def load_model(folder):
    """The folder's weights, or random ones where it has only a config.json."""
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=CLASSES)
    auto = transformers.AutoModelForSequenceClassification
    if any(pathlib.Path(folder).glob("model*.safetensors")):
        return auto.from_pretrained(folder, config=config, ignore_mismatched_sizes=True)
    return auto.from_config(config)


def adapt(model, method, rank):
    """Leave trainable what the method trains; the new head always is."""
    task = {"task_type": "SEQ_CLS", "target_modules": TARGETS, "r": rank}
    if method == "lora":
        return peft.get_peft_model(model, peft.LoraConfig(lora_alpha=rank, **task))
    if method == "shira":
        return peft.get_peft_model(model, peft.ShiraConfig(**task))
    if method == "head":
        for name, param in model.named_parameters():
            param.requires_grad_(name.startswith("classifier"))
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--method", choices=["lora", "shira", "full", "head"], default="lora")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8,
                        help=f"in all; the first {WARM_UP} are not timed")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(args.seed)
    model = adapt(load_model(args.model), args.method, args.rank).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    vocab = model.config.vocab_size
    seconds = []
    for _ in range(args.steps):
        ids = torch.randint(min(1000, vocab // 2), vocab, (args.batch, args.length))
        labels = torch.randint(0, CLASSES, (args.batch,))
        start = time.perf_counter()
        with (torch.autocast("cpu", torch.bfloat16) if args.dtype == "bf16"
              else contextlib.nullcontext()):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    timed, tokens = seconds[WARM_UP:], args.batch * args.length
    print(json.dumps({
        "program": "pytorch", "method": args.method, "dtype": args.dtype,
        "tokens_per_second_best": round(tokens / min(timed), 1),
        "tokens_per_second_median": round(tokens / statistics.median(timed), 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "first_step_seconds": round(seconds[0], 3), "trained": sum(p.numel() for p in trained),
        "loss": round(loss.item(), 4), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "transformers": transformers.__version__,
        "peft": peft.__version__}))


if __name__ == "__main__":
    main()
