#!/usr/bin/env python3
"""Compares the tokenizers of folders as other makers leave them - a vocab.txt with random contents of tokenizer_config.json,
special_tokens_map.json and added_tokens.json beside it - with those that transformers makes of them; TAP on standard output.

usage: tokenizer_folders.py TEST_TEXT [FOLDERS [SEED]]

TEST_TEXT is the test program tests/unit/test_text. Versions 4 and 5 of transformers differ where the files contradict each other:
run it under both. The cases of tests/unit/test_tokenizer_config.c are those that both give.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

from transformers import AutoTokenizer

NAMES = {
    "cls_token": ["[CLS]", "<s>"], "sep_token": ["[SEP]", "</s>"], "pad_token": ["[PAD]", "<pad>"],
    "unk_token": ["[UNK]", "<unk>"], "mask_token": ["[MASK]", "<mask>", "<m>"], "bos_token": ["<s>", "<bos>"],
    "eos_token": ["</s>"],
}
FURTHER = ["<e1>", "<x>", "<Y>", "un"]
WORDS = ["the", "playing", "New", "\u00e9", "\u00c9", "e\u0301", "\u4e2d\u6587", "[MASK]", "[CLS]", "[mask]", "[PAD]", "<s>", "</s>",
         "<mask>", "<pad>", "<s", "a", "!", " ", "  ", "\u00a0", "\t", *FURTHER]


def vocabulary():
    characters = [chr(c) for c in range(33, 127)]
    first = "[PAD] [UNK] [CLS] [SEP] [MASK] <s> </s> <pad> <unk> <mask> <e1> the play ##ing new ##s un \u4e2d \u6587 \u00e9 \u00c9"
    return list(dict.fromkeys(first.split() + characters + ["##" + c for c in characters if c.isalnum()] + ["##\u00e9", "##\u4e2d"]))


class Maker:
    def __init__(self, seed):
        self.choose = random.Random(seed)

    def chance(self, share):
        return self.choose.random() < share

    def flags(self, content):
        return {"content": content, "lstrip": self.chance(0.4), "rstrip": self.chance(0.4), "single_word": self.chance(0.3),
                "normalized": self.chance(0.4)}

    def token(self, content, **more):
        return content if self.chance(0.5) else {**self.flags(content), **more}

    def decoder(self, vocab):
        known = [c for c in self.choose.sample(["[CLS]", "[MASK]", "<e1>", "the"], self.choose.randint(0, 3)) if c in vocab]
        made = self.choose.sample(["<x>", "<Y>"], self.choose.randint(0, 2))
        ids = [vocab.index(c) for c in known] + [len(vocab) + i for i in range(len(made))]
        return {str(i): {**self.flags(c), "special": self.chance(0.5)} for i, c in zip(ids, known + made)}

    def files(self):
        """The folder's files: vocab.txt as a list of lines, the others as what they hold."""
        vocab = vocabulary()
        for token in ("[MASK]", "[PAD]"):
            if self.chance(0.2):
                vocab.remove(token)
        config = {"tokenizer_class": self.choose.choice(["BertTokenizer", "BertTokenizer", "DistilBertTokenizer"])}
        token_map = {}
        for key in ("do_lower_case", "tokenize_chinese_chars", "strip_accents"):
            if self.chance(0.6):
                config[key] = self.chance(0.5)
        for key, contents in NAMES.items():
            if self.chance(0.3):
                config[key] = self.token(self.choose.choice(contents), __type="AddedToken")
            if self.chance(0.2):
                token_map[key] = self.token(self.choose.choice(contents))
        if self.chance(0.4):
            sample = self.choose.sample(FURTHER, self.choose.randint(0, 3))
            config["additional_special_tokens"] = [self.token(c, __type="AddedToken") for c in sample]
        if self.chance(0.2):
            config["truncation_side"] = self.choose.choice(["left", "right"])
        files = {"vocab.txt": vocab, "tokenizer_config.json": config, "config.json": {"model_type": "bert"}}
        if self.chance(0.3):
            config["added_tokens_decoder"] = self.decoder(vocab)
        elif self.chance(0.3):
            files["added_tokens.json"] = {c: len(vocab) + i for i, c in enumerate(("<x>", "<z>"))}
        if token_map:
            files["special_tokens_map.json"] = token_map
        return files

    def items(self):
        """(maximum or 0, text, pair or None)"""
        text = ["".join(self.choose.choice(WORDS) + self.choose.choice([" ", "", ""]) for _ in range(self.choose.randint(1, 9)))
                for _ in range(30)]
        return [(self.choose.choice([0, 0, self.choose.randint(3, 9)]), t, self.choose.choice([None, *text])) for t in text]


def write(folder, files):
    for name, content in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as out:
            out.write("".join(line + "\n" for line in content) if name == "vocab.txt" else json.dumps(content))


def expected(folder, items):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for maximum, text, pair in items:
        limit = {"truncation": True, "max_length": maximum} if maximum else {}
        encoding = tokenizer(text, pair, **limit)
        types = encoding.get("token_type_ids") or [0] * len(encoding["input_ids"])
        yield [f"{i}/{t}" for i, t in zip(encoding["input_ids"], types)]


def given(program, folder, items):
    send = json.dumps([[m, a.encode().hex(), None if b is None else b.encode().hex()] for m, a, b in items])
    done = subprocess.run([program, "encode", folder], input=send.encode(), stdout=subprocess.PIPE, check=False)
    return [line.split() for line in done.stdout.decode().splitlines()]


def main():
    program, count, seed = sys.argv[1], int((sys.argv[2:] or ["100"])[0]), int((sys.argv[3:] or ["1"])[0])
    maker = Maker(seed)
    failed = 0
    for number in range(1, count + 1):
        files, items = maker.files(), maker.items()
        with tempfile.TemporaryDirectory(prefix="speft-text-") as folder:
            write(folder, files)
            good = list(expected(folder, items)) == given(program, folder, items)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - a folder", flush=True)
        if not good:
            print("# " + json.dumps({name: content for name, content in files.items() if name != "vocab.txt"}))
    print(f"1..{count}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
