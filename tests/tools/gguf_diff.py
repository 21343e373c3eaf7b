#!/usr/bin/env python3
"""Hold what speft-cl makes of GGUF files against transformers, tokenizers and SentencePiece.

    pip install torch transformers tokenizers gguf sentencepiece
    python tests/tools/gguf_diff.py BUILD [TOKENIZER.model ...]

Small random models of every architecture are written as GGUF, tensors renamed and changed as llama.cpp's converter does
it, and read back: every number and every key of the configuration must be the original's. Byte-level BPEs are trained in
each family's pipeline, SentencePiece BPEs with and without symbols of the user's own; both are written as a GGUF's
vocabulary, and the tokenizer.json that comes of it must give the original's ids in tokenizers, and the file itself in
speft-cl. TOKENIZER.model: SentencePiece models of others, for the same.
"""

import io
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import sentencepiece
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

SIZES = dict(vocab_size=61, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5)
MODELS = {
    "llama": ("llama", transformers.LlamaConfig(**SIZES, tie_word_embeddings=False)),
    "llama tied, biases": ("llama", transformers.LlamaConfig(**SIZES, tie_word_embeddings=True, attention_bias=True,
                                                             mlp_bias=True, head_dim=16)),
    "llama 3": ("llama", transformers.LlamaConfig(
        **{**SIZES, "max_position_embeddings": 131072}, head_dim=64,
        rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0,
                             high_freq_factor=4.0, original_max_position_embeddings=8192))),
    "llama linear": ("llama", transformers.LlamaConfig(
        **SIZES, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
    "llama yarn": ("llama", transformers.LlamaConfig(
        **SIZES, rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, beta_fast=32.0, beta_slow=1.0,
                                      original_max_position_embeddings=64))),
    "mistral": ("llama", transformers.MistralConfig(**SIZES, sliding_window=32)),
    "qwen2": ("qwen2", transformers.Qwen2Config(**SIZES, tie_word_embeddings=True)),
    "qwen3": ("qwen3", transformers.Qwen3Config(**SIZES, head_dim=32)),
    "gemma2": ("gemma2", transformers.Gemma2Config(**SIZES, head_dim=16, query_pre_attn_scalar=16, sliding_window=32)),
}
CLASSES = {"llama": transformers.LlamaForCausalLM, "mistral": transformers.MistralForCausalLM,
           "qwen2": transformers.Qwen2ForCausalLM, "qwen3": transformers.Qwen3ForCausalLM,
           "gemma2": transformers.Gemma2ForCausalLM}
# What a GGUF does not say, or transformers says of itself.
NOT_COMPARED = {"architectures", "dtype", "transformers_version", "bos_token_id", "eos_token_id", "pad_token_id",
                "initializer_range", "use_cache", "attention_dropout", "pretraining_tp", "max_window_layers",
                "use_sliding_window", "layer_types", "_name_or_path", "output_hidden_states", "hidden_act"}


def permute(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def add_config(out, arch, c):
    out.add_block_count(c.num_hidden_layers)
    out.add_context_length(c.max_position_embeddings)
    out.add_embedding_length(c.hidden_size)
    out.add_feed_forward_length(c.intermediate_size)
    out.add_head_count(c.num_attention_heads)
    out.add_head_count_kv(c.num_key_value_heads)
    out.add_layer_norm_rms_eps(c.rms_norm_eps)
    if getattr(c, "head_dim", None):
        out.add_key_length(c.head_dim)
        out.add_value_length(c.head_dim)
    if arch == "gemma2":
        out.add_attn_logit_softcapping(c.attn_logit_softcapping)
        out.add_final_logit_softcapping(c.final_logit_softcapping)
        out.add_sliding_window(c.sliding_window)
        return
    rope = c.rope_parameters
    out.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] in ("linear", "yarn"):
        out.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        out.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        out.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        out.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
        out.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])
    if arch == "llama":
        out.add_vocab_size(c.vocab_size)
        out.add_rope_dimension_count(getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads)
    if c.model_type == "mistral":
        out.add_sliding_window(c.sliding_window)


def llama3_factors(c):
    rope = c.rope_parameters
    dim = c.head_dim
    freqs = 1.0 / (rope["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
    high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
    factors = []
    for wave in (2 * np.pi / f for f in freqs):
        smooth = (rope["original_max_position_embeddings"] / wave - 1) / (rope["high_freq_factor"] - 1)
        factors.append(1 if wave < high else rope["factor"] if wave > low else 1 / ((1 - smooth) / rope["factor"] + smooth))
    return torch.tensor(factors, dtype=torch.float32).numpy()


def write_model(path, arch, model):
    c = model.config
    out = gguf.GGUFWriter(path, arch)
    add_config(out, arch, c)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch.upper()], c.num_hidden_layers)
    state = model.state_dict()
    for name, w in state.items():
        if name == "lm_head.weight" and c.tie_word_embeddings:
            continue
        w = w.float()
        if arch == "llama" and name.endswith(("q_proj.weight", "q_proj.bias")):
            w = permute(w, c.num_attention_heads)
        if arch == "llama" and name.endswith(("k_proj.weight", "k_proj.bias")):
            w = permute(w, c.num_key_value_heads)
        if arch == "gemma2" and name.endswith("norm.weight"):
            w = w + 1
        out.add_tensor(names.get_name(name, (".weight", ".bias")), np.ascontiguousarray(w.numpy()))
    if c.model_type != "gemma2" and c.rope_parameters["rope_type"] == "llama3":
        out.add_tensor("rope_freqs.weight", llama3_factors(c))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def show(tool, *arguments):
    return subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True).stdout


def compare_model(tool, folder, name, arch, config):
    torch.manual_seed(1)
    model = CLASSES[config.model_type](config)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
        p.data = p.data.bfloat16().float()  # as models are kept
    path = folder / "m.gguf"
    write_model(path, arch, model)
    got = json.loads(show(tool, "config", path))
    # transformers must take it, and say the same
    read = type(config)(**{k: v for k, v in got.items() if k not in ("architectures", "model_type")}).to_dict()
    wanted = config.to_dict()
    different = {k: (v, read.get(k)) for k, v in wanted.items() if k not in NOT_COMPARED and read.get(k) != v}
    different.pop("head_dim", None) if wanted.get("head_dim") is None else None
    assert not different, different
    tensors = 0
    for key, w in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        data = np.frombuffer(show(tool, "tensor", path, key), np.float32)
        wanted = w.float().numpy().ravel()
        if arch == "gemma2" and key.endswith("norm.weight"):  # what is left of w where 1 + w was rounded
            wanted = (wanted + np.float32(1)) - np.float32(1)
        assert (data == wanted).all(), (key, np.abs(data - wanted).max())
        tensors += 1
    print(f"{name}: {tensors} tensors and the configuration are the same")


# ---- tokenizers ----

def texts(seed):
    rng = random.Random(seed)
    pieces = ["the", "The quick", " and", "  ", "   ", "\n", "\n\n", "\t", " 1234567", "12", "é", "naïve", "日本語", "中文",
              "русский", "🤗", "👩‍👩‍👧", "'s", "'LL", "!?", "...", "==", "<s>", "<b>", "<|im_start|>", "Ünïcödé", "\u2581",
              "\r\n", "x" * 9, "e\u0301", "def f(x):", "    return", "ﬁ", "\u00a0", "\u3000", "ＡＢ"]
    for _ in range(1500):
        yield "".join(rng.choice(pieces) if rng.random() < 0.8 else chr(rng.choice([rng.randrange(32, 0x250),
                      rng.randrange(0x370, 0x2000), rng.randrange(0x3040, 0x9fff), rng.randrange(0x1f300, 0x1faff)]))
                      for _ in range(rng.randrange(1, 25)))


def corpus():
    rng = random.Random(5)
    words = ["hello", "world", "tokenizer", "running", "run", "runner", "the", "and", "of", "1999", "2024", "naïve", "日本",
             "中国", "привет", "it's", "I'll", "code", "return", "   ", "===", "🤗", "ab", "ABC", "Übung", "e\u0301te"]
    return [" ".join(rng.choice(words) for _ in range(30)) + rng.choice(["\n", "!", "  ", ".\n\n"]) for _ in range(400)]


def made(tool, folder, write):
    path = folder / "t.gguf"
    out = gguf.GGUFWriter(path, "llama")
    add_config(out, "llama", transformers.LlamaConfig(**SIZES, head_dim=12))
    out.add_tensor("token_embd.weight", np.zeros((SIZES["vocab_size"], SIZES["hidden_size"]), np.float32))
    write(out)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return tokenizers.Tokenizer.from_str(json.dumps(json.loads(show(tool, "tokenizer", path))["tokenizer"]))


def program_ids(tool, folder, lines):
    program = pathlib.Path(tool).parent.parent.parent / "speft-cl"
    result = subprocess.run([program, "tokenize", "--model", folder / "t.gguf"], check=True, capture_output=True,
                            text=True, input="".join(line + "\n" for line in lines))
    return [json.loads(line)["input_ids"] for line in result.stdout.splitlines()]


def compare_ids(name, tool, folder, got, wanted, clean=lambda text: text):
    count = 0
    for text in map(clean, texts(3)):
        assert got(text) == wanted(text), (name, text, got(text), wanted(text))
        count += 1
    lines = [re.sub("[\r\n]", " ", text) for text in map(clean, texts(4))]
    for line, ids in zip(lines, program_ids(tool, folder, lines), strict=True):
        assert ids == wanted(line), (name, line, ids, wanted(line))
    print(f"{name}: the ids of {count} texts and {len(lines)} lines are the same")


def split(pattern):
    return pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")


def byte_level_families():
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS as patterns
    regex = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    yield "gpt-2", None, regex, False, False
    yield "smollm", None, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), regex]), False, False
    yield "llama-bpe", None, pre_tokenizers.Sequence([split(patterns["llama-bpe"]), plain]), True, True
    yield "qwen2", normalizers.NFC(), pre_tokenizers.Sequence([split(patterns["qwen2"]), plain]), False, False
    yield "tekken", None, pre_tokenizers.Sequence([split(patterns["tekken"]), plain]), True, True


def compare_byte_level(tool, folder):
    for pre, normalizer, pre_tokenizer, ignore_merges, bos in byte_level_families():
        wanted = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
        if normalizer:
            wanted.normalizer = normalizer
        wanted.pre_tokenizer = pre_tokenizer
        wanted.decoder = decoders.ByteLevel()
        wanted.train_from_iterator(corpus(), trainers.BpeTrainer(
            vocab_size=900, special_tokens=["<s>", "<|im_start|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        if bos:
            wanted.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
        model = json.loads(wanted.to_str())["model"]
        vocab = sorted(model["vocab"], key=model["vocab"].get)

        def write(out):
            out.add_tokenizer_model("gpt2")
            out.add_tokenizer_pre(pre)
            out.add_token_list(vocab)
            out.add_token_types([3 if t in ("<s>", "<|im_start|>") else 1 for t in vocab])
            out.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
            out.add_bos_token_id(0)

        got = made(tool, folder, write)
        compare_ids(f"byte-level BPE, {pre}", tool, folder, lambda t: got.encode(t).ids, lambda t: wanted.encode(t).ids)


def compare_sentencepiece(tool, folder, name, model_bytes):
    wanted = sentencepiece.SentencePieceProcessor(model_proto=model_bytes)
    count = wanted.vocab_size()
    kinds = [2 if wanted.IsUnknown(i) else 3 if wanted.IsControl(i) else 5 if wanted.IsUnused(i) else
             6 if wanted.IsByte(i) else 1 for i in range(count)]
    from sentencepiece import sentencepiece_model_pb2 as pb2
    proto = pb2.ModelProto.FromString(model_bytes)
    kinds = [4 if p.type == pb2.ModelProto.SentencePiece.USER_DEFINED else k for k, p in zip(kinds, proto.pieces)]
    prefix = proto.normalizer_spec.add_dummy_prefix

    def write(out):
        out.add_tokenizer_model("llama")
        out.add_tokenizer_pre("default")
        out.add_token_list([p.piece.replace("\u2581", " ") if k == 4 else p.piece for p, k in zip(proto.pieces, kinds)])
        out.add_token_scores([-1000.0 if k == 4 else p.score for p, k in zip(proto.pieces, kinds)])
        out.add_token_types(kinds)
        out.add_bos_token_id(1)
        out.add_eos_token_id(2)
        out.add_unk_token_id(0)
        out.add_add_space_prefix(prefix)

    got = made(tool, folder, write)
    # A special token's text is that token here, and letters to SentencePiece. A symbol of the user's own that is blanks
    # is found as blanks, and not where a text has U+2581 itself, of which SentencePiece makes no difference.
    def clean(text):
        return text.replace("<s>", "").replace("\u2581" if 4 in kinds else "<s>", "")

    compare_ids(f"SentencePiece, {name}", tool, folder, lambda t: got.encode(t).ids, lambda t: [1] + wanted.encode(t),
                clean)


def train_sentencepiece(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, vocab_size=460, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2, **options)
    return model.getvalue()


def main():
    tool = pathlib.Path(sys.argv[1]) / "tests/tools/show_model"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for name, (arch, config) in MODELS.items():
            compare_model(tool, folder, name, arch, config)
        compare_byte_level(tool, folder)
        compare_sentencepiece(tool, folder, "a prefix", train_sentencepiece())
        compare_sentencepiece(tool, folder, "symbols of the user's own, no prefix", train_sentencepiece(
            add_dummy_prefix=False, user_defined_symbols=["\n", "\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "<b>"]))
        for path in sys.argv[2:]:
            compare_sentencepiece(tool, folder, path, pathlib.Path(path).read_bytes())


main()
