#!/usr/bin/env python3
"""Regenerates tests/unit/sentencepiece_cases.h: what the `tokenizers` library gives for chosen texts with SentencePiece's stages.

usage: sentencepiece_cases.py SOURCE_TREE

The header holds small tokenizer.json files, texts with their ids, and digests of each code point's text as each normalizer
leaves it.
"""
import base64
import json
import os
import sys

from tokenizers import Tokenizer, __version__, normalizers

from charsmap import charsmap
from tokenizer_cases import c_string, fnv1a, ids

# a cluster that begins with a string of the map goes as a whole; "a" hides "ab"; "\x01" goes; "\u0903" and the like join
MAP = {"\u00a9": "(c)", "\u0915": "K", "\u1100": "L", "\u11a8": "T", "\u1161": "V", "q": "k", "qu": "never", "\u00e9": "ee",
       "\x01": "", "w\u0301": "WW", "\ufb01": "fi", "\u0301": "'", "\U0001f1e9": "D", "\u3000": " ", "\uff21": "A"}
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "\u2581the", "the", "\u2581h", "he", "e", "h", "t", "\u2581a", "a", "b", "ab",
          "aba", "ba", "\u2581b", "c", "(", ")", "\u20ac", "\u4e2d", "\u4e2d\u6587", "\u6587", "\U0001f600", "D", "k", "K", "L", "WW",
          "fi", "f", "i", "'", "A", "\u2581A", "\u0645\u0631", "\u0645", "1", "12", "\u2581\u2581"]
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def unigram(pieces, unk_id, byte_fallback):
    # scores that make ties: a path's sum is the same for several ways to cut it
    scores = [0.0 if p.startswith("<") else -1.0 * len(p) if i % 3 else -2.5 - i % 7 for i, p in enumerate(pieces)]
    return {"type": "Unigram", "unk_id": unk_id, "byte_fallback": byte_fallback, "vocab": [list(x) for x in zip(pieces, scores)]}


def added(content, token_id, lstrip=False, normalized=False, special=True):
    return {"id": token_id, "content": content, "single_word": False, "lstrip": lstrip, "rstrip": False, "normalized": normalized,
            "special": special}


def definition(**sections):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, **sections}


def special(name, type_id=0):
    return {"SpecialToken": {"id": name, "type_id": type_id}}


def sequence(name, type_id=0):
    return {"Sequence": {"id": name, "type_id": type_id}}


PRECOMPILED = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(MAP)).decode()}
DEFINITIONS = {
    "roberta": definition(
        added_tokens=[added("<s>", 0), added("<pad>", 1), added("</s>", 2), added("<unk>", 3), added("<mask>", 43, lstrip=True),
                      added("The", 44, normalized=True, special=False)],
        normalizer=PRECOMPILED,
        pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}]},
        post_processor={"type": "TemplateProcessing", "single": [special("<s>"), sequence("A"), special("</s>")],
                        "pair": [special("<s>"), sequence("A"), special("</s>"), special("</s>"), sequence("B"), special("</s>")],
                        "special_tokens": {name: {"id": name, "ids": [i], "tokens": [name]} for i, name in ((0, "<s>"), (2, "</s>"))}},
        model=unigram(PIECES, 3, False)),
    "first": definition(
        added_tokens=[added("<s>", 0), added("</s>", 2)],
        pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False},
        model=unigram(PIECES[:25] + BYTES, 3, True)),
    # "first" is where the text begins of which normalizers have left something
    "first_stripped": definition(
        added_tokens=[added("<s>", 0), added("</s>", 2)],
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "Strip", "strip_left": True, "strip_right": False},
            {"type": "Replace", "pattern": {"String": "th"}, "content": ""}]},
        pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False},
        model=unigram(PIECES[:25], 3, False)),
    "cleaned": definition(
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "Nmt"}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKD"}, {"type": "StripAccents"},
            {"type": "Lowercase"}, {"type": "Replace", "pattern": {"String": "``"}, "content": "\""},
            {"type": "Replace", "pattern": {"Regex": "\\s{2,}"}, "content": " "}, {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        model=unigram(PIECES[:30] + BYTES, 3, True)),
    # no piece for some bytes; the unknown character's neighbours are a piece of a low score when together
    "unknown": definition(
        pre_tokenizer={"type": "Metaspace", "replacement": "_", "prepend_scheme": "never"},
        model={"type": "Unigram", "unk_id": 1, "byte_fallback": True, "vocab": [
            ["a", 100.0], ["<unk>", 100.0], ["xy", 50.0], ["_", 100.0], ["<0xC3>", 100.0], ["<0xA9>", 100.0], ["aa", 200.0],
            ["aaa", 300.0]]}),
}
TEXTS = [
    "", " ", "the", "  the  he ", "The the The", "ababab abba aba", "\u4e2d\u6587\u4e2d \u6587", "a\u3000b", "\u00e9t\u00e9 e\u0301",
    "qu q\u0301 w\u0301w", "\ufb01n \uff21\uff22", "x", "xy xyxy zzz", "a\u2581b \u2581 \u2581\u2581a", "\U0001f600\U0001f1e9\U0001f1ea",
    "<s>the</s> a<mask>b  <mask> <mask>", "<unk> x<unk>y", "<0x41><0xC3>", "\x01a\x01", "\u0645\u0631\u062d\u0628\u0627 12 1 2",
    "\u1100\u1161\u11a8 \uac01", "\u0915\u094d\u0915\u0302 \u0915\u0302", "a\u00a9\u200d\u00a9\u0301 \u00a9\u0301", "\t a\n\nb\u00a0c\u2028d",
    "``quoted'' \u00d6\u0301\u0323 \u01c5 \ufdfa", "aaaaaaa", "\u00e9\u00e8\u00e9", "a" * 300, "\u00e9" * 150 + "ab" * 80,
]
PAIRS = [("the", "a b"), ("", ""), (" a", " a")]
# NFD is what NFC begins with, lower case is in text_cases.h, and Nmt a list of few
NORMALIZERS = [("NFC", {}), ("NFKC", {}), ("NFKD", {}), ("StripAccents", {}),
               ("Precompiled", {"precompiled_charsmap": PRECOMPILED["precompiled_charsmap"]})]
BLOCKS = (*range(0, 0x20000, 0x4000), 0x2C000, 0xE0000)


def around(c):
    """A text in which the character meets marks, Hangul, an emoji's joiner and Indic letters."""
    return f"{c}a{c}\u0301b\u0323{c}\u1100{c}\u1161\u11a8\u00a9\u200d{c}\u00a9\u0915\u094d{c}\u0915\u0302"


def digest(normalize, start):
    value = 2166136261
    for c in range(start, start + 0x4000):
        if not 0xD800 <= c < 0xE000:
            value = fnv1a(normalize(around(chr(c))).encode() + b"\n", value)
    return value


def write_definitions(out):
    for name, content in DEFINITIONS.items():
        tokenizer = Tokenizer.from_str(json.dumps(content))
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        out.write(f"static const char {name}_definition[] =\n        {c_string(text.encode())};\n\n"
                  f"static const struct text_case {name}_cases[] = {{\n")
        for a, b in [(text, None) for text in TEXTS] + PAIRS:
            pair = "NULL, 0" if b is None else f"{c_string(b.encode())}, {len(b.encode())}"
            out.write(f"    {{ {c_string(a.encode())},\n      {len(a.encode())}, {pair}, "
                      f"{c_string(ids(tokenizer.encode(a, b)).encode())} }},\n")
        out.write("};\n\n")


def write_digests(out):
    blocks = ", ".join(f"0x{block:X}" for block in BLOCKS)
    out.write(f"/* Of the 0x4000 code points from each of these on: what has a meaning but for most ideographs. */\n"
              f"static const uint32_t blocks[] = {{ {blocks} }};\n\n"
              f"static const struct {{\n    const char *type, *key, *value;\n    uint32_t digests[{len(BLOCKS)}];\n}} normalized[] = {{\n")
    for name, options in NORMALIZERS:
        normalize = getattr(normalizers, name)(**{k: base64.b64decode(v) for k, v in options.items()}).normalize_str
        (key, value), = options.items() or [("unused", "")]
        out.write(f"    {{ \"{name}\", \"{key}\",\n        {c_string(value.encode())}, {{\n")
        values = [f"0x{digest(normalize, start):08X}" for start in BLOCKS]
        for i in range(0, len(values), 7):
            out.write("        " + ", ".join(values[i:i + 7]) + ",\n")
        out.write("    } },\n")
    out.write("};\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = os.path.join(sys.argv[1], "tests", "unit", "sentencepiece_cases.h")
    with open(path, "w", encoding="ascii", newline="\n") as out:
        out.write(f"/* Generated by tests/tools/sentencepiece_cases.py from tokenizers {__version__}. */\n"
                  "struct text_case {\n    const char *text;\n    size_t length;\n    const char *pair;\n"
                  "    size_t pair_length;\n    const char *ids;\n};\n\n")
        write_definitions(out)
        write_digests(out)


if __name__ == "__main__":
    main()
