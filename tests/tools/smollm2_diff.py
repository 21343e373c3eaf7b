#!/usr/bin/env python3
"""Hold a real decoder, SmolLM2-135M-Instruct as a GGUF file, against transformers in fp32.

    pip install torch transformers gguf
    python tests/tools/smollm2_diff.py BUILD MODEL.gguf QUESTIONS.jsonl

transformers reads and widens the GGUF file by itself, and writes what it has read as a folder, which gets the tokenizer
that speft-cl makes of the file (gguf_diff.py holds that against other programs). Of the first 50 lines' `question`: the
log-probability of every token after the first, and the mean of each text, must be transformers'; of ten prompts and,
in the chat form, of three, the 40 tokens that it takes greedily. The file and the folder must give the same bytes.
GSM8K's test.jsonl (openai/grade-school-math) is such a file of questions. Prints the largest differences, and fails
above 2e-3 for a token, above 1e-4 for a mean, and where a text differs.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

transformers.utils.logging.disable_progress_bar()

TEXTS, NEW, QUESTIONS = 50, 40, 6
PROMPTS = ["The capital of France is", "def fibonacci(n):", "Once upon a time", "Dear Sir or Madam,"]
CHATS = ["What is the capital of France?", "Name three primary colours.", "Write a line about the sea."]


def speft(build, command, model, rows, folder, *options):
    lines, out = folder / "in.jsonl", folder / "out.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    subprocess.run([f"{build}/speft-cl", command, "--quiet", "--model", model, "--input", lines, "--output", out,
                    *options], check=True)
    return out.read_bytes()


def rows_of(data):
    return [json.loads(line) for line in data.splitlines()]


def convert(build, path, folder):
    """The model as transformers reads it, and its folder."""
    shown = json.loads(subprocess.run([f"{build}/tests/tools/show_model", "tokenizer", path], check=True,
                                      capture_output=True).stdout)
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    model.hf_quantizer = None  # widened: what it was made from does not keep it from being written
    del model.config.quantization_config
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(shown["tokenizer"]))
    (folder / "tokenizer_config.json").write_text(json.dumps(shown["config"]))
    return model.eval(), transformers.PreTrainedTokenizerFast.from_pretrained(folder)


def logprobs(model, tokenizer, text):
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        return model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].tolist()


def greedy(model, tokenizer, ids):
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False,
                             eos_token_id=tokenizer.eos_token_id, pad_token_id=0)[0, ids.shape[1]:].tolist()
    out = out[:-1] if out[-1] == tokenizer.eos_token_id else out
    return tokenizer.decode(out, skip_special_tokens=True), len(out)


def main():
    build, path, questions = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    texts = [json.loads(line)["question"] for line in questions.read_text().splitlines()[:TEXTS]]
    faults = []

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, tokenizer = convert(build, path, folder)
        rows = [{"text": text} for text in texts]
        ours = speft(build, "predict", path, rows, folder, "--set", "task=causal_lm")
        if speft(build, "predict", folder, rows, folder, "--set", "task=causal_lm") != ours:
            faults.append("the file and the folder give different log-probabilities")
        each = mean = 0
        for text, row in zip(texts, rows_of(ours), strict=True):
            theirs = logprobs(model, tokenizer, text)
            differences = [a - b for a, b in zip(row["logprobs"], theirs, strict=True)]
            each = max(each, max(map(abs, differences)))
            mean = max(mean, abs(sum(differences) / len(differences)))
        print(f"log-probabilities of {len(texts)} texts: within {each:.2g} each, a text's mean within {mean:.2g}")
        if each > 2e-3 or mean > 1e-4:
            faults.append("the log-probabilities differ by too much")

        prompts = texts[:QUESTIONS] + PROMPTS
        for kind, prompts, options in (("prompts", prompts, []), ("chats", CHATS, ["--chat"])):
            rows = [{"prompt": prompt} for prompt in prompts]
            ours = speft(build, "generate", path, rows, folder, "--max-new-tokens", str(NEW), *options)
            if speft(build, "generate", folder, rows, folder, "--max-new-tokens", str(NEW), *options) != ours:
                faults.append(f"the file and the folder give different texts for {kind}")
            same = 0
            for prompt, row in zip(prompts, rows_of(ours), strict=True):
                if options:
                    ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=True,
                                                        add_generation_prompt=True, return_tensors="pt").input_ids
                else:
                    ids = tokenizer(prompt, return_tensors="pt").input_ids
                text, count = greedy(model, tokenizer, ids)
                same += (row["completion"], row["tokens"]) == (text, count)
                if (row["completion"], row["tokens"]) != (text, count):
                    faults.append(f"{prompt!r}: {row['completion']!r}, transformers {text!r}")
            print(f"{same} of {len(prompts)} {kind}: the same {NEW} greedy tokens")
    print("\n".join(faults) or "no fault")
    return bool(faults)


sys.exit(main())
