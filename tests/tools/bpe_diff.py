#!/usr/bin/env python3
"""Byte-level BPE, patterns, post-processors and decoders: encodes and decodes the same with speft-cl and with the `tokenizers`
library; TAP on standard output.

usage: bpe_diff.py [--all] SPEFT_CL TEST_TEXT [MODEL_DIR]...

As tokenizer_diff.py, whose suite and texts it has. The tokenizers are trained here, in the pipelines of GPT-2, LLaMA 3, Qwen 2 and
SmolLM 2; MODEL_DIR adds real ones. --all takes every code point, alone and beside others, and more random texts.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizer_diff import Suite, code_points, is_shown, random_texts

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SENTENCES = [
    "The quick brown fox doesn't jump over 12 lazy dogs; we've seen 3456 of them, and they'll be 78,901.23 by 2050!",
    "def main(argv):\n    if len(argv) > 1:\n\t\treturn {'a': argv[1]}\n\n\n    print(\"x\\n\")  # 100%\r\n",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430? \u0421\u044a\u0435\u0448\u044c \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u0431\u0443\u043b\u043e\u043a.",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002 \u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002\u30ab\u30bf\u30ab\u30ca",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4. \u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0663\u0664\u0665 \u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308\U0001f600\U0001f1e9\U0001f1ea e\u0301a\u0308 \u00c5\ufb01 \u00bd\u00b2 \u2167",
    "I'M CAN'T WE'VE \u017fo it'\u017f \u212a'll  \u00a0\u3000 \t x   \n  \n\n y\r\n\r\n ", "SELECT * FROM t WHERE a>=10 AND b!='q'; <html><br/></html>",
]
PIECES = ["'s", "'T", "'re", "'VE", "'\u017f", " ", "  ", "\t", "\n", "\r\n", "\n\n", "12", "1234567", "\u0663\u0664", "\u00bd\u00b2", "a", "B",
          "word", "\u00e9", "\u4f60\u597d", "\u3002", "!", "...", "\u00a0", "\u2028", "\U0001f469\u200d\U0001f467", "\ufe0f", "e\u0301", "\U00011de3",
          "\u1c89", "\u0345", "\ufffd", "\x00", "\x85", "_", "\u200b", "<|x|>", "<s>", " <s> ", "</s>", "[a]"]


def trained(pre_tokenizer, size, special, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def cut(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def mapped(**options):
    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, "use_regex": False, **options})


def families():
    special = ["<|x|>", "<s>", "</s>"]
    gpt2 = trained(mapped(use_regex=True), 700, special)
    gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
    llama3 = trained(pre_tokenizers.Sequence([cut(LLAMA3), mapped()]), 700, special, ignore_merges=True)
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])])
    qwen2 = trained(pre_tokenizers.Sequence([cut(QWEN2), mapped()]), 700, special)
    qwen2.post_processor = processors.ByteLevel(trim_offsets=False)
    smollm2 = trained(pre_tokenizers.Sequence([pre_tokenizers.Digits(True), mapped(use_regex=True)]), 700, special)
    roberta = trained(mapped(use_regex=True, add_prefix_space=True), 600, special)
    roberta.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
    roberta.add_special_tokens([AddedToken("[a]", lstrip=True, special=True), AddedToken("</s>", rstrip=True, special=True)])
    tekken = trained(pre_tokenizers.Sequence([cut(O200K), mapped()]), 600, special, ignore_merges=True)
    return {"GPT-2": gpt2, "LLaMA 3": llama3, "Qwen 2": qwen2, "SmolLM 2": smollm2, "RoBERTa": roberta, "tekken": tekken}


class Both(Suite):
    def decodes(self, name, tokenizer, model, lists):
        """Lists are ids; each is decoded with and without special tokens."""
        items = [[skip, ids] for ids in lists for skip in (False, True)]
        done = subprocess.run([self.helper, "decode", model], input=json.dumps(items).encode(), stdout=subprocess.PIPE, check=False)
        got = [bytes.fromhex(line).decode() if " " not in line else line for line in done.stdout.decode().split("\n")[:-1]]
        self.report(name, items, [tokenizer.decode(ids, skip_special_tokens=skip) for skip, ids in items], got)

    def texts(self, name, tokenizer, texts, model=None):
        """Texts with any characters, newlines among them, and the way back of their ids."""
        model = model or self.save(tokenizer)
        texts = list(texts)
        self.bytes(name, tokenizer, [(0, t.encode(), None) for t in texts], model)
        ids = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
        self.decodes(name + ", back", tokenizer, model, ids)

    def split(self, name, pre_tokenizer, texts):
        """What a pre-tokenizer makes of texts: each piece is shown by a model that has every byte, or character, and no merges."""
        tokenizer = Tokenizer(models.BPE(vocab={**{c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, "|": 256},
                                         merges=[], unk_token="|", end_of_word_suffix="$"))
        tokenizer.pre_tokenizer = pre_tokenizer
        self.bytes(name, tokenizer, [(0, t.encode(), None) for t in texts])


def mixed(count, seed, pieces=PIECES):
    choose = random.Random(seed)
    return ["".join(choose.choice(pieces) for _ in range(choose.randint(1, 14))) for _ in range(count)]


def shuffled_ids(count, seed, size):
    choose = random.Random(seed)
    return [[choose.randrange(size + 3) for _ in range(choose.randint(0, 30))] for _ in range(count)]


def character_lines(every, form):
    """The form with each character, some in a line; not --all: without most of the large, even blocks."""
    parts = [form.format(chr(c)) for c in code_points(every)
             if every or is_shown(c) or c % 61 == 0 or unicodedata.category(chr(c)) == "Zs"]
    return [" .".join(parts[i:i + 12]) for i in range(0, len(parts), 12)]


def family_tests(suite, made, every, count):
    for i, (name, tokenizer) in enumerate(made.items()):
        model = suite.save(tokenizer)
        texts = SENTENCES + mixed(count, i) + list(random_texts(count, 50 + i, PIECES))
        suite.texts(name, tokenizer, texts, model)
        pairs = [(0, a.encode(), b.encode()) for a, b in zip(texts[::2], texts[1::2])]
        suite.bytes(name + ", pairs", tokenizer, pairs, model)
        suite.decodes(name + ", any ids", tokenizer, model, shuffled_ids(count // 4, i, tokenizer.get_vocab_size()))
        if every or name in ("LLaMA 3", "tekken"): # the others tell no more characters apart
            suite.lines(name + ", every character", tokenizer, character_lines(every, "{0} a{0}b 1{0}2 {0}{0}  {0}"), model)


PATTERNS = [
    r"\d", r"\s+", r"[^\w\s]+", r" ?\p{Lu}?\p{Ll}+", r"\b", r"^", r"$", r"\w+\b", r"(?m:a.)|(?i)word", r"\p{^L}+", r"[[:alpha:]&&[^a-f]]+",
    r"a*", r"(?:ab?)+?", r"x{,2}y{1,}", r"[\r\n]+|\R", r"(?<=a)\p{M}|(?<!\d)\d", r"\d{1,3}(?=(?:\d{3})*\b)", r"[ -\x{2fff}]+", r"\h+",
    r"(?i:[a-k]+)", r" ?[^(\s|[.,!?\u2026\u3002])]+", r"[\p{Han}\p{Katakana}\p{Hiragana}]+", r"\A.|.\z", r"\n\Z", r"\d++|\s*+", r"(?>a|B)+",
    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "(?<name>e)\u0301", r"a{2}?", r"\S{2,4}+", r"\D\W", r"[]a]", r"(a)(?:)b|c", r"[a\-z_]",
    r"[[:punct:]]+", r"\p{N}\P{N}", r"o|", r".", r"(?i)K|S", r"\x41|\u00e9", r"a(?i)b|W|o", r"\Bo", r"(?#x)w(?i:O)r",
]


def split_tests(suite, count):
    texts = SENTENCES + mixed(count, 3)
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    for i, pattern in enumerate(PATTERNS):
        try:
            Regex(pattern)
        except Exception:  # the library's own words for what Oniguruma refuses
            continue
        suite.split(f"the pattern {ascii(pattern)}",
                    pre_tokenizers.Sequence([cut(pattern, behaviors[i % 5], i % 3 == 0), mapped()]), texts)
    for behavior in behaviors:
        for invert in (False, True):
            suite.split(f"{behavior}, inverted {invert}", pre_tokenizers.Sequence([cut(r"\s|o+", behavior, invert), mapped()]), texts)
        suite.split(f"a string {behavior}", pre_tokenizers.Sequence([pre_tokenizers.Split("o", behavior), mapped()]), texts)
        suite.split(f"punctuation {behavior}", pre_tokenizers.Sequence([pre_tokenizers.Punctuation(behavior), mapped()]), texts)
    plain = list(random_texts(4 * count, 8)) + texts
    for name, stage in (("digits", pre_tokenizers.Digits(False)), ("each digit", pre_tokenizers.Digits(True)),
                        ("white space", pre_tokenizers.Whitespace())):
        suite.split(name, pre_tokenizers.Sequence([stage, mapped()]), plain)


def model_tests(suite, count):
    letters = list("abcde ")
    texts = mixed(count, 4, letters + ["\u00e9", "\u4f60", "ab", "bc"])
    choose = random.Random(2)
    for number in range(12):
        prefix, suffix = choose.choice(["", "", "##"]), choose.choice(["", "", "</w>"])
        options = {"fuse_unk": choose.random() < 0.5, "byte_fallback": choose.random() < 0.5, "ignore_merges": choose.random() < 0.3}
        vocab, merges = dict.fromkeys(["<unk>"]), []
        for c in letters[:choose.choice([4, 6])]:
            vocab.update(dict.fromkeys([c, prefix + c, prefix + c + suffix, c + suffix]))
        if options["byte_fallback"]:
            vocab.update(dict.fromkeys(f"<0x{b:02X}>" for b in range(256) if choose.random() < 0.97))
        for _ in range(30):
            a, b = choose.choice(list(vocab)[1:]), choose.choice(list(vocab)[1:])
            if b.startswith(prefix) and not a.startswith("<0") and not b.startswith("<0"):
                vocab[a + b[len(prefix):]] = None
                merges.append((a, b))
        vocab = {token: i for i, token in enumerate(vocab)}
        if choose.random() < 0.8:
            options["unk_token"] = "<unk>"
        options.update({"continuing_subword_prefix": prefix} if prefix else {}, **({"end_of_word_suffix": suffix} if suffix else {}))
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, **options))
        if choose.random() < 0.5:
            tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
        tokenizer.decoder = choose.choice([
            decoders.BPEDecoder(), decoders.WordPiece(), decoders.Metaspace(), decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()]),
            decoders.Sequence([decoders.Replace("a", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
            decoders.Sequence([decoders.Replace(Regex("[bc]+"), "-"), decoders.Strip("-", 0, 1), decoders.Fuse()])])
        suite.texts(f"a model by chance, {number}", tokenizer, texts)
        suite.decodes(f"its ids by chance, {number}", tokenizer, os.path.join(suite.folder, f"model{suite.count - 2}"),
                      shuffled_ids(count // 2, number, len(vocab)))


def folder_tests(suite, trained_by, count):
    """vocab.json and merges.txt, as old folders of OPT and RoBERTa have them, beside what transformers 5 builds of them."""
    texts = SENTENCES + mixed(count, 21, PIECES + ["<mask>", " <mask> ", "<pad>", "</s>"])
    model = json.loads(trained_by.to_str())["model"]
    words = [w for w in sorted(model["vocab"], key=model["vocab"].get) if w not in ("<|x|>", "<s>", "</s>")]
    merges = [tuple(m) for m in model["merges"]]
    words = {w: i for i, w in enumerate(["<s>", "<pad>", "</s>", "<unk>", *words])}
    written = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "__type": "AddedToken"}
    opt = {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "pad_token": {"content": "<pad>", **written},
           **{f"{n}_token": {"content": "</s>", **written} for n in ("bos", "eos", "unk")}}
    for name, config, prefixed in (("opt", opt, False), ("opt", {**opt, "add_eos_token": True, "tokenizer_class": None}, False),
                                   ("roberta", {}, False), ("roberta", {"add_prefix_space": True}, True)):
        folder = os.path.join(suite.folder, f"folder{suite.count}")
        os.makedirs(folder)
        for file, content in (("vocab.json", words), ("tokenizer_config.json", config), ("config.json", {"model_type": name})):
            with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
                json.dump(content, out)
        with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as out:
            out.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
        tokenizer = Tokenizer(models.BPE(vocab=words, merges=merges))
        tokenizer.pre_tokenizer = mapped(use_regex=True, add_prefix_space=prefixed)
        tokenizer.decoder = decoders.ByteLevel()
        if name == "opt":
            tokenizer.add_special_tokens([AddedToken(t, normalized=True) for t in ("<pad>", "</s>")])
            end = " </s>" if "add_eos_token" in config else ""
            tokenizer.post_processor = processors.TemplateProcessing(
                single="</s> $A" + end, pair=f"</s> $A{end} </s> $B{end}", special_tokens=[("</s>", 2)])
        else:
            tokenizer.add_special_tokens(["<s>", "</s>", "<unk>", "<pad>", "<mask>"])
            tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        suite.texts(f"vocab.json of {name}, {sorted(config)}", tokenizer, texts, folder)
        if name == "roberta":
            suite.bytes("its pairs", tokenizer, [(9, a.encode(), b.encode()) for a, b in zip(texts[::2], texts[1::2])], folder)


def long_tests(suite, tokenizer):
    choose = random.Random(1)
    word = "".join(choose.choices("abcdefghijklmnopqrstuvwxyz", k=1 << 20))
    suite.lines("words of a megabyte", tokenizer, [word, "a" * (1 << 20), " " * (1 << 20), "\u4f60" * 200000])


def real_tests(suite, model, every, count):
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    special = [t.content for t in tokenizer.get_added_tokens_decoder().values()][:200]
    texts = SENTENCES + mixed(4 * count, 11) + list(random_texts(4 * count, 12, PIECES)) + mixed(count, 13, PIECES + special)
    suite.texts(model, tokenizer, texts, model)
    suite.decodes(model + ", any ids", tokenizer, model, shuffled_ids(count, 14, tokenizer.get_vocab_size()))
    if every:
        suite.lines(model + ", every character", tokenizer, character_lines(True, "{0} a{0} {0}a 1{0} {0} b {0}{0}"), model)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("program")
    parser.add_argument("helper")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    count = 2000 if args.all else 60
    with tempfile.TemporaryDirectory(prefix="speft-text-") as folder:
        suite = Both(args.program, args.helper, folder)
        made = families()
        family_tests(suite, made, args.all, count)
        split_tests(suite, count)
        model_tests(suite, count)
        folder_tests(suite, made["GPT-2"], count)
        long_tests(suite, made["LLaMA 3"])
        for model in args.models:
            real_tests(suite, model, args.all, count)
        print(f"1..{suite.count}")
    sys.exit(suite.failed > 0)


if __name__ == "__main__":
    main()
