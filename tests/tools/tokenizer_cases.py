#!/usr/bin/env python3
"""Regenerates tests/unit/text_cases.h: what the `tokenizers` library gives for chosen texts.

usage: tokenizer_cases.py SOURCE_TREE

The header holds a small tokenizer.json, texts with their ids, how many tokens of two texts truncation
leaves, and digests of every code point's normalized text.
"""
import json
import os
import sys

from tokenizers import (AddedToken, Tokenizer, __version__, models, normalizers, pre_tokenizers,
                        processors)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PIECES = ["un", "##aff", "##able", "##ab", "aff", "the", "strasse", "ß", "ø", "привет", "##вет",
          "при", "שלום", "中", "文", "##文", "가", "ㄱ", "ᄀ", "##ᅡ", "##ᆨ", "☺", "😀", "👩", "हिन",
          "हन", "##द", "ı", "ά", "α", "ς", "σ", "##ς", "i̇", "。", "、", "«", "»"] + list("',.!?-_$#[]()")

TEXTS = [
    "", " ", "the", "The UNAFFABLE unaffabl aff", "un affable", "ab,cd! a-b_c $5 #a [x]", "don't.",
    "Straße STRASSE strasse", "Ée e\u0301b E\u0301 \u00e9b\u0323\u0301", "İı I i\u0307 Ø", "Привет приВет",
    "שָׁלוֹם", "中文文", "a中b文", "\uf900\U0002f800\u9fff\u3400\U00020000", "가각 \u1100\u1161\u11a8 ㄱ",
    "हिन्द", "Άά ΣΑΣ ς", "☺😀 👩\u200d👩\u200d👧 ☺\ufe0f", "a\u0000b\tc\nd\re\x0bf\x0cg\x85h\x7fi",
    "a\u200bb\u00adc\u2060d\ufeffe", "a\u00a0b\u2003c\u3000d\u2028e\u1680f", "a\ufffdb", "«a» a。b、c",
    "a" * 100, "a" * 101, "é" * 100, "é" * 101, "x" * 200, "a" + "\u0301" * 300, "un" * 40,
    "\u0301\u0323a\u0323\u0301\u0345", "\u302e\U0001d165a\U0001d165\u302e",
    "\U0001e130 \u0897 \u1734 \u166d",
    "a\ue000b\U000f0000c\U0010ffffd", "Ａｂｃ ① ½ ﬁ",
]
ADDED_TEXTS = [
    "[MASK] [mask] a[MASK]b [CLS][SEP] [PAD", "[[MASK]]",
    "a  <l>  b <r>  c<r> d", "a<w>b <w> é<w> (<w>)", "<lo <long> <lo> <lon",
    "New Éa newÉa NEWER new", "a<l> <l> <r> <l>b",
]
BYTES = [b"a\xffb", b"\x80\xc3\xa9\xc3", b"\xe2\x82x\xf0\x9f\x98 a",
         b"\xed\xa0\x80a\xc0\xaf\xf4\x90\x80\x80b", b"\xf0\x9f"]
PAIRS = [("a b", "c"), ("", ""), ("un", ""), ("", "aff"), ("the [SEP] a", "中文")]


def small_tokenizer(**normalizer):
    vocab = {token: i for i, token in enumerate(
        SPECIAL + list(LETTERS) + ["##" + letter for letter in LETTERS] + PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**normalizer)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens([
        AddedToken("<l>", lstrip=True, normalized=False),
        AddedToken("<r>", rstrip=True, normalized=False),
        AddedToken("<w>", single_word=True, normalized=False), AddedToken("<lo", normalized=False),
        AddedToken("<long>", normalized=False), AddedToken("New", normalized=True),
        AddedToken("Newer", normalized=True), AddedToken("ÉA", normalized=True)])
    return tokenizer


def c_string(data):
    """A C string literal, pure ASCII, in pieces of a line each."""
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~")
    lines, line = [], ""
    for byte in data:
        char = chr(byte)
        if byte < 128 and (char.isalnum() or byte in plain):
            line += char
        elif char in '"\\':
            line += "\\" + char
        else:
            line += f"\\{byte:03o}"
        if len(line) > 84:
            lines.append(line)
            line = ""
    return "\n        ".join(f'"{part}"' for part in lines + [line])


def ids(encoding):
    return " ".join(map(str, encoding.ids))


def write_cases(out, name, tokenizer):
    out.write(f"static const struct text_case {name}[] = {{\n")
    for data in [text.encode() for text in TEXTS + ADDED_TEXTS] + BYTES:
        encoding = tokenizer.encode(data.decode(errors="replace"))
        out.write(f"    {{ {c_string(data)},\n      {len(data)}, NULL, 0, "
                  f"{c_string(ids(encoding).encode())} }},\n")
    for a, b in PAIRS:
        encoding = tokenizer.encode(a, b)
        out.write(f"    {{ {c_string(a.encode())}, {len(a.encode())}, {c_string(b.encode())}, "
                  f"{len(b.encode())},\n      {c_string(ids(encoding).encode())} }},\n")
    out.write("};\n\n")


def write_truncation(out, tokenizer):
    """For n and m tokens (0 to 6 each) and a maximum of 3 to 14: how many of the n and of the m are left."""
    out.write("/* [n][m]: for each maximum length from 3 to 14, the tokens left of n and of m. */\n"
              "static const char *const truncated_pairs[7][7] = {\n")
    for n in range(7):
        rows = []
        for m in range(7):
            row = ""
            for maximum in range(3, 15):
                tokenizer.enable_truncation(maximum, strategy="longest_first")
                got = tokenizer.encode("a " * n, "b " * m).tokens
                row += f"{got.count('a')}{got.count('b')}"
            rows.append(f'"{row}"')
        out.write("    { " + ",\n      ".join(rows) + " },\n")
    out.write("};\n\n")
    tokenizer.no_truncation()


def fnv1a(data, value):
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def digests(normalizer):
    """A hash of each 0x4000 code points' normalized and split text, as test_text.c makes it.

    Before the character stands a mark that is kept and has class 224, behind it one of 216: they
    change places unless the character is a starter.
    """
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    values = []
    for start in range(0, 0x110000, 0x4000):
        value = 2166136261
        for c in range(start, start + 0x4000):
            if 0xD800 <= c < 0xE000:
                continue
            text = normalizer.normalize_str("x" + chr(c) + "y\u302E" + chr(c) + "\U0001D165")
            for word, _ in split(text):
                value = fnv1a(word.encode() + b"\n", value)
        values.append(value)
    return values


def write_digests(out, name, normalizer):
    out.write(f"static const uint32_t {name}[] = {{\n")
    values = [f"0x{value:08X}" for value in digests(normalizer)]
    for i in range(0, len(values), 7):
        out.write("    " + ", ".join(values[i:i + 7]) + ",\n")
    out.write("};\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    uncased, cased = small_tokenizer(lowercase=True), small_tokenizer(lowercase=False)
    path = os.path.join(sys.argv[1], "tests", "unit", "text_cases.h")
    with open(path, "w", encoding="ascii", newline="\n") as out:
        out.write(f"/* Generated by tests/tools/tokenizer_cases.py from tokenizers {__version__}. */\n"
                  "struct text_case {\n    const char *text;\n    size_t length;\n    const char *pair;\n"
                  "    size_t pair_length;\n    const char *ids;\n};\n\n"
                  f"/* The first cases hold no added token. */\n#define PLAIN_CASES {len(TEXTS)}\n\n")
        definition = json.dumps(json.loads(uncased.to_str()), ensure_ascii=False,
                                separators=(",", ":"))
        out.write(f"static const char definition[] =\n        {c_string(definition.encode())};\n\n")
        write_cases(out, "uncased_cases", uncased)
        write_cases(out, "cased_cases", cased)
        write_truncation(out, uncased)
        write_digests(out, "digests_uncased", uncased.normalizer)
        write_digests(out, "digests_cased", cased.normalizer)


if __name__ == "__main__":
    main()
