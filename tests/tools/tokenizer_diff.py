#!/usr/bin/env python3
"""Encodes the same texts with speft-cl and with the `tokenizers` library; TAP on standard output.

usage: tokenizer_diff.py [--all] SPEFT_CL TEST_TEXT [MODEL_DIR]...

SPEFT_CL is the program, TEST_TEXT the test program tests/unit/test_text, which takes what a line
cannot hold: newlines, bytes that are no UTF-8, maximum lengths. The tokenizers are made here, with
a vocabulary that shows what each character becomes; MODEL_DIR adds real ones. By default the code
points are those of the lower planes that have a meaning and samples of the others; --all takes
every one, and ten times as many random texts.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.implementations import BertWordPieceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SURROGATES = range(0xD800, 0xE000)
WORDS = ["the", "un", "##aff", "##able", "word", "##s", "play", "##ing", "new", "##er"]


def code_points(every):
    for c in range(0x110000):
        if c in SURROGATES or c in (10, 13):
            continue
        if every or c % 61 == 0 or c < 0xE0000 and unicodedata.category(chr(c)) not in ("Cn", "Co"):
            yield c


def is_shown(c):
    """Whether the vocabulary has the character: all but most of the large, even blocks."""
    if c in SURROGATES or unicodedata.category(chr(c)) in ("Cn", "Co", "Zs"):
        return False
    even = 0x3400 <= c < 0xA000 or 0xAC00 <= c < 0xD7A4 or 0x17000 <= c < 0x18D00 or c >= 0x20000
    return not even or c % 16 == 0


def vocabulary():
    shown = [chr(c) for c in range(0x21, 0x30000) if is_shown(c)]
    tokens = SPECIAL + shown + ["##" + c for c in shown] + WORDS
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def build(vocab, added=(), **normalizer):
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**normalizer)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(list(added))
    return tokenizer


POOLS = [
    [chr(c) for c in range(32, 127)],
    list("abcdefghijklmnopqrstuvwxyz") + [" "] * 6 + WORDS,
    [chr(c) for c in range(0x300, 0x370)] + list("aeon") + ["\u1dfa", "\u1acf", "\U0001e130"],
    [chr(c) for c in range(0x80, 0x3000)],
    [chr(c) for c in range(0xAC00, 0xD7A4, 7)] + [chr(c) for c in range(0x1100, 0x1200)],
    [chr(c) for c in (*range(0x3000, 0xA000, 9), *range(0xF900, 0xFB00),
                      *range(0x20000, 0x32000, 99))],
    [chr(c) for c in range(0x1F300, 0x1FA00)] + ["\u200d", "\ufe0f", "\U000e0067"] * 100,
    [chr(c) for c in range(0xA000, 0xAC00)] + [chr(c) for c in range(0x10000, 0x1F000)],
    [chr(c) for c in (*range(0x21), *range(0x7F, 0xA1)) if c not in (10, 13)] + ["a", "\u0301"],
    SPECIAL + ["[", "]", "[mask]", "MASK", " ", "  ", "\u3000", "a"],
    list("\u302e\u302f\U0001d165\U0001d16d\u1d16\u1734\u0f71\u0f73\u0345a"),
]


def random_texts(count, seed, extra=()):
    choose = random.Random(seed)
    pools = POOLS + [list(extra)] * (4 if extra else 0)
    for _ in range(count):
        mixed = choose.sample(pools, choose.randint(1, 3))
        yield "".join(choose.choice(choose.choice(mixed)) for _ in range(choose.randint(0, 40)))


class Suite:
    def __init__(self, program, helper, folder):
        self.program, self.helper, self.folder = program, helper, folder
        self.count = self.failed = 0

    def save(self, tokenizer):
        model = os.path.join(self.folder, f"model{self.count}")
        os.makedirs(model, exist_ok=True)
        tokenizer.save(os.path.join(model, "tokenizer.json"))
        return model

    def report(self, name, items, expected, got):
        different = [(i, e, g) for i, e, g in zip(items, expected, got) if e != g]
        self.count += 1
        good = not different and len(expected) == len(got) == len(items)
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}: {len(items)} texts", flush=True)
        if len(got) != len(expected):
            print(f"# {len(got)} answers instead of {len(expected)}")
        for item, want, have in different[:5]:
            print(f"# {ascii(item)[:300]}: {have[:50]}, not {want[:50]}")

    def lines(self, name, tokenizer, texts, model=None):
        texts = list(texts)
        command = [self.program, "tokenize", "--model", model or self.save(tokenizer)]
        pair = bool(texts) and isinstance(texts[0], tuple)
        if pair:
            command.append("--pair")
        data = "".join(("\t".join(t) if pair else t) + "\n" for t in texts)
        done = subprocess.run(command, input=data.encode(), stdout=subprocess.PIPE, check=False)
        got = [json.loads(line) for line in done.stdout.splitlines()]
        expected = tokenizer.encode_batch(texts)
        self.report(name, texts, [e.ids + (e.type_ids if pair else []) for e in expected],
                    [g["input_ids"] + g.get("token_type_ids", []) for g in got])

    def bytes(self, name, tokenizer, items, model=None):
        """Items are (maximum or 0, bytes, bytes or None)."""
        send = json.dumps([[m, a.hex(), None if b is None else b.hex()] for m, a, b in items])
        done = subprocess.run([self.helper, "encode", model or self.save(tokenizer)],
                              input=send.encode(), stdout=subprocess.PIPE, check=False)
        got = [line.split() for line in done.stdout.decode().splitlines()]
        expected = []
        for maximum, a, b in items:
            if maximum:
                tokenizer.enable_truncation(maximum, strategy="longest_first")
            encoding = tokenizer.encode(a.decode(errors="replace"),
                                        None if b is None else b.decode(errors="replace"))
            tokenizer.no_truncation()
            expected.append([f"{i}/{t}" for i, t in zip(encoding.ids, encoding.type_ids)])
        self.report(name, items, expected, got)


def character_tests(suite, vocab, every):
    points = [chr(c) for c in code_points(every)]
    for name, flags in (("uncased", {"lowercase": True}), ("cased", {"lowercase": False})):
        suite.lines(f"every character, {name}", build(vocab, **flags),
                    [f"{c} a{c}b {c}1 \u302e{c}\U0001d165" for c in points])
    if every:
        suite.lines("every character beside others", build(vocab), [
            f"{c}a a{c} 1{c} {c} b {c}{c} e{c}\u0301 \u0301{c}" for c in points])


def flag_tests(suite, vocab, count):
    for bits in range(16):
        flags = {"clean_text": bool(bits & 1), "handle_chinese_chars": bool(bits & 2),
                 "strip_accents": bool(bits & 4), "lowercase": bool(bits & 8)}
        suite.lines("random texts, " + (", ".join(f for f in flags if flags[f]) or "no flag"),
                    build(vocab, **flags), random_texts(count, bits))


def added_token_tests(suite, vocab, count):
    choose = random.Random(5)
    texts = ["<a", "<ab>", "<ab><", "ab", "New", "new\u00e9", "\u00c9", "a b", " x", "##",
             "\u4e2d\u6587", "[MASK]>", "<", "\u0301"]
    around = [" ", "  ", "\u00a0", "a", "\u00e9"]
    for round_number in range(12):
        added = [AddedToken(text, single_word=choose.random() < 0.3, lstrip=choose.random() < 0.3,
                            rstrip=choose.random() < 0.3, normalized=choose.random() < 0.5,
                            special=choose.random() < 0.3)
                 for text in choose.sample(texts, 6)]
        suite.lines(f"added tokens, round {round_number}",
                    build(vocab, added, lowercase=choose.random() < 0.7),
                    random_texts(count, 100 + round_number, texts + around))


def damaged(text, choose):
    data = bytearray(text.encode())
    for _ in range(choose.randint(0, 4)):
        if data:
            data[choose.randrange(len(data))] = choose.randrange(256)
    return bytes(data)


def byte_tests(suite, vocab, count, tokenizer=None, model=None):
    choose = random.Random(9)
    texts = list(random_texts(count, 77, ["\n", "\r", "\r\n", "\t"]))
    items = [(0, damaged(text, choose), None) for text in texts]
    tokenizer = tokenizer or build(vocab)
    suite.bytes("newlines and bytes that are no UTF-8", tokenizer, items, model)
    pairs = [(choose.randint(3, 20), choose.choice(texts).encode(), choose.choice(texts).encode())
             for _ in range(count)]
    suite.bytes("truncated pairs", tokenizer, pairs, model)
    suite.bytes("truncated texts", tokenizer, [(m, a, None) for m, a, _ in pairs], model)


def long_tests(suite, vocab):
    texts = [c * n for c in ("a", "\u00e9", "\u4e2d", "\U0001d165", "un") for n in (99, 100, 101)]
    texts += ["a" * 1000000, "\u0301\u0327" * 200000, "the " * 50000, "\u00e9" * 300000, "!" * 9999]
    suite.lines("long words and texts", build(vocab), texts)


def vocab_txt_tests(suite, vocab, count):
    for lowercase in (True, False):
        model = os.path.join(suite.folder, f"vocab_txt_{lowercase}")
        os.makedirs(model)
        path = os.path.join(model, "vocab.txt")
        with open(path, "w", encoding="utf-8", newline="\n") as out:
            out.write("".join(token + "\n" for token in vocab))
        with open(os.path.join(model, "tokenizer_config.json"), "w", encoding="ascii") as out:
            json.dump({"do_lower_case": lowercase}, out)
        tokenizer = BertWordPieceTokenizer(path, lowercase=lowercase, strip_accents=None)
        suite.lines(f"vocab.txt, lower case {lowercase}", tokenizer, random_texts(count, 6), model)


def model_tests(suite, model, count, every):
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    suite.lines(f"random texts, {model}", tokenizer, random_texts(count, 3), model)
    byte_tests(suite, None, count, tokenizer, model)
    if every:
        suite.lines(f"every character, {model}", tokenizer,
                    [f"{c} a{c} {c}a 1{c} {c} b" for c in map(chr, code_points(True))], model)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("program")
    parser.add_argument("helper")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    count = 5000 if args.all else 500
    vocab = vocabulary()
    with tempfile.TemporaryDirectory(prefix="speft-text-") as folder:
        suite = Suite(args.program, args.helper, folder)
        character_tests(suite, vocab, args.all)
        flag_tests(suite, vocab, count)
        added_token_tests(suite, vocab, count)
        texts = list(random_texts(2 * count, 2))
        pairs = [(a.replace("\t", " "), b) for a, b in zip(texts[::2], texts[1::2])]
        suite.lines("pairs", build(vocab), pairs)
        byte_tests(suite, vocab, count)
        long_tests(suite, vocab)
        vocab_txt_tests(suite, vocab, count)
        for model in args.models:
            model_tests(suite, model, 4 * count, args.all)
        print(f"1..{suite.count}")
    sys.exit(suite.failed > 0)


if __name__ == "__main__":
    main()
