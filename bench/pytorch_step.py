#!/usr/bin/env python3
"""Time training steps of one configuration in PyTorch and PEFT; prints one JSON line.

    python bench/pytorch_step.py --model MODEL_DIR --method lora

Random token ids, every row of full length, AdamW, dropout as the model has it; 8 classes, or with
--causal a language model, all of whose tokens are learnt. One configuration a process, so that the
peak of resident memory is its own. processor_seconds_median, of a step, counts what idle threads
spin away, too.
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


def load_model(folder, causal):
    """The folder's weights, or random ones where it has only a config.json."""
    labels = {} if causal else {"num_labels": CLASSES}
    config = transformers.AutoConfig.from_pretrained(folder, **labels)
    auto = transformers.AutoModelForCausalLM if causal \
        else transformers.AutoModelForSequenceClassification
    if any(pathlib.Path(folder).glob("model*.safetensors")):
        return auto.from_pretrained(folder, config=config, dtype=torch.float32,
                                    ignore_mismatched_sizes=True)
    return auto.from_config(config, dtype=torch.float32)


def adapt(model, method, rank, targets, causal):
    """Leave trainable what the method trains; a new head always is."""
    task = {"task_type": "CAUSAL_LM" if causal else "SEQ_CLS", "r": rank,
            "target_modules": targets if targets == "all-linear" else targets.split(",")}
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
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--targets", default="query,value", help="module names, or all-linear")
    parser.add_argument("--save", metavar="FOLDER",
                        help="only write the model there, random weights for a lone config.json")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(args.seed)
    if args.save:
        load_model(args.model, args.causal).save_pretrained(args.save)
        return
    model = adapt(load_model(args.model, args.causal), args.method, args.rank, args.targets,
                  args.causal).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    vocab = model.config.vocab_size
    seconds, processor = [], []
    for _ in range(args.steps):
        ids = torch.randint(min(1000, vocab // 2), vocab, (args.batch, args.length))
        labels = ids if args.causal else torch.randint(0, CLASSES, (args.batch,))
        start, began = time.perf_counter(), time.process_time()
        with (torch.autocast("cpu", torch.bfloat16) if args.dtype == "bf16"
              else contextlib.nullcontext()):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - began)
    timed, tokens = seconds[WARM_UP:], args.batch * args.length
    print(json.dumps({
        "program": "pytorch", "method": args.method, "dtype": args.dtype,
        "tokens_per_second_best": round(tokens / min(timed), 1),
        "tokens_per_second_median": round(tokens / statistics.median(timed), 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "processor_seconds_median": round(statistics.median(processor[WARM_UP:]), 3),
        "first_step_seconds": round(seconds[0], 3), "trained": sum(p.numel() for p in trained),
        "loss": round(loss.item(), 4), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "transformers": transformers.__version__,
        "peft": peft.__version__}))


if __name__ == "__main__":
    main()
