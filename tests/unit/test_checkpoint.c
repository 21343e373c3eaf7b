/* Model folders: finding, opening, shards and their index, checksum, and what a model family
 * expects of one. */
#include "tests/unit/io_files.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"
#include "runtime/io/checkpoint.h"
#include "runtime/io/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const float values[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static struct sp_tensor_info floats(const char *name, size_t rows, size_t cols)
{
    return (struct sp_tensor_info){ .name = name, .dtype = SP_F32, .rank = 2,
                                    .shape = { rows, cols }, .data = values };
}

static void write_tensors(const char *name, const struct sp_tensor_info *tensors, size_t count)
{
    io_write_text(name, ""); /* makes the folder */
    assert_int_equal(sp_safetensors_write(io_path(name), tensors, count), 0);
}

/* A model in two shards: a and c in the first, b in the second. */
static void write_sharded(const char *map)
{
    const struct sp_tensor_info first[2] = { floats("c", 2, 2), floats("a", 2, 3) };
    const struct sp_tensor_info second[1] = { floats("b", 3, 4) };

    io_write_text("m/config.json", "{\"model_type\": \"bert\"}");
    write_tensors("m/model-1.safetensors", first, 2);
    write_tensors("m/model-2.safetensors", second, 1);
    io_write_text("m/model.safetensors.index.json", map);
}

#define MAP(entries) "{\"metadata\": {\"total_size\": 88}, \"weight_map\": {" entries "}}"
#define GOOD_MAP                                                                                   \
    MAP("\"a\": \"model-1.safetensors\", \"b\": \"model-2.safetensors\", "                         \
        "\"c\": \"model-1.safetensors\"")

static void test_single(void **state)
{
    const struct sp_tensor_info tensors[3] = { floats("c", 2, 2), floats("a", 2, 3),
                                               floats("b", 3, 4) };
    struct sp_checkpoint *model;
    const json_t *config;

    (void)state;
    io_write_text("m/config.json", "{\"hidden_size\": 12}");
    write_tensors("m/model.safetensors", tensors, 3);
    assert_int_equal(sp_checkpoint_open(&model, io_path("m")), 0);
    assert_string_equal(sp_checkpoint_dir(model), io_path("m"));
    config = sp_checkpoint_config(model);
    assert_int_equal(json_integer_value(json_object_get(config, "hidden_size")), 12);
    assert_int_equal(sp_checkpoint_count(model), 3);
    for (size_t i = 0; i < 3; i++) {
        const char name[2] = { (char)('a' + i), 0 };

        assert_string_equal(sp_checkpoint_at(model, i)->name, name);
        assert_ptr_equal(sp_checkpoint_find(model, name), sp_checkpoint_at(model, i));
    }
    assert_null(sp_checkpoint_find(model, "d"));
    sp_checkpoint_forget(model);
    assert_memory_equal(sp_checkpoint_find(model, "b")->data, values, sizeof values);
    sp_checkpoint_close(model);
    sp_checkpoint_close(NULL);
}

static void checksum_of(char out[65], const char *dir)
{
    struct sp_checkpoint *model;
    const char *sum;

    if (sp_checkpoint_open(&model, dir) != 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(sp_checkpoint_checksum(&sum, model), 0);
    snprintf(out, 65, "%s", sum);
    assert_int_equal(sp_checkpoint_checksum(&sum, model), 0);
    assert_string_equal(out, sum);
    assert_int_equal(strlen(out), 64);
    sp_checkpoint_close(model);
}

/* The same weights give the same sum however they are sharded; any change gives another. */
static void test_checksum(void **state)
{
    struct sp_tensor_info tensors[3] = { floats("b", 3, 4), floats("a", 2, 3), floats("c", 2, 2) };
    char sharded[65], single[65], other[65];

    (void)state;
    write_sharded(GOOD_MAP);
    checksum_of(sharded, io_path("m"));
    /* python: h = sha256(); for name, shape in (a,(2,3)), (b,(3,4)), (c,(2,2)):
     * h.update(name + b"\0F32\0" + pack("<3Q", 2, *shape) + the first floats of 1..12) */
    assert_string_equal(sharded,
                        "dae1f5ea195645191bfa04c6e2afc0e059abd2a72df8cf46e66d0b1877989b6d");
    io_write_text("s/config.json", "{}");
    write_tensors("s/model.safetensors", tensors, 3);
    checksum_of(single, io_path("s"));
    assert_string_equal(single, sharded);
    tensors[0] = floats("b", 4, 3);
    write_tensors("s/model.safetensors", tensors, 3);
    checksum_of(other, io_path("s"));
    assert_string_not_equal(other, single);
    tensors[0] = floats("bb", 3, 4);
    write_tensors("s/model.safetensors", tensors, 3);
    checksum_of(other, io_path("s"));
    assert_string_not_equal(other, single);
    tensors[0] = floats("b", 3, 4);
    tensors[0].dtype = SP_U32;
    write_tensors("s/model.safetensors", tensors, 3);
    checksum_of(other, io_path("s"));
    assert_string_not_equal(other, single);
    tensors[0] = floats("b", 3, 4);
    tensors[2].data = values + 1;
    write_tensors("s/model.safetensors", tensors, 3);
    checksum_of(other, io_path("s"));
    assert_string_not_equal(other, single);
}

/* Weights that were written to under the mapping have no checksum; a file that took their name leaves the mapping as it
 * was. */
static void test_checksum_in_use(void **state)
{
    struct sp_tensor_info tensors[1] = { floats("a", 2, 3) };
    struct sp_checkpoint *model, *renamed;
    char before[65], path[256];
    const char *sum;
    FILE *file;

    (void)state;
    io_write_text("m/config.json", "{}");
    write_tensors("m/model.safetensors", tensors, 1);
    snprintf(path, sizeof path, "%s", io_path("m/model.safetensors"));
    checksum_of(before, io_path("m"));
    assert_int_equal(sp_checkpoint_open(&renamed, io_path("m")), 0);
    tensors[0].data = values + 1;
    write_tensors("m/model.safetensors.new", tensors, 1);
    assert_int_equal(rename(io_path("m/model.safetensors.new"), path), 0);
    assert_int_equal(sp_checkpoint_open(&model, io_path("m")), 0);
    assert_int_equal(sp_checkpoint_checksum(&sum, renamed), 0);
    assert_string_equal(sum, before);
    file = fopen(path, "wb"); /* one byte: reading the rest of the mapping would be a bus error */
    assert_non_null(file);
    assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);
    io_assert_error(sp_checkpoint_checksum(&sum, model), SP_EIO, path, "was written to or touched while it was in use",
                    NULL);
    sp_checkpoint_close(renamed);
    sp_checkpoint_close(model);
}

static void refused(int code, const char *part, const char *more)
{
    struct sp_checkpoint *model;

    io_assert_error(sp_checkpoint_open(&model, io_path("m")), code, part, more, NULL);
    assert_null(model);
}

static void test_not_a_model(void **state)
{
    (void)state;
    refused(SP_ENOTFOUND, "is not a folder", io_path("m"));
    io_write_text("m/x", "");
    refused(SP_ENOTFOUND, "config.json", io_path("m"));
    io_write_text("m/config.json", "[1]");
    refused(SP_EFORMAT, "not a JSON object", "config.json");
    io_write_text("m/config.json", "1e400");
    refused(SP_EFORMAT, "not a JSON object", "config.json");
    io_write_text("m/config.json", "{\"a\": 1, \"a\": 2}");
    refused(SP_EFORMAT, "duplicate", "config.json:1:");
    io_write_text("m/config.json", "{");
    refused(SP_EFORMAT, "config.json:1:", NULL);
    io_write_text("m/config.json", "{}");
    refused(SP_ENOTFOUND, "neither model.safetensors nor", io_path("m"));
    io_write_text("m/pytorch_model.bin", "x");
    refused(SP_ENOTFOUND, "pickle", "torch.load");
    io_write_text("m/model.safetensors", "garbage");
    refused(SP_EFORMAT, "model.safetensors", "not a safetensors file");
}

static void link_to_nothing(const char *name)
{
    (void)unlink(io_path(name));
    assert_int_equal(symlink("../blobs/x", io_path(name)), 0);
}

/* A cache that was copied without what its links lead to: the link is named, and what it misses. */
static void test_links_to_nothing(void **state)
{
    char *dir;

    (void)state;
    io_write_text("m/x", "");
    link_to_nothing("m/config.json");
    refused(SP_ENOTFOUND, io_path("m/config.json: it is a link to ../blobs/x, which is not there"), NULL);
    assert_int_equal(unlink(io_path("m/config.json")), 0);
    io_write_text("m/config.json", "{}");
    link_to_nothing("m/pytorch_model.bin");
    refused(SP_ENOTFOUND, io_path("m/pytorch_model.bin: it is a link to ../blobs/x"), NULL);
    link_to_nothing("m/model.safetensors.index.json");
    refused(SP_ENOTFOUND, io_path("m/model.safetensors.index.json: it is a link to ../blobs/x"), NULL);
    assert_int_equal(unlink(io_path("m/model.safetensors.index.json")), 0);
    io_write_text("m/model.safetensors.index.json", "{\"weight_map\": {\"a\": \"s.safetensors\"}}");
    link_to_nothing("m/s.safetensors");
    refused(SP_ENOTFOUND, io_path("m/s.safetensors: it is a link to ../blobs/x"), NULL);
    link_to_nothing("m/model.safetensors");
    refused(SP_ENOTFOUND, io_path("m/model.safetensors: it is a link to ../blobs/x"), NULL);
    link_to_nothing("folder");
    io_assert_error(sp_checkpoint_resolve(&dir, io_path("folder")), SP_ENOTFOUND, "it is a link to ../blobs/x", NULL);
}

/* A model that lies below the folder, or a file of one, is what was meant; files of other kinds are called what they
 * are. */
static void test_elsewhere(void **state)
{
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 438000000\n";
    char *dir;

    (void)state;
    io_write_text("m/.git/config.json", "{}");
    io_write_text("m/.git/model.safetensors", "");
    io_write_text("m/1_Pooling/config.json", "{}");
    io_write_text("m/a/b/c/d/config.json", "{}");
    io_write_text("m/a/b/c/d/model.safetensors", "");
    refused(SP_ENOTFOUND, "it is not a Hugging Face model folder", io_path("m"));
    io_write_text("m/snapshots/41a/config.json", "{}");
    io_write_text("m/snapshots/41a/model.safetensors", "");
    refused(SP_ENOTFOUND,
            "has no config.json, but below it lies a model:", io_path("m/snapshots/41a. Give that folder"));
    io_write_text("m/config.json", "{}");
    refused(SP_ENOTFOUND, "holds no weights, but below it lies a model:", io_path("m/snapshots/41a. Give that folder"));
    for (int i = 9; i >= 4; i--) {
        char name[64];

        snprintf(name, sizeof name, "m/checkpoint-%d/model.safetensors.index.json", i);
        io_write_text(name, "{}");
        snprintf(name, sizeof name, "m/checkpoint-%d/config.json", i);
        io_write_text(name, "{}");
    }
    refused(SP_ENOTFOUND, io_path("m/checkpoint-4, "), io_path("m/checkpoint-7 and 3 more. Give one of them"));
    io_write_text("m/pytorch_model.bin", pointer);
    refused(SP_EFORMAT, "pytorch_model.bin is a Git LFS pointer", "git lfs pull");
    io_write_text("m/tf_model.h5", pointer);
    assert_int_equal(unlink(io_path("m/pytorch_model.bin")), 0);
    refused(SP_EFORMAT, "tf_model.h5 is a Git LFS pointer", NULL);
    io_write_text("m/model.safetensors", pointer);
    refused(SP_EFORMAT, "model.safetensors is a Git LFS pointer, 74 bytes in place of the file itself", "git lfs pull");
    io_write_text("m/config.json", pointer);
    refused(SP_EFORMAT, "config.json is a Git LFS pointer", NULL);
    io_write_text("m/config.json", "<!DOCTYPE html>\n<html>");
    refused(SP_EFORMAT, "config.json is a page in HTML or XML", NULL);
    io_assert_error(sp_checkpoint_resolve(&dir, io_path("m/config.json")), SP_ENOTFOUND,
                    "is a file, and a model is a folder or a GGUF file: give", NULL);
    assert_string_equal(strrchr(sp_error_message(), ' ') + 1, io_path("m"));
}

/* What lies in a folder without weights that are known is named, with what to do about it. */
static void test_other_files(void **state)
{
    static const char *const files[][2] = {
        { "model.safetensors.incomplete", "is a download that was cut off before its end: fetch the file again" },
        { "model.safetensors.part", "is a download that was cut off" },
        { "Unconfirmed 1234.crdownload", "is a download that was cut off" },
        { ".cache/huggingface/download/Ab1.incomplete", "is a download that was cut off" },
        { "model.fp16.safetensors", "has no model.safetensors, but model.fp16.safetensors: where a file holds all of "
                                    "the model's weights" },
        { "bert.safetensors", "has no model.safetensors, but bert.safetensors: " },
        { "onnx/model.onnx", "holds its weights as onnx/model.onnx only, an export to ONNX, which cannot be trained: "
                             "give the checkpoint" },
        { "model_q4.gguf", "as model_q4.gguf only, a model in one file, llama.cpp's: give that file as the model" },
        { "model.ckpt", "as model.ckpt only, a checkpoint of PyTorch Lightning or TensorFlow, which is not read: load "
                        "it with the program" },
        { "bert.bin", "as bert.bin only, a pickle file as PyTorch writes it, which can run any code" },
        { "weights.pt", "a pickle file as PyTorch writes it" },
        { "saved_model.pb", "a file of TensorFlow's, which is not read" },
        { "bert.tar.gz", "holds no weights but an archive, bert.tar.gz: unpack it" },
        { "training_args.bin", "holds no weights: neither model.safetensors nor" },
        { "optimizer.pt", "holds no weights: neither model.safetensors nor" },
        { "README.md", "holds no weights: neither model.safetensors nor" },
        { "model.safetensors.bak", "has no model.safetensors, but model.safetensors.bak: if that is the file, give it "
                                   "this name" },
        { "Model.SafeTensors", "but Model.SafeTensors: if that is the file, give it this name" },
        { "model.safetensors.dvc", "but model.safetensors.dvc: it is a pointer of DVC's" },
        { ".model.safetensors.icloud", "but .model.safetensors.icloud: it was not downloaded from iCloud yet" },
        { "model.safetensors.url", "it is a link to the file, and not the file itself: download that" },
        { "model.safetensors.sha256", "holds no weights: neither model.safetensors nor" },
        { "weights/model.safetensors", "but weights/model.safetensors: if that is the file, move it one folder up" },
        { "weights.safetensors", "but weights.safetensors: where a file holds all of the model's weights" },
    };
    char path[200], *dir;

    (void)state;
    io_write_text("m/config.json", "{}");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "m/%s", files[i][0]);
        io_write_text(path, "");
        refused(SP_ENOTFOUND, files[i][1], io_path("m"));
        assert_int_equal(unlink(io_path(path)), 0);
    }
    io_write_text("m/b.safetensors", "");
    io_write_text("m/a.safetensors", "");
    refused(SP_ENOTFOUND, "but a.safetensors and 1 more of the kind", NULL);
    io_write_text("m/c.safetensors", "larger");
    refused(SP_ENOTFOUND, "but c.safetensors and 2 more of the kind", NULL);
    assert_int_equal(unlink(io_path("m/c.safetensors")), 0);
    io_write_text("m/pytorch_model.bin", "Entry not found");
    refused(SP_EFORMAT, "pytorch_model.bin holds \"Entry not found\"", NULL);
    io_write_text("m/pytorch_model.bin", "{\"error\": \"Entry not found\"}");
    refused(SP_EFORMAT, "pytorch_model.bin holds only the message \"Entry not found\"", NULL);
    io_write_text("m/pytorch_model.bin", "PK\003\004");
    refused(SP_ENOTFOUND, "holds its weights as pytorch_model.bin only", NULL);
    assert_int_equal(unlink(io_path("m/pytorch_model.bin")), 0);
    io_write_text("m/a.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 438000000\n");
    refused(SP_EFORMAT, "a.safetensors is a Git LFS pointer", NULL);
    assert_int_equal(unlink(io_path("m/config.json")), 0);
    io_write_text("m/config.json.part", "");
    refused(SP_ENOTFOUND, "m/config.json.part is a download that was cut off", NULL);
    io_write_text("a/bert.tar.gz", "");
    io_write_text("a/bert.h5", "");
    io_assert_error(sp_checkpoint_resolve(&dir, io_path("a/bert.tar.gz")), SP_ENOTFOUND,
                    "is an archive, and a model is a folder or a GGUF file: unpack it", NULL);
    io_assert_error(sp_checkpoint_resolve(&dir, io_path("a/bert.h5")), SP_ENOTFOUND,
                    "that holds config.json and model.safetensors", io_path("a, has no config.json"), NULL);
}

/* A configuration under another name is one that holds a model's, and the likeliest name of several is given. */
static void test_likely_config(void **state)
{
    static const char *const files[] = {
        "model/config.json", "b_config.json", "config", "config (1).json", "config.json.zip", "config.json.txt",
        "Config.json",
    };
    char expected[200];

    (void)state;
    io_write_text("m/adapter_config.json.md", "");
    io_write_text("m/tokenizer_config.json", "{\"hidden\": 2}");
    io_write_text("m/generation_config.json", "not JSON");
    refused(SP_ENOTFOUND, "it is not a Hugging Face model folder", io_path("m"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[100];

        snprintf(path, sizeof path, "m/%s", files[i]);
        io_write_text(path, "{\"hidden_size\": 2}");
        snprintf(expected, sizeof expected, "m has no config.json, but %s: %s", files[i],
                 i == 0                    ? "if that is the file, move it"
                 : strstr(files[i], "zip") ? "it is packed: unpack it"
                                           : "if that is the file, give it this name");
        refused(SP_ENOTFOUND, expected, NULL);
    }
}

/* The hint names the class that the weights were saved from, so that converting loses none; what is no plain name stays
 * out of it. */
static void test_other_forms(void **state)
{
    static const struct {
        const char *file, *config, *hint, *more;
    } cases[] = {
        { "pytorch_model.bin", "{\"architectures\": [\"BertForSequenceClassification\"]}",
          "from transformers import BertForSequenceClassification; BertForSequenceClassification.from_pretrained(DIR)"
          ".save_pretrained(DIR, safe_serialization=True)",
          "pytorch_model.bin only" },
        { "pytorch_model.bin.index.json", "{\"architectures\": [\"BertForMaskedLM\"]}",
          "from transformers import BertForMaskedLM; BertForMaskedLM.from_pretrained(DIR)",
          "take BertForPreTraining, which keeps" },
        { "pytorch_model.bin", "{\"architectures\": [\"BertForTokenClassification\"]}",
          "BertForTokenClassification.from_pretrained(DIR)", "pooler weights are not used, take BertForPreTraining" },
        { "pytorch_model.bin", "{\"architectures\": [\"BertForQuestionAnswering\"]}",
          "take BertForPreTraining, which keeps", NULL },
        { "tf_model.h5", "{\"architectures\": [\"BertLMHeadModel\"]}", "take BertForPreTraining, which keeps", NULL },
        { "pytorch_model.bin", "{\"architectures\": [\"DistilBertForMaskedLM\"]}",
          "DistilBertForMaskedLM.from_pretrained(DIR)", NULL },
        { "pytorch_model-00001-of-00002.bin", "{\"architectures\": [\"BertModel\"]}", "DIR + '/pytorch_model*.bin'",
          "holds its weights as pytorch_model-00001-of-00002.bin only" },
        { "model-00001-of-00002.safetensors", "{}", "such as model-00001-of-00002.safetensors, without",
          "fetch that file and all shards" },
        { "pytorch_model.bin", "{\"architectures\": [\"a; b\", 5, \"Good_1\"]}",
          "import Good_1; Good_1.from_pretrained(DIR)", NULL },
        { "pytorch_model.bin", "{\"architectures\": [\"X; import os\", \"\", \"X'\", \"X\\n\", null]}",
          "Python: import glob, torch; from safetensors.torch import save_file",
          "torch.load(f, map_location='cpu', weights_only=True)" },
        { "pytorch_model.bin", "{\"architectures\": \"BertModel\"}", "import glob, torch", NULL },
        { "tf_model.h5", "{\"architectures\": [\"BertForSequenceClassification\"]}",
          "BertForSequenceClassification.from_pretrained(DIR, from_tf=True).save_pretrained(", "tf_model.h5 only" },
        { "flax_model.msgpack", "{}", "AutoModelForPreTraining.from_pretrained(DIR, from_flax=True).save_pretrained(",
          "transformers 4 and Flax" },
        { "model.ckpt.index", "{\"architectures\": [\"BertModel\"]}",
          "BertModel.from_pretrained(DIR + '/model.ckpt.index', from_tf=True, config=DIR + '/config.json')",
          "TensorFlow" },
        { "a'; b.ckpt.index", "{\"architectures\": [\"BertModel\"]}", "(DIR + '/NAME.ckpt.index', ", NULL },
        { "bert_model.ckpt.index", NULL,
          "BertForPreTraining.from_pretrained(DIR + '/bert_model.ckpt.index', from_tf=True, config=DIR + "
          "'/bert_config.json')",
          NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];

        snprintf(name, sizeof name, "m/%s", cases[i].file);
        io_write_text(cases[i].config ? "m/config.json" : "m/bert_config.json",
                      cases[i].config ? cases[i].config : "{}");
        io_write_text(name, "x");
        refused(SP_ENOTFOUND, cases[i].hint, cases[i].more);
        assert_null(strstr(sp_error_message(), "import os"));
        assert_null(strstr(sp_error_message(), "DistilBertForPreTraining")); /* there is none */
        assert_int_equal(unlink(io_path(name)), 0);
        assert_int_equal(unlink(io_path(cases[i].config ? "m/config.json" : "m/bert_config.json")), 0);
    }
}

static void test_config_too_large(void **state)
{
    size_t size = (1 << 20) + 1;
    char *text = malloc(size);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', size);
    io_write("m/config.json", text, size);
    free(text);
    refused(SP_ELIMIT, "config.json", "limit");
}

static void test_wrong_index(void **state)
{
    static const char *const traps[] = {
        "../evil.safetensors", "/etc/evil.safetensors", "sub/x.safetensors", "..\\\\x.safetensors",
        "..", ".", "", ".safetensors", "model.bin", ".hidden.safetensors",
    };

    (void)state;
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        char map[256];

        snprintf(map, sizeof map, MAP("\"a\": \"%s\""), traps[i]);
        write_sharded(map);
        refused(SP_EFORMAT, "plain name", "tensor a");
    }
    write_sharded(MAP("\"a\": 1"));
    refused(SP_EFORMAT, "not a string", "tensor a");
    write_sharded("[]");
    refused(SP_EFORMAT, "not a JSON object", "index.json");
    write_sharded("{\"weight_map\": []}");
    refused(SP_EFORMAT, "weight_map", "index.json");
    write_sharded("{");
    refused(SP_EFORMAT, "index.json:1:", NULL);
    write_sharded(MAP("\"a\": \"model-3.safetensors\""));
    refused(SP_ENOTFOUND, "model-3.safetensors", "index.json");
    io_write_text("m/model-3.safetensors.part", "");
    refused(SP_ENOTFOUND, "m/model-3.safetensors.part is a download that was cut off", NULL);
    assert_int_equal(unlink(io_path("m/model-3.safetensors.part")), 0);
    write_sharded(MAP("\"a\": \"model-2.safetensors\""));
    refused(SP_EFORMAT, "tensor a lies in model-2.safetensors", "index.json");
    write_sharded(MAP("\"a\": \"model-1.safetensors\""));
    refused(SP_EFORMAT, "holds tensor c", "no shard");
    write_sharded(MAP("\"a\": \"model-1.safetensors\", \"b\": \"model-2.safetensors\", "
                      "\"c\": \"model-2.safetensors\""));
    refused(SP_EFORMAT, "tensor c", "model-2.safetensors");
    write_sharded(GOOD_MAP);
    io_write_text("m/model-2.safetensors", "cut");
    refused(SP_EFORMAT, "model-2.safetensors", "while opening a shard");
}

static void test_resolve(void **state)
{
    char *dir;

    (void)state;
    assert_int_equal(setenv("SPEFT_CACHE_DIR", io_path("cache"), 1), 0);
    io_write_text("cache/models/tiny/config.json", "{}");
    io_write_text("cache/models/org/tiny/config.json", "{}");
    io_write_text("cache/secret/config.json", "{}");
    assert_int_equal(sp_checkpoint_resolve(&dir, io_path("cache")), 0);
    assert_string_equal(dir, io_path("cache"));
    free(dir);
    assert_int_equal(sp_checkpoint_resolve(&dir, "tiny"), 0);
    assert_string_equal(dir, io_path("cache/models/tiny"));
    free(dir);
    assert_int_equal(sp_checkpoint_resolve(&dir, "org/tiny"), 0);
    free(dir);
    io_write_text("cache/models/small.gguf", "GGUF");
    assert_int_equal(sp_checkpoint_resolve(&dir, "small"), 0); /* the ending may be left out */
    assert_string_equal(dir, io_path("cache/models/small.gguf"));
    free(dir);
    assert_int_equal(sp_checkpoint_resolve(&dir, "small.gguf"), 0);
    free(dir);
    io_assert_error(sp_checkpoint_resolve(&dir, "huge"), SP_ENOTFOUND, "\"huge\"",
                    io_path("cache/models/huge"), "./dev model", "minilm-l6-h384", "smollm2-135m-instruct", NULL);
    assert_null(dir);
    io_assert_error(sp_checkpoint_resolve(&dir, "../secret"), SP_ENOTFOUND, "secret", NULL);
    io_assert_error(sp_checkpoint_resolve(&dir, "tiny/../../secret"), SP_ENOTFOUND, "secret", NULL);
    io_assert_error(sp_checkpoint_resolve(&dir, ""), SP_ENOTFOUND, "no model", NULL);
    io_assert_error(sp_checkpoint_resolve(&dir, io_path("cache/models/tiny/config.json")),
                    SP_ENOTFOUND, "give the folder that it lies in", NULL);
}

/* ---- weights ---- */

static char logged[4096];

static void keep_log(enum sp_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == SP_LOG_WARNING)
        snprintf(logged, sizeof logged, "%s", text);
}

static int logging_setup(void **state)
{
    logged[0] = '\0';
    sp_log_set_sink(keep_log, NULL);
    return io_setup(state);
}

static int logging_teardown(void **state)
{
    sp_log_set_sink(NULL, NULL);
    return io_teardown(state);
}

static const char *const prefixes[] = { "bert.", "", NULL };
static const char *const renames[] = { "LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias",
                                       "LayerNorm.beta", NULL };
static const char *const ignored[] = { "*position_ids", "cls.*", NULL };
static const struct sp_weight_names names = { prefixes, renames, ignored };

static struct sp_checkpoint *model_of(const struct sp_tensor_info *tensors, size_t count)
{
    struct sp_checkpoint *model;

    io_write_text("m/config.json", "{}");
    write_tensors("m/model.safetensors", tensors, count);
    assert_int_equal(sp_checkpoint_open(&model, io_path("m")), 0);
    return model;
}

#define WEIGHT(name, rows, cols) { name, 2, { rows, cols }, false, NULL }

static void test_weights(void **state)
{
    struct sp_tensor_info tensors[6] = { floats("bert.dense.weight", 2, 3),
                                         floats("bert.LayerNorm.gamma", 1, 4),
                                         floats("classifier.weight", 2, 2),
                                         floats("bert.embeddings.position_ids", 1, 4),
                                         floats("cls.predictions.bias", 1, 4),
                                         floats("bert.extra", 1, 1) };
    struct sp_weight weights[4] = { WEIGHT("dense.weight", 2, 3), WEIGHT("LayerNorm.weight", 1, 4),
                                    WEIGHT("classifier.weight", 2, 2), WEIGHT("pooler", 1, 1) };
    struct sp_checkpoint *model = model_of(tensors, 6);

    (void)state;
    weights[3].optional = true;
    assert_int_equal(sp_weights_find(weights, 4, &names, model), 0);
    assert_string_equal(weights[0].tensor->name, "bert.dense.weight");
    assert_string_equal(weights[1].tensor->name, "bert.LayerNorm.gamma");
    assert_string_equal(weights[2].tensor->name, "classifier.weight");
    assert_null(weights[3].tensor);
    assert_non_null(strstr(logged, "1 tensors are not used by the model: bert.extra"));
    assert_null(strstr(logged, "position_ids"));
    sp_checkpoint_close(model);
}

static void test_weights_missing(void **state)
{
    struct sp_tensor_info tensors[2] = { floats("roberta.dense.weight", 2, 3),
                                         floats("found", 1, 4) };
    struct sp_weight weights[3] = { WEIGHT("dense.weight", 2, 3), WEIGHT("found", 1, 4),
                                    WEIGHT("LayerNorm.weight", 1, 4) };
    struct sp_checkpoint *model = model_of(tensors, 2);

    (void)state;
    io_assert_error(sp_weights_find(weights, 3, &names, model), SP_EFORMAT, io_path("m"),
                    "2 of the model's 3 weights are missing: dense.weight, LayerNorm.weight",
                    "does not know: roberta.dense.weight", NULL);
    sp_checkpoint_close(model);
}

/* What a trainer has left before all names is no part of them; before some, or by another word, it is named. The sum is
 * the files'. */
static void test_weights_wrapped(void **state)
{
    static const char *const wrappers[] = { "module.", "_orig_mod.", "module._orig_mod.", "model." };
    const char *plain, *wrapped;
    struct sp_checkpoint *model;
    char dense[60], head[60], sum[65];

    (void)state;
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        struct sp_tensor_info tensors[2] = { floats(dense, 2, 3), floats(head, 2, 2) };
        struct sp_weight weights[2] = { WEIGHT("dense.weight", 2, 3), WEIGHT("classifier.weight", 2, 2) };

        snprintf(dense, sizeof dense, "bert.dense.weight");
        snprintf(head, sizeof head, "classifier.weight");
        model = model_of(tensors, 2);
        assert_string_equal(sp_checkpoint_wrapper(model), "");
        assert_int_equal(sp_checkpoint_checksum(&plain, model), 0);
        snprintf(sum, sizeof sum, "%s", plain);
        sp_checkpoint_close(model);
        snprintf(dense, sizeof dense, "%sbert.dense.weight", wrappers[i]);
        snprintf(head, sizeof head, "%sclassifier.weight", wrappers[i]);
        model = model_of(tensors, 2);
        assert_string_equal(sp_checkpoint_wrapper(model), wrappers[i]);
        assert_int_equal(sp_weights_find(weights, 2, &names, model), 0);
        assert_string_equal(weights[0].tensor->name, "bert.dense.weight");
        assert_ptr_equal(sp_checkpoint_find(model, "classifier.weight"), weights[1].tensor);
        assert_int_equal(sp_checkpoint_checksum(&wrapped, model), 0);
        assert_string_not_equal(wrapped, sum);
        sp_checkpoint_close(model);
        /* not before all: half of the names could be the model's own */
        snprintf(head, sizeof head, "classifier.weight");
        model = model_of(tensors, 2);
        assert_string_equal(sp_checkpoint_wrapper(model), "");
        snprintf(logged, sizeof logged, "the names of the model's weights begin with \"%s", wrappers[i]);
        io_assert_error(sp_weights_find(weights, 2, &names, model), SP_EFORMAT, io_path("m"), logged,
                        "expected is bert.dense.weight", NULL);
        sp_checkpoint_close(model);
    }
}

/* A decoder whose head is tied has "model." before all names by itself. */
static void test_own_beginning(void **state)
{
    static const struct {
        const char *names[2], *wrapper;
    } cases[] = {
        { { "model.embed_tokens.weight", "model.norm.weight" }, "" },
        { { "model.decoder.embed_tokens.weight", "model.decoder.final_layer_norm.weight" }, "" },
        { { "model.model.embed_tokens.weight", "model.model.norm.weight" }, "model." },
        { { "model.model.embed_tokens.weight", "model.lm_head.weight" }, "model." },
        { { "_orig_mod.model.embed_tokens.weight", "_orig_mod.model.norm.weight" }, "_orig_mod." },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sp_tensor_info tensors[2] = { floats(cases[i].names[0], 2, 3), floats(cases[i].names[1], 2, 2) };
        struct sp_checkpoint *model = model_of(tensors, 2);

        assert_string_equal(sp_checkpoint_wrapper(model), cases[i].wrapper);
        sp_checkpoint_close(model);
    }
}

/* More names than a message holds: as many as fit, and a count of the rest. */
static void test_weights_many_missing(void **state)
{
    size_t count = 500;
    struct sp_weight *weights = calloc(count, sizeof *weights);
    struct sp_checkpoint *model = model_of(NULL, 0);

    (void)state;
    assert_non_null(weights);
    for (size_t i = 0; i < count; i++)
        snprintf(weights[i].name, sizeof weights[i].name, "layer.%zu.weight", i);
    io_assert_error(sp_weights_find(weights, count, &names, model), SP_EFORMAT,
                    "500 of the model's 500", "layer.0.weight, layer.1.weight", " more", NULL);
    free(weights);
    sp_checkpoint_close(model);
}

static void test_weights_wrong(void **state)
{
    struct sp_tensor_info tensors[1] = { floats("bert.w", 2, 3) };
    struct sp_weight weights[1] = { WEIGHT("w", 3, 2) };
    struct sp_checkpoint *model = model_of(tensors, 1);

    (void)state;
    io_assert_error(sp_weights_find(weights, 1, &names, model), SP_EFORMAT,
                    io_path("m/model.safetensors"), "bert.w", "F32 [2, 3]", "F32 [3, 2]", NULL);
    weights[0] = (struct sp_weight){ .name = "w", .rank = 1, .shape = { 6 } };
    io_assert_error(sp_weights_find(weights, 1, &names, model), SP_EFORMAT, "F32 [6]", NULL);
    sp_checkpoint_close(model);
    tensors[0].dtype = SP_I32;
    model = model_of(tensors, 1);
    weights[0] = (struct sp_weight)WEIGHT("w", 2, 3);
    io_assert_error(sp_weights_find(weights, 1, &names, model), SP_EFORMAT, "I32 [2, 3]", NULL);
    sp_checkpoint_close(model);
    tensors[0].dtype = SP_BF16;
    model = model_of(tensors, 1);
    assert_int_equal(sp_weights_find(weights, 1, &names, model), 0);
    sp_checkpoint_close(model);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, io_setup, io_teardown)
#define LOGGED(name) cmocka_unit_test_setup_teardown(name, logging_setup, logging_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_single),
        TEST(test_checksum),
        TEST(test_checksum_in_use),
        TEST(test_not_a_model),
        TEST(test_links_to_nothing),
        TEST(test_elsewhere),
        TEST(test_other_files),
        TEST(test_likely_config),
        TEST(test_other_forms),
        TEST(test_config_too_large),
        TEST(test_wrong_index),
        TEST(test_resolve),
        LOGGED(test_weights),
        TEST(test_weights_missing),
        TEST(test_weights_wrapped),
        TEST(test_own_beginning),
        TEST(test_weights_many_missing),
        TEST(test_weights_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
