#!/usr/bin/env python3
"""SentencePiece's kinds of tokenizers: encodes and decodes the same with speft-cl and with the `tokenizers` library; TAP on standard
output.

usage: sentencepiece_diff.py [--all] SPEFT_CL TEST_TEXT [MODEL_DIR]...

As tokenizer_diff.py, whose suite and texts it has. The tokenizers are trained here, in the pipelines of LLaMA 2, Mistral, Gemma,
XLM-R (multilingual E5 and MiniLM), T5 and ALBERT, with a map of characters made here; MODEL_DIR adds real ones. --all takes every
code point, alone and beside others, and more random texts.
"""
import argparse
import os
import random
import sys
import tempfile
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from bpe_diff import SENTENCES, Both, mixed
from charsmap import charsmap
from tokenizer_diff import code_points, random_texts

MARK = "\u2581"
BYTES = [f"<0x{b:02X}>" for b in range(256)]
PIECES = [" ", "  ", "   ", MARK, MARK * 2, "\t", "\n", "\u00a0", "\u3000", "\u200b", "the", "quick", "a", "E\u0301", "\u00e9", "\u0301",
          "\u0323", "\ufb01", "\uff21\uff22", "\u2167", "\u00bd", "``x''", "\ufdfa", "12", "\u0663", "\u4f60\u597d", "\u3002", "\u1100\u1161",
          "\u11a8", "\uac00", "\u0915\u094d", "\u200d", "\u0937", "\U0001f469\u200d\U0001f467", "\ufe0f", "\U0001f1e9\U0001f1ea", "\x01", "\x7f",
          "\ufffd", "<s>", "</s>", " <s> ", "<mask>", "  <mask>  ", "<unk>", "<0x41>", "<extra>", "EXTRA", "Extra"]


def nfkc_map():
    """What SentencePiece's own maps do, made small: compatibility forms and some composed ones, blanks, and control characters."""
    changes = {chr(c): unicodedata.normalize("NFKC", chr(c)) for c in (*range(0xA0, 0x2200), *range(0xFB00, 0xFF60))}
    changes.update({chr(c): "" for c in (*range(1, 9), 0x7F, 0xAD)})
    changes.update({chr(c): " " for c in (9, 10, 13, 0x2028, 0x200B, 0x3000)})
    changes.update({"e\u0301": "\u00e9", "a\u0323": "\u1ea1", "\u1100\u1161": "\uac00", "\U0001d400": "A"})
    return charsmap({text: to for text, to in changes.items() if text != to})


def metaspace(scheme, split=True):
    return {"replacement": MARK, "prepend_scheme": scheme, "split": split}


def template(tokenizer, single, pair, names):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(name, tokenizer.token_to_id(name)) for name in names])


def add_tokens(tokenizer):
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("<extra>", rstrip=True, normalized=False), AddedToken("Extra", normalized=True)])


def bpe(normalizer, pre_tokenizer, decoder):
    """LLaMA's and Gemma's: what no merge makes is its bytes' pieces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizer, decoder
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"] + BYTES, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    template(tokenizer, "<s> $A", "<s> $A <s>:1 $B:1", ["<s>"])
    return tokenizer


def unigram(normalizer, pre_tokenizer, special, **options):
    """XLM-R's kin; the pieces are trained, or with byte_fallback given the bytes' pieces, too."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    trainer = trainers.UnigramTrainer(vocab_size=420, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if options.get("byte_fallback"):
        pieces = [(tokenizer.id_to_token(i), -1.0 - i / 50) for i in range(tokenizer.get_vocab_size())]
        tokenizer.model = models.Unigram(pieces + [(b, 0.0) for b in BYTES], special.index("<unk>"), True)
    tokenizer.decoder = decoders.Metaspace(**metaspace("always"))
    return tokenizer


def families():
    sequence, precompiled = normalizers.Sequence, normalizers.Precompiled(nfkc_map())
    llama = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    spaces = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**metaspace("always"))])
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    made = {
        "LLaMA 2": bpe(sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]), None,
                       decoders.Sequence(llama + [decoders.Strip(" ", 1, 0)])),
        "Mistral": bpe(None, pre_tokenizers.Metaspace(**metaspace("first", False)),
                       decoders.Sequence(llama + [decoders.Strip(" ", 1, 0)])),
        "Gemma": bpe(normalizers.Replace(" ", MARK), pre_tokenizers.Split(" ", "merged_with_previous"), decoders.Sequence(llama)),
        "XLM-R": unigram(precompiled, spaces, special),
        "E5": unigram(sequence([precompiled, normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), MARK)]),
                      pre_tokenizers.Metaspace(**metaspace("always")), special),
        "T5": unigram(precompiled, spaces, ["<pad>", "</s>", "<unk>"], byte_fallback=True),
        "ALBERT": unigram(sequence([
            normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
            normalizers.Lowercase(), precompiled, normalizers.Replace(Regex(" {2,}"), " ")]), spaces, special),
        "forms": unigram(sequence([normalizers.Nmt(), normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.NFKC()]),
                         pre_tokenizers.Metaspace(**metaspace("never")), special, byte_fallback=True),
    }
    for name in ("XLM-R", "E5", "ALBERT"):
        template(made[name], "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
    template(made["T5"], "$A </s>", "$A </s> $B </s>", ["</s>"])
    for tokenizer in made.values():
        add_tokens(tokenizer)
    return made


def characters(every, form):
    return [form.format(chr(c)) for c in code_points(every)
            if every or c % 13 == 0 or c < 0x3400 and c % 3 == 0 or c < 0x300 or 0x1F1E6 <= c < 0x1F650]


def family_tests(suite, every, count):
    made = families()
    for number, (name, tokenizer) in enumerate(made.items()):
        model = suite.save(tokenizer)
        texts = SENTENCES + mixed(3 * count, number, PIECES) + list(random_texts(3 * count, number, PIECES))
        suite.texts(name, tokenizer, texts, model)
        suite.lines(name + ", pairs", tokenizer,
                    [(a.replace("\n", " ").replace("\t", " "), b.replace("\n", " ")) for a, b in zip(texts[::2], texts[1::2])], model)
        if every or name in ("LLaMA 2", "E5"):
            suite.lines(name + ", characters", tokenizer, characters(every, "{0} a{0}b\u0301{0}\u0301 {0}1"), model)
    choose = random.Random(1)
    word = "".join(choose.choices("abcdefghijklmnopqrstuvwxyz", k=1 << 20))
    suite.lines("words of a megabyte", made["XLM-R"], [word, "the" * 350000, "\u4f60" * 200000, "x" + "\u0301\u0323" * 200000])


def real_tests(suite, model, every, count):
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    special = [t.content for t in tokenizer.get_added_tokens_decoder().values()][:200]
    texts = SENTENCES + mixed(4 * count, 11, PIECES) + list(random_texts(4 * count, 12, PIECES)) + mixed(count, 13, PIECES + special)
    suite.texts(model, tokenizer, texts, model)
    if every:
        suite.lines(model + ", every character", tokenizer, characters(True, "{0} a{0} {0}a 1{0} {0} b {0}{0}"), model)


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
        family_tests(suite, args.all, count)
        for model in args.models:
            real_tests(suite, model, args.all, count)
        print(f"1..{suite.count}")
    sys.exit(suite.failed > 0)


if __name__ == "__main__":
    main()
