/*
 * Data sets and batches: columns by GLUE's rules or by name, labels, bad rows, input_ids, whole
 * GLUE files where they are at hand ($SPEFT_DATA/glue/...). The tokenizer's vocabulary is the
 * letters a to f, ids 5 to 10, behind the special tokens.
 */
#include "tests/unit/io_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/data/batch.h"
#include "runtime/data/shape.h"
#include "runtime/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOCABULARY "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\n"
#define TASKS .tasks = { "sorting", "rating" } /* their names are the caller's affair */
#define DEFAULTS .max_seq_length = 8, .vocab_size = 11, .type_count = 2, TASKS
#define SET(...) &(struct sp_dataset_options){ DEFAULTS, __VA_ARGS__ }
#define PLAIN &(struct sp_dataset_options){ DEFAULTS }

static const struct sp_row_shape as_numbers = { .labels = SP_LABELS_VALUES },
                                 as_classes = { .labels = SP_LABELS_CLASSES };

static struct sp_tokenizer *tokenizer;

static int setup(void **state)
{
    if (io_setup(state) != 0)
        return -1;
    io_write_text("model/vocab.txt", VOCABULARY);
    return sp_tokenizer_load(&tokenizer, io_path("model"));
}

static int teardown(void **state)
{
    sp_tokenizer_free(tokenizer);
    return io_teardown(state);
}

static void load(struct sp_dataset *out, const char *name, const char *content,
                 const struct sp_dataset_options *options)
{
    if (sp_dataset_load(out, io_write_text(name, content), tokenizer, options) < 0)
        fail_msg("%s", sp_error_message());
}

/* The file must be refused with the code, and with a message that names it and holds `part`. */
static void refuses(const char *name, const char *content, const struct sp_dataset_options *options,
                    int code, const char *part)
{
    struct sp_dataset set;

    io_assert_error(sp_dataset_load(&set, io_write_text(name, content), tokenizer, options), code,
                    name, part, NULL);
    assert_int_equal(set.count, 0);
    assert_null(set.ids);
}

static void assert_ids(const struct sp_dataset *set, size_t row, size_t count, const uint32_t *ids,
                       const uint8_t *types)
{
    assert_int_equal(sp_dataset_length(set, row), count);
    assert_memory_equal(set->ids + set->offsets[row], ids, count * sizeof *ids);
    assert_memory_equal(set->types + set->offsets[row], types, count);
}

static void test_texts(void **state)
{
    struct sp_dataset set;

    (void)state;
    load(&set, "t.csv", "text,label\r\na b,no\r\n\"c,\nd\",yes\r\ne z,no\r\n", PLAIN);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.tokens, 4 + 5 + 4);
    assert_ids(&set, 0, 4, (const uint32_t[]){ 2, 5, 6, 3 }, (const uint8_t[4]){ 0 });
    assert_ids(&set, 1, 5, (const uint32_t[]){ 2, 7, 1, 8, 3 }, (const uint8_t[5]){ 0 });
    assert_ids(&set, 2, 4, (const uint32_t[]){ 2, 9, 1, 3 }, (const uint8_t[4]){ 0 });
    assert_memory_equal(set.lines, ((const uint32_t[]){ 2, 3, 5 }), 12);
    assert_memory_equal(set.classes, ((const uint32_t[]){ 0, 1, 0 }), 12);
    assert_int_equal(set.label_kind, SP_LABELS_CLASSES);
    assert_int_equal(set.labels.count, 2);
    assert_string_equal(set.labels.names[0], "no");
    assert_string_equal(set.labels.names[1], "yes");
    assert_true(set.header_guessed && set.layout.header);
    assert_int_equal(set.truncated + set.skipped, 0);
    sp_dataset_free(&set);
    sp_dataset_free(&set);

    load(&set, "t.jsonl",
         "{\"sentence1\":\"a\",\"sentence2\":\"b c\",\"label\":1}\n"
         "{\"label\":0,\"sentence2\":\"\",\"sentence1\":\"d\"}",
         PLAIN);
    assert_ids(&set, 0, 6, (const uint32_t[]){ 2, 5, 3, 6, 7, 3 },
               (const uint8_t[]){ 0, 0, 0, 1, 1, 1 });
    assert_ids(&set, 1, 4, (const uint32_t[]){ 2, 8, 3, 3 }, (const uint8_t[]){ 0, 0, 0, 1 });
    assert_memory_equal(set.classes, ((const uint32_t[]){ 1, 0 }), 8);
    sp_dataset_free(&set);
}

/* A column's name, or its number where the file has no header; "-" for none. */
static const char *name_of(char number[24], const struct sp_data_column *column)
{
    snprintf(number, 24, "%zu", column->number);
    return !column->number ? "-" : column->name ? column->name : number;
}

/* Which columns a header gives: "text pair label", "-" where there is none. */
static void chooses(const char *header, const char *row, const struct sp_dataset_options *options,
                    const char *expected)
{
    struct sp_buf file = SP_BUF(4096);
    struct sp_dataset set;
    char found[128], a[24], b[24], c[24];

    sp_buf_printf(&file, "%s\n%s\n%s\n", header, row, row);
    load(&set, "t.csv", file.data, options);
    snprintf(found, sizeof found, "%s %s %s", name_of(a, &set.layout.text), name_of(b, &set.layout.pair),
             name_of(c, &set.layout.label));
    assert_string_equal(found, expected);
    sp_dataset_free(&set);
    sp_buf_free(&file);
}

static void test_columns(void **state)
{
    char name[] = "1", *names[] = { name };
    const struct sp_labels one = { names, 1 };

    (void)state;
    chooses("index,sentence1,sentence2,label", "0,a,b,1", SET(.labels = &one),
            "sentence1 sentence2 label");
    chooses("index,question1,label,question2", "0,a,1,b", SET(.labels = &one),
            "question1 question2 label");
    chooses("idx,premise,hypothesis,label", "0,a,b,1", SET(.labels = &one),
            "premise hypothesis label");
    chooses("index,question,sentence,label", "0,a,b,1", SET(.labels = &one),
            "question sentence label");
    chooses("index,sentence1,label", "0,a,1", SET(.labels = &one), "sentence1 - label");
    chooses("sentence,label", "a,1", SET(.labels = &one), "sentence - label");
    chooses("id,label,text", "0,1,a", SET(.labels = &one), "text - label");
    chooses("label,review", "1,a", SET(.labels = &one), "review - label");
    chooses("label,review", "1,a", SET(.no_labels = true), "review - label");
    chooses("review,id", "a b,7", SET(.no_labels = true, .label_column = "label"), "review - -");
    chooses("id,text", "1,a", SET(.no_labels = true), "text - -");
    chooses("id,text,score", "1,a,1", SET(.labels = &one, .label_column = "score"), "text - score");
    chooses("id,text,score", "1,a,1", SET(.labels = &one, .label_column = "1"), "text - id");
    chooses("id,text,label", "1,a,1", SET(.labels = &one, .text_column = "id"), "id - label");
    chooses("id,text,label", "1,a,1",
            SET(.labels = &one, .text_column = "2", .text_pair_column = "id"), "text id label");
    chooses("text,sentence2,sentence1", "1,a,b", SET(.labels = &one, .label_column = "text"),
            "sentence1 sentence2 text");
    chooses("a b,1", "c,1", SET(.labels = &one, .text_column = "1", .label_column = "2"), "1 - 2");
    chooses("a b,1", "c,1", SET(.labels = &one, .label_column = "2"), "1 - 2");
    chooses("label,text", "a,1", SET(.no_labels = true, .text_column = "label"), "label - -");
}

/* A name that two columns have, where it is the one used; and one column for two things. */
static void test_columns_twice(void **state)
{
    char name[] = "1", *names[] = { name };
    const struct sp_labels one = { names, 1 };

    (void)state;
    refuses("t.csv", "text,label,text\na,1,b\n", PLAIN, SP_ECONFIG,
            "text_column is not set: columns 1 and 3 are both named \"text\"; give the number");
    refuses("t.csv", "sentence1,sentence2,label,sentence2\na,b,1,c\n", PLAIN, SP_ECONFIG,
            "columns 2 and 4 are both named \"sentence2\"");
    refuses("t.csv", "text,label,label\na,1,2\n", PLAIN, SP_ECONFIG, "both named \"label\"");
    refuses("t.csv", "text,label,text\na,1,b\n", SET(.text_column = "text"), SP_ECONFIG,
            "text_column: columns 1 and 3 are both named \"text\"");
    chooses("text,label,text", "a,1,b", SET(.labels = &one, .text_column = "3"), "text - label");
    chooses("text,label,label", "a,2,1", SET(.labels = &one, .label_column = "3"), "text - label");
    chooses("text,text", "a,1", SET(.labels = &one, .label_column = "2"), "text - text");
    chooses("sentence1,sentence,sentence,label", "a,b,c,1", SET(.labels = &one), "sentence1 - label");
    refuses("t.csv", "text,label\na,1\n", SET(.text_column = "label"), SP_ECONFIG,
            "text_column and the label, by default \"label\", are the same column, number 2");
    refuses("t.csv", "text,class\na,1\n", SET(.text_column = "2", .label_column = "class"), SP_ECONFIG,
            "text_column and label_column are the same column, number 2 (\"class\")");
    refuses("t.csv", "text,label\na,1\n", SET(.text_column = "text", .text_pair_column = "1"), SP_ECONFIG,
            "text_column and text_pair_column are the same column");
    refuses("t.csv", "text,label\na,1\n", SET(.text_column = "text", .text_pair_column = "2"), SP_ECONFIG,
            "text_pair_column and the label");
}

static void test_columns_missing(void **state)
{
    (void)state;
    refuses("t.csv", "text,class\na,1\n", PLAIN, SP_ECONFIG,
            "label_column is not set: no column \"label\"");
    refuses("t.csv", "text,label\na,1\n", SET(.label_column = "lable"), SP_ECONFIG,
            "did you mean \"label\"?");
    refuses("t.csv", "text,label\na,1\n", SET(.text_column = "body"), SP_ECONFIG,
            "text_column: no column \"body\"");
    refuses("t.csv", "label\n1\n", PLAIN, SP_ECONFIG, "no column with text; set text_column");
    refuses("t.csv", "a b,1\n", SET(.label_column = "3", .text_column = "1"), SP_ECONFIG,
            "numbered from 1 to 2");
    refuses("t.csv", "a b,1\n", SET(.label_column = "label"), SP_ECONFIG, "the file has: a b, 1");
}

/* Loads labels as a csv column and renders them: "task: name,name; class class" or numbers. */
static void labels(const char *column, const struct sp_dataset_options *options,
                   const char *expected)
{
    struct sp_buf text = SP_BUF(65536), file = SP_BUF(65536);
    struct sp_dataset set;

    sp_buf_puts(&file, "text,label\n");
    for (const char *p = column; *p; p += strcspn(p, "/"), p += *p == '/') {
        sp_buf_puts(&file, "a,");
        sp_buf_append(&file, p, strcspn(p, "/"));
        sp_buf_puts(&file, "\n");
    }
    load(&set, "t.csv", file.data, options);
    for (size_t i = 0; i < set.labels.count; i++)
        sp_buf_printf(&text, "%s%s", set.labels.names[i], i + 1 < set.labels.count ? "," : ":");
    for (size_t i = 0; i < set.count; i++) {
        if (set.label_kind == SP_LABELS_VALUES)
            sp_buf_printf(&text, " %g", (double)set.values[i]);
        else
            sp_buf_printf(&text, " %u", set.classes[i]);
    }
    assert_non_null(set.targets);
    assert_string_equal(text.data, expected);
    sp_dataset_free(&set);
    sp_buf_free(&text);
    sp_buf_free(&file);
}

static void test_labels(void **state)
{
    (void)state;
    labels("b/a/b/c", PLAIN, "a,b,c: 1 0 1 2");
    labels("b/B/\xC3\xA9/a b", PLAIN, "B,a b,b,\xC3\xA9: 2 0 3 1");
    labels("10/9/-1/9", PLAIN, "-1,9,10: 2 1 0 1");
    labels("10/9/x", PLAIN, "10,9,x: 0 1 2");
    labels("1/01/2/ 2 ", PLAIN, "1,2: 0 0 1 1");
    labels("p/n\xC2\xA0/ p\xC2\xA0 /n/\xE3\x80\x80n", PLAIN, "n,p: 1 0 1 0 0");
    labels("-0.0/0/1", PLAIN, "0,1: 0 0 1");
    labels("-0.0/1.0/0.0", PLAIN, "0,1: 0 1 0");
    labels("-0/0/01/1/+1", PLAIN, "0,1: 0 0 1 1 1");
    labels("nan/inf/0x1", SET(.shape = &as_classes), "0x1,inf,nan: 2 1 0");
    labels("99999999999999999999/1", PLAIN, "1,99999999999999999999: 1 0");
    labels("1/3.8/-2/1e1/5.000", PLAIN, " 1 3.8 -2 10 5");
    labels("1/3/2", SET(.shape = &as_numbers), " 1 3 2");
    labels("1.0/3.0/2/1", SET(.shape = &as_classes), "1,2,3: 0 2 1 0");
    labels("1.5/v2/1.5", SET(.shape = &as_classes), "1.5,v2: 0 1 0");
    labels("b/a/b/c", SET(.max_rows = 3), "a,b: 1 0 1");
}

static void test_labels_known(void **state)
{
    char negative[] = "negative", positive[] = "positive", *words[] = { negative, positive };
    char first[] = "1", second[] = "2", *numbers[] = { first, second };
    const struct sp_labels by_word = { words, 2 }, by_number = { numbers, 2 };

    (void)state;
    labels("positive/negative/positive", SET(.labels = &by_word), "negative,positive: 1 0 1");
    refuses("t.csv", "text,label\na,1\n", SET(.labels = &by_word), SP_EFORMAT,
            "label \"1\" is not one of the 2 known: negative, positive");
    labels("1/2/2", SET(.labels = &by_number), "1,2: 0 1 1");
    labels("3.5/1", SET(.labels = &by_word, .shape = &as_numbers), " 3.5 1");
    refuses("t.csv", "text,label\na,positive\nb,neutral\n", SET(.labels = &by_word), SP_EFORMAT,
            "t.csv:3: label \"neutral\" is not one of the 2 known: negative, positive");
    refuses("t.csv", "text,label\na,POSITIVE\n", SET(.labels = &by_word), SP_EFORMAT,
            "label \"POSITIVE\" is not one of the 2 known: negative, positive; capital letters count");
    refuses("t.csv", "text,label\na,0\n", SET(.labels = &by_number), SP_EFORMAT,
            "label \"0\" is not one of the 2 known: 1, 2");
    refuses("t.csv", "text,label\na,0.5\n", SET(.labels = &by_number), SP_EFORMAT,
            "label \"0.5\" is not one");
}

static void test_labels_json(void **state)
{
    struct sp_dataset set;

    (void)state;
    load(&set, "t.jsonl",
         "{\"text\":\"a\",\"label\":true}\n"
         "{\"text\":\"a\",\"label\":false}\n"
         "{\"text\":\"a\",\"label\":\"x\"}\n",
         PLAIN);
    assert_int_equal(set.labels.count, 3);
    assert_string_equal(set.labels.names[1], "true");
    sp_dataset_free(&set);
    load(&set, "t.jsonl",
         "{\"text\":\"a\",\"label\":1.0}\n"
         "{\"text\":\"a\",\"label\":0.1}\n"
         "{\"text\":\"a\",\"label\":\"2\"}\n",
         PLAIN);
    assert_int_equal(set.label_kind, SP_LABELS_VALUES);
    assert_true(set.values[1] == 0.1f && set.values[2] == 2);
    sp_dataset_free(&set);
    load(&set, "t.jsonl",
         "{\"text\":\"a\",\"label\":1,\"b\":\"x \\ud83d\",\"c\":[\"\\ude00\"]}\n{\"text\":\"a\",\"label\":0}\n", PLAIN);
    assert_int_equal(set.count, 2);
    sp_dataset_free(&set);
    load(&set, "t.jsonl", "{\"text\":\"a\",\"label\":1.0}\n{\"text\":\"a\",\"label\":0}\n",
         SET(.shape = &as_classes));
    assert_int_equal(set.labels.count, 2);
    assert_string_equal(set.labels.names[1], "1");
    sp_dataset_free(&set);
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"a\"}\n", PLAIN, SP_EFORMAT,
            "t.jsonl:2: no label (\"label\")");
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":null}\n", PLAIN, SP_EFORMAT,
            "t.jsonl:1: no label");
    load(&set, "t.jsonl",
         "{\"text\":\"a\",\"label\":-0.0}\n{\"text\":\"a\",\"label\":0}\n{\"text\":\"a\",\"label\":1}\n", PLAIN);
    assert_string_equal(set.labels.names[0], "0");
    assert_memory_equal(set.classes, ((const uint32_t[]){ 0, 0, 1 }), 12);
    sp_dataset_free(&set);
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":[\"x\"]}\n", PLAIN, SP_EFORMAT,
            "t.jsonl:1: the label (\"label\") is neither a string nor "
            "a number but a list; where each row has one label, take that: jq -c '.label |= .[0]'");
    refuses("t.jsonl", "{\"text\":\"a\",\"it's\":[\"x\"]}\n", SET(.label_column = "it's"), SP_EFORMAT, "but a list");
    assert_null(strstr(sp_error_message(), "jq -c")); /* the folder's name may hold two letters of its own */
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":{\"(number)\":\"5\"}}\n", PLAIN, SP_EFORMAT,
            "neither a string nor a number but an object");
}

/* What other tools write in place of one object a line. */
static void test_other_exports(void **state)
{
    (void)state;
    refuses("t.json", "{\n  \"text\": \"a\",\n  \"label\": 1\n}\n", PLAIN, SP_EFORMAT,
            "t.json:1: a JSON object that does not end on its line; one "
            "object a line is expected: jq -c . makes that of a file that is printed over several");
    refuses("t.json", "[\n  {\n    \"text\": \"a\"\n  }\n]\n", PLAIN, SP_EFORMAT,
            "t.json:1: a JSON array, where one object a line");
    refuses("t.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\" \"a\"}\n", PLAIN, SP_EFORMAT,
            "t.jsonl:2:11: not valid JSON");
    refuses("t.json", "{\"text\":{\"0\":\"a b\",\"1\":\"c\"},\"label\":{\"0\":1,\"1\":0}}\n", PLAIN, SP_EFORMAT,
            "\"text\" is not a string but a whole column, as pandas writes one; write rows: to_json(PATH, "
            "orient=\"records\", lines=True)");
    refuses("t.jsonl", "{\"text\":[\"a\",\"b\"],\"label\":1}\n", PLAIN, SP_EFORMAT,
            "\"text\" is not a string but a list");
    refuses("t.jsonl", "{\"text\":{\"en\":\"a\"},\"label\":1}\n", PLAIN, SP_EFORMAT,
            "\"text\" is not a string but an object");
    refuses("t.csv", "text,label\ra,1\rb,0\r", PLAIN, SP_EFORMAT,
            "its lines end in CR alone, as old Macs wrote them; LF or CRLF is expected");
    refuses("t.csv", "\"text\" \"label\"\n\"1\" \"a b\" \"x\"\n", PLAIN, SP_EFORMAT,
            "t.csv:1: text after the closing quote of a field; inside a quoted field a quote is written twice; where "
            "blanks stand between columns, set delimiter: space");
    refuses("t.csv", "text,label\n\"a \\\"b\\\" c\",x\n", PLAIN, SP_EFORMAT,
            "t.csv:2: text after the closing quote of a field; inside a quoted field a quote is written twice, not "
            "with a backslash (in R by qmethod = \"double\")");
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":1}\r{\"text\":\"a\",\"label\":0}\r", PLAIN, SP_EFORMAT,
            "end in CR alone");
    /* Rows, texts and labels inside of others. */
    refuses("t.json", "{\"data\":[{\"text\":\"a\",\"label\":1}]}\n", PLAIN, SP_ECONFIG,
            "the file has: data; if the rows are those of \"data\", jq -c '.data[]' makes a file of them");
    refuses("t.jsonl", "{'text': 'a', 'label': 1}\n", PLAIN, SP_EFORMAT,
            "t.jsonl:1: not JSON but what Python prints of a dict");
    refuses("t.json", "{\"0\":{\"text\":\"a\",\"label\":1},\"1\":{\"text\":\"b\",\"label\":0}}", PLAIN, SP_ECONFIG,
            "one object for the whole table, as pandas writes it; write rows: to_json(PATH, orient=\"records\", "
            "lines=True)");
    refuses("t.json", "{\"columns\":[\"text\",\"label\"],\"index\":[0],\"data\":[[\"a\",1]]}", PLAIN, SP_ECONFIG,
            "one object for the whole table");
    refuses("t.jsonl", "{\"row_idx\":0,\"row\":{\"text\":\"a\",\"label\":1}}\n", PLAIN, SP_ECONFIG,
            "the file has: row_idx, row; if it is inside \"row\", jq -c '. + .row' takes it out");
    refuses("t.jsonl", "{\"data\":{\"text\":\"a\"},\"label\":1}\n", PLAIN, SP_ECONFIG,
            "no column with text; set text_column; if it is inside \"data\", jq -c '. + .data' takes it out. Its "
            "columns are:");
    refuses("t.jsonl", "{\"data\":{\"text\":\"a\"},\"label\":1}\n", SET(.text_column = "data.text"), SP_ECONFIG,
            "no column \"data.text\"; the file has: data, label; if it is inside \"data\", jq -c '. + .data' takes it "
            "out");
    refuses("t.jsonl", "{\"a b\":{\"text\":\"a\"},\"n\":[1],\"label\":1}\n", PLAIN, SP_ECONFIG,
            "set text_column. Its columns are:");
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":[{\"at\":1.5,\"name\":\"x\"}]}\n", PLAIN, SP_EFORMAT,
            "but a list; where each row has one label, take that: jq -c '.label |= .[0].name'");
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":{\"name\":\"x\"}}\n", PLAIN, SP_EFORMAT,
            "but an object; where each row has one label, take that: jq -c '.label |= .name'");
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":[0, 1]}\n", PLAIN, SP_EFORMAT, "take that: jq -c '.label |= .[0]'");
    /* A blank between label and text, as in fastText's files and TREC's. */
    refuses("t.tsv", "__label__pos a b\n__label__neg b; c\n__label__neg b a\n", SET(.label_column = "1"), SP_ECONFIG,
            "its one column is the label, and there is no text; where a blank is all that is between them, make it a "
            "tab, in a .tsv: sed 's/ /\\t/' <OLD >NEW; no row has a tab between columns: is it another delimiter?");
    refuses("t.tsv", "DESC:manner a; b\nHUM:ind a b\nHUM:ind b\n", SET(.label_column = "2"), SP_ECONFIG,
            "no column 2; columns are "
            /* and not ";", which few rows have */
            "numbered from 1 to 1; no row has a tab between columns: is it another delimiter?");
}

/* Where most rows cannot be read, that is why no columns are found. */
static void test_bad_columns(void **state)
{
    (void)state;
    refuses("t.csv", "review,stars\na, b,1\nb, a,2\n", SET(.label_column = "stars"), SP_EFORMAT,
            "t.csv:2: 3 columns, where the header has 2; a field that holds the delimiter is written in double quotes, "
            "and a column of row names has a name in the header");
    refuses("t.csv", "review,label\na b,x,\nb,y,\n", PLAIN, SP_EFORMAT,
            "t.csv:2: 3 columns, where the header has 2; where rows end in a delimiter, the header must, too");
    refuses("t.csv", "review,stars\na, b,1\nb, a,2\n", SET(.label_column = "2"), SP_EFORMAT,
            "t.csv:2: 3 columns, where the ");
    refuses("t.csv", "review,stars\na, b,1\nb, a,2\n", SET(.no_labels = true), SP_EFORMAT,
            "t.csv:2: 3 columns, where the ");
    refuses("t.csv", "review,stars\na, b,1\nb, a,2\n", SET(.label_column = "stars", .skip_bad_rows = true), SP_EFORMAT,
            "all 2 rows are bad; the first: ");
    refuses("t.csv", "v1,v2,\nham,for \xA3" "5,\nspam,win \xA3" "9,\n", SET(.label_column = "v1"), SP_EFORMAT,
            "t.csv:2: not UTF-8: byte 9 of the row is 0xA3; save the file as UTF-8");
    refuses("t.tsv", "\"text\"\t\"label\"\n\"r1\"\t\"a b\"\t\"x\"\n\"r2\"\t\"b\"\t\"y\"\n", PLAIN, SP_EFORMAT,
            "t.tsv:2: 3 columns, where ");
    refuses("t.csv", "id,size,label\n1,2,x\n2,3,y,z\n3,4,x\n", PLAIN, SP_ECONFIG, "no column with text");
}

static void test_labels_bad(void **state)
{
    struct sp_buf many = SP_BUF((size_t)1 << 20);
    char text[400];

    (void)state;
    refuses("t.csv", "text,label\na,0.5\nb,high\n", PLAIN, SP_EFORMAT,
            "t.csv:3: label \"high\" is not a number, but \"0.5\" in line 2 made this a "
            "rating; set task");
    refuses("t.csv", "text,label\na,high\nb,0.5\n", PLAIN, SP_EFORMAT,
            "t.csv:3: label \"0.5\" is a fraction, but \"high\" in line 2 made this a "
            "sorting; set task");
    refuses("t.csv", "text,label\na,1\nb,nan\n", SET(.shape = &as_numbers), SP_EFORMAT,
            "t.csv:3: label \"nan\" is not a number, as rating needs");
    refuses("t.csv", "text,label\na,nan\nb,0.5\n", PLAIN, SP_EFORMAT,
            "t.csv:2: label \"nan\" is not a finite number; if it is the name of a class, set task: sorting");
    refuses("t.csv", "text,label\na,1e400\n", PLAIN, SP_EFORMAT, "t.csv:2: label \"1e400\" is not a finite");
    refuses("t.csv", "text,label\na,1e300\n", PLAIN, SP_EFORMAT,
            "t.csv:2: label \"1e300\" is too large");
    refuses("t.csv", "text,label\na,1\nb, \n", PLAIN, SP_EFORMAT,
            "t.csv:3: the label (column label) is empty");
    refuses("t.csv", "text,label\na,1\nb,1\n", PLAIN, SP_EFORMAT,
            "every label (column label) is \"1\"");
    snprintf(text, sizeof text, "text,label\na,%0300d\n", 7);
    refuses("t.csv", text, PLAIN, SP_EFORMAT, "t.csv:2: the label (column label) has 300 bytes");
    sp_buf_puts(&many, "text,label\n");
    for (size_t i = 0; i <= SP_LABELS_MAX; i++)
        sp_buf_printf(&many, "a,%zu\n", i);
    refuses("t.csv", many.data, PLAIN, SP_ECONFIG,
            "has more than 10000 different labels; if they are numbers to predict, set task: rating");
    sp_buf_free(&many);
}

static void test_empty(void **state)
{
    (void)state;
    refuses("t.csv", "", PLAIN, SP_EFORMAT, "t.csv has no rows");
    refuses("t.jsonl", "\n \n", PLAIN, SP_EFORMAT, "t.jsonl has no rows");
    refuses("t.csv", "text,label\n", PLAIN, SP_EFORMAT, "t.csv has no rows");
    refuses("t.csv", "text,label\na\n,1\n", SET(.skip_bad_rows = true), SP_EFORMAT,
            "all 2 rows are bad; the first: ");
    refuses("t.jsonl", "\n{\n[\n", SET(.skip_bad_rows = true), SP_EFORMAT, "t.jsonl:2:");
    refuses("t.jsonl", "{}", SET(.skip_bad_rows = true), SP_EFORMAT, "t.jsonl has no rows");
}

/* A tokenizer drops NUL as it does other control characters; a label cannot hold one. An empty text is a row where it
 * may be. */
static void test_nul_and_empty(void **state)
{
    struct sp_dataset set;

    (void)state;
    load(&set, "t.jsonl",
         "{\"text\":\"a\\u0000b\",\"label\":0}\n{\"text\":\"a \\u0000 "
         "b\",\"label\":1}\n{\"text\":\"\\u0000\",\"label\":1}\n", PLAIN);
    assert_ids(&set, 0, 3, (const uint32_t[]){ 2, 1, 3 }, (const uint8_t[3]){ 0 }); /* "ab" is no token */
    assert_ids(&set, 1, 4, (const uint32_t[]){ 2, 5, 6, 3 }, (const uint8_t[4]){ 0 });
    assert_ids(&set, 2, 2, (const uint32_t[]){ 2, 3 }, (const uint8_t[2]){ 0 });
    sp_dataset_free(&set);
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":\"\\u0000a\"}\n", PLAIN, SP_EFORMAT,
            "the label (column label) holds a NUL character");
    load(&set, "t.csv", "text\n\"\"\na\n", SET(.no_labels = true, .empty_texts = true));
    assert_int_equal(set.count, 2);
    assert_ids(&set, 0, 2, (const uint32_t[]){ 2, 3 }, (const uint8_t[2]){ 0 });
    sp_dataset_free(&set);
    load(&set, "t.tsv", "text\tx\n\t1\n", SET(.no_labels = true, .empty_texts = true, .text_column = "text"));
    assert_int_equal(set.count, 1);
    sp_dataset_free(&set);
    refuses("t.csv", "text\n\"\"\na\n", SET(.no_labels = true), SP_EFORMAT, "is empty");
}

/* Where the tokenizer adds no token of its own, a text without one is no row: the model would read the next row's. */
static void test_no_token(void **state)
{
    static const char plain[] = "{\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"normalizer\": {\"type\": "
        "\"BertNormalizer\"}, "
                                "\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"[UNK]\": 0, \"a\": 1}}}";
    struct sp_dataset set;

    (void)state;
    sp_tokenizer_free(tokenizer);
    io_write_text("model/tokenizer.json", plain);
    assert_int_equal(sp_tokenizer_load(&tokenizer, io_path("model")), 0);
    refuses("t.csv", "text\na\n\"\"\n", SET(.no_labels = true, .empty_texts = true), SP_EFORMAT,
            "t.csv:3: the text (column text) has no token for the model to read");
    refuses("t.jsonl", "{\"text\":\"\\u200b\",\"label\":1}", PLAIN, SP_EFORMAT,
            "t.jsonl:1: the text (column text) is empty");
    refuses("t.jsonl", "{\"text\":\"\\u0001\",\"label\":1}", PLAIN, SP_EFORMAT,
            "t.jsonl:1: the text (column text) has no token");
    load(&set, "t.csv", "text\n\"\"\na a\n", SET(.no_labels = true, .empty_texts = true, .skip_bad_rows = true));
    assert_int_equal(set.count, 1);
    assert_ids(&set, 0, 2, (const uint32_t[]){ 1, 1 }, (const uint8_t[2]){ 0 });
    assert_int_equal(set.skipped, 1);
    sp_dataset_free(&set);
}

static void test_bad_rows(void **state)
{
    static const char csv[] = "text,label\na,x\nb\n  ,y\nc,\nd\xFF,x\n\"e\"e,x\nf,y,z\nb,y\n";
    static const char json[] = "{\"text\":\"a\",\"label\":\"x\"}\n"
                               "{\"label\":\"x\"}\n"
                               "{\"text\":1,\"label\":\"x\"}\n"
                               "{\"text\":\"b\",\"label\":\"y\"}\n{}\n{";
    struct sp_dataset set;

    (void)state;
    refuses("t.csv", csv, PLAIN, SP_EFORMAT, "t.csv:3: 1 column, where the header has 2");
    refuses("t.csv", "text,label\n \t ,y\n", PLAIN, SP_EFORMAT,
            "t.csv:2: the text (column text) is empty");
    refuses("t.csv", "text,label\n\xC2\xA0\xE3\x80\x80,1\na,2\n", PLAIN, SP_EFORMAT,
            "t.csv:2: the text (column text) is empty");
    refuses("t.jsonl", json, PLAIN, SP_EFORMAT, "t.jsonl:2: no \"text\"");
    refuses("t.jsonl", "{\"text\":\"a \\ud83d\",\"label\":1}", PLAIN, SP_EFORMAT,
            "t.jsonl:1: \"text\" holds half a character");
    refuses("t.jsonl", "{\"text\":\"a\",\"label\":\"\\ud83d\"}", PLAIN, SP_EFORMAT,
            "t.jsonl:1: the label (\"label\") holds half a character");
    refuses("t.jsonl", "{\"text\":1,\"label\":1}", PLAIN, SP_EFORMAT,
            "t.jsonl:1: \"text\" is not a string");
    load(&set, "t.csv", csv, SET(.skip_bad_rows = true));
    assert_int_equal(set.count, 2);
    assert_int_equal(set.skipped, 6);
    assert_non_null(strstr(set.first_skipped, "t.csv:3: 1 column"));
    assert_memory_equal(set.lines, ((const uint32_t[]){ 2, 9 }), 8);
    assert_int_equal(set.tokens, 6);
    sp_dataset_free(&set);
    load(&set, "t.jsonl", json, SET(.skip_bad_rows = true));
    assert_int_equal(set.count, 2);
    assert_int_equal(set.skipped, 4);
    sp_dataset_free(&set);
    load(&set, "t.csv", csv,
         SET(.skip_bad_rows = true, .no_labels = true)); /* no label is looked at */
    assert_int_equal(set.count, 3);
    assert_int_equal(set.label_kind, SP_LABELS_NONE);
    assert_null(set.targets);
    sp_dataset_free(&set);
}

static void test_length(void **state)
{
    char name[] = "x", *names[] = { name };
    const struct sp_labels one = { names, 1 };
    struct sp_dataset set;

    (void)state;
    load(&set, "t.csv", "text,label\na b c d e f,x\na b c d e f a,y\na,x\n", PLAIN);
    assert_int_equal(set.truncated, 1);
    assert_int_equal(sp_dataset_length(&set, 0), 8);
    assert_ids(&set, 1, 8, (const uint32_t[]){ 2, 5, 6, 7, 8, 9, 10, 3 }, (const uint8_t[8]){ 0 });
    assert_int_equal(sp_data_longest(&set), 8);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na b c d e f a,\na b c d e f a,x\n",
         SET(.skip_bad_rows = true, .labels = &one));
    assert_int_equal(set.truncated, 1); /* the skipped row does not count */
    sp_dataset_free(&set);
    refuses("t.csv", "text,label\nf,x\n",
            &(struct sp_dataset_options){ .max_seq_length = 8, .vocab_size = 10, .type_count = 2, TASKS },
            SP_EINVAL,
            "t.csv:2: the tokenizer gives token 10 of type 0, but the model has 10 tokens");
}

static void test_input_ids(void **state)
{
    struct sp_dataset set;

    (void)state;
    load(&set, "t.jsonl",
         "{\"input_ids\":[2,7,3],\"label\":0}\n"
         "{\"input_ids\":[2,7,3,8,3],\"token_type_ids\":[0,0,0,1,1],\"label\":1}\n"
         "{\"input_ids\":[0,0,2,9,3,0],\"attention_mask\":[0,0,1,1,1,0],\"token_type_ids\":null,"
         "\"label\":1}\n"
         "{\"input_ids\":[1,1,1,1,1,1,1,1,1],\"text\":7,\"label\":1}\n",
         PLAIN);
    assert_ids(&set, 0, 3, (const uint32_t[]){ 2, 7, 3 }, (const uint8_t[3]){ 0 });
    assert_ids(&set, 1, 5, (const uint32_t[]){ 2, 7, 3, 8, 3 }, (const uint8_t[]){ 0, 0, 0, 1, 1 });
    assert_ids(&set, 2, 3, (const uint32_t[]){ 2, 9, 3 }, (const uint8_t[3]){ 0 });
    assert_int_equal(sp_dataset_length(&set, 3), 8);
    assert_int_equal(set.truncated, 1);
    assert_int_equal(set.layout.text.number, 5); /* the last row's, which has token ids, too */
    sp_dataset_free(&set);
    load(&set, "t.jsonl", "{\"text\":\"a\",\"label\":0}\n{\"input_ids\":[2,7,3],\"label\":1}\n",
         PLAIN);
    assert_ids(&set, 1, 3, (const uint32_t[]){ 2, 7, 3 }, (const uint8_t[3]){ 0 });
    sp_dataset_free(&set);
    load(&set, "t.jsonl",
         "{\"text\":\"a\",\"input_ids\":[1],\"label\":0}\n{\"text\":\"b\",\"label\":1}\n",
         SET(.text_column = "text"));
    assert_int_equal(sp_dataset_length(&set, 0), 3);
    sp_dataset_free(&set);
    assert_int_equal(sp_dataset_load(&set, io_write_text("t.jsonl", "{\"input_ids\":[5]}"), NULL,
                                     SET(.no_labels = true)),
                     0);
    sp_dataset_free(&set);
    io_assert_error(sp_dataset_load(&set, io_write_text("t.jsonl", "{\"text\":\"a\"}"), NULL,
                                    SET(.no_labels = true)),
                    SP_EINVAL, "no tokenizer", NULL);
}

static void test_input_ids_bad(void **state)
{
    static const struct {
        const char *row, *part;
    } cases[] = {
        { "\"input_ids\":7", "\"input_ids\" is not an array" },
        { "\"input_ids\":[]", "\"input_ids\" holds no token" },
        { "\"input_ids\":[1],\"attention_mask\":[0]", "\"input_ids\" holds no token" },
        { "\"input_ids\":[1,11]", "\"input_ids\"[1] is not an integer from 0 to 10" },
        { "\"input_ids\":[-1]", "\"input_ids\"[0] is not an integer" },
        { "\"input_ids\":[1.0]", "\"input_ids\"[0] is not an integer" },
        { "\"input_ids\":[\"1\"]", "\"input_ids\"[0] is not an integer" },
        { "\"input_ids\":[4294967297]", "\"input_ids\"[0] is not an integer" },
        { "\"input_ids\":[1,2],\"token_type_ids\":[0]",
          "\"token_type_ids\" has 1 elements, \"input_ids\" 2" },
        { "\"input_ids\":[1],\"token_type_ids\":[2]",
          "\"token_type_ids\"[0] is not an integer from 0 to 1" },
        { "\"input_ids\":[1],\"attention_mask\":[2]",
          "\"attention_mask\"[0] is not an integer from 0 to 1" },
        { "\"input_ids\":null", "no text and no \"input_ids\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char file[256];

        snprintf(file, sizeof file, "{\"input_ids\":[1],\"label\":1}\n{%s,\"label\":1}\n",
                 cases[i].row);
        refuses("t.jsonl", file, PLAIN, SP_EFORMAT, cases[i].part);
        refuses("t.jsonl", file, PLAIN, SP_EFORMAT, "t.jsonl:2: ");
    }
}

static void test_batch(void **state)
{
    static const uint32_t order[] = { 3, 1, 0, 2 };
    struct sp_dataset set;
    struct sp_batch batch;
    size_t tokens;

    (void)state;
    load(&set, "t.csv", "text,label\na,x\nb c,y\nd e f,x\nf,z\n", PLAIN);
    assert_int_equal(sp_data_max_tokens(&tokens, &set, 2), 0);
    assert_int_equal(tokens, 9);
    assert_int_equal(sp_data_max_tokens(&tokens, &set, 3), 0);
    assert_int_equal(tokens, 12);
    assert_int_equal(sp_data_max_tokens(&tokens, &set, 100), 0);
    assert_int_equal(tokens, set.tokens);
    assert_int_equal(sp_batch_init(&batch, 3, 12), 0);
    assert_int_equal(sp_batch_fill(&batch, &set, order, 0, 3), 0);
    assert_int_equal(batch.count, 3);
    assert_int_equal(batch.tokens, 10);
    assert_memory_equal(batch.ids, ((const uint32_t[]){ 2, 10, 3, 2, 6, 7, 3, 2, 5, 3 }), 40);
    assert_memory_equal(batch.types, ((const uint32_t[10]){ 0 }), 40);
    assert_memory_equal(batch.bounds, ((const uint32_t[]){ 0, 3, 7, 10 }), 16);
    assert_memory_equal(batch.rows, order, 12);
    assert_memory_equal(batch.classes, ((const uint32_t[]){ 2, 1, 0 }), 12);
    assert_int_equal(sp_batch_fill(&batch, &set, order, 3, 1), 0); /* the last, short one */
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.tokens, 5);
    assert_int_equal(batch.bounds[1], 5);
    io_assert_error(sp_batch_fill(&batch, &set, order, 0, 4), SP_EINVAL, "4 rows of 15 tokens",
                    NULL);
    sp_batch_free(&batch);
    sp_batch_free(&batch);
    sp_dataset_free(&set);
}

/* ---- a shape of its own: a prompt, and a completion whose tokens are told from those before them ----------------- */

#define UNTOLD UINT32_MAX

static int take_letters(size_t *length, struct sp_row_input *in)
{
    struct sp_dataset *out = in->out;
    struct sp_field text;

    for (int which = 0; which < 2; which++) {
        int rc = sp_row_text(&text, in, which);

        if (rc == 0)
            rc = sp_row_reserve(in, *length + text.length);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < text.length; i++, ++*length) {
            if (text.text[i] < 'a')
                return sp_reader_fail(in->reader, SP_EFORMAT, "\"%c\" is no letter", text.text[i]);
            out->ids[out->tokens + *length] = (uint32_t)text.text[i] - 'a';
            out->types[out->tokens + *length] = (uint8_t)which;
        }
    }
    return 0;
}

static int take_next(uint32_t *targets, size_t *terms, struct sp_row_input *in, size_t length)
{
    const struct sp_dataset *out = in->out;

    *terms = 0;
    for (size_t i = 0; i < length; i++) {
        bool told = i + 1 < length && out->types[out->tokens + i + 1];

        targets[i] = told ? out->ids[out->tokens + i + 1] : UNTOLD;
        *terms += told;
    }
    return 0;
}

static const char *const prompts[][2] = { { "prompt", "completion" }, { NULL, NULL } };
static const struct sp_row_shape completions = {
    .texts = prompts, .token_targets = true, .tokens = take_letters, .targets = take_next
};

static void test_shape(void **state)
{
    static const char rows[] =
        "{\"prompt\":\"ab\",\"completion\":\"cd\",\"text\":\"x\"}\n{\"prompt\":\"e\",\"completion\":\"\"}\n"
        "{\"prompt\":\"X\",\"completion\":\"b\"}\n{\"prompt\":\"f\",\"completion\":\"a\"}\n";
    static const uint32_t order[] = { 1, 0 };
    struct sp_dataset set;
    struct sp_batch batch;

    (void)state;
    load(&set, "t.jsonl", rows, SET(.shape = &completions, .skip_bad_rows = true));
    assert_int_equal(set.count, 2); /* the second is told nothing, the third is bad */
    assert_int_equal(set.untargeted, 1);
    assert_int_equal(set.skipped, 1);
    assert_non_null(strstr(set.first_skipped, "t.jsonl:3: \"X\" is no letter"));
    assert_string_equal(set.layout.text.name, "prompt");
    assert_int_equal(set.layout.label.number, 0);
    assert_true(set.token_targets && set.label_kind == SP_LABELS_NONE && set.labels.count == 0);
    assert_memory_equal(set.ids, ((const uint32_t[]){ 0, 1, 2, 3, 5, 0 }), 24);
    assert_memory_equal(set.targets, ((const uint32_t[]){ UNTOLD, 2, 3, UNTOLD, 0, UNTOLD }), 24);
    assert_memory_equal(set.terms, ((const uint32_t[]){ 2, 1 }), 8);
    assert_int_equal(sp_data_terms(&set, order, 0, 2), 3);
    assert_int_equal(sp_data_terms(&set, order, 1, 1), 2);
    assert_int_equal(sp_batch_init(&batch, 2, 6), 0);
    assert_int_equal(sp_batch_fill(&batch, &set, order, 0, 2), 0);
    assert_int_equal(batch.target_count, 6);
    assert_int_equal(batch.terms, 3);
    assert_memory_equal(batch.targets, ((const uint32_t[]){ 0, UNTOLD, UNTOLD, 2, 3, UNTOLD }), 24);
    assert_int_equal(sp_batch_fill(&batch, &set, order, 0, 1), 0);
    assert_int_equal(batch.target_count, 2);
    assert_int_equal(batch.terms, 1);
    sp_batch_free(&batch);
    sp_dataset_free(&set);

    load(&set, "t.jsonl", "{\"prompt\":\"ab\",\"completion\":\"\"}\n", SET(.shape = &completions, .no_labels = true));
    assert_int_equal(set.count, 1); /* prediction's rows are those of the file */
    assert_memory_equal(set.targets, ((const uint32_t[]){ UNTOLD, UNTOLD }), 8);
    sp_dataset_free(&set);
    refuses("t.jsonl", "{\"prompt\":\"ab\",\"completion\":\"\"}\n", SET(.shape = &completions), SP_EFORMAT,
            "none of its rows has a target to learn");
    refuses("t.jsonl", rows, SET(.shape = &completions), SP_EFORMAT, "t.jsonl:3: \"X\" is no letter");
}

static void test_order(void **state)
{
    enum { COUNT = 1000 };
    uint32_t a[COUNT], b[COUNT], seen[COUNT] = { 0 };

    (void)state;
    sp_data_order(a, COUNT, 42, 0, false);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(a[i], i);
    sp_data_order(a, COUNT, 42, 1, true);
    sp_data_order(b, COUNT, 42, 1, true);
    assert_memory_equal(a, b, sizeof a);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(seen[a[i]]++, 0);
    sp_data_order(b, COUNT, 42, 2, true);
    assert_memory_not_equal(a, b, sizeof a);
    sp_data_order(b, COUNT, 43, 1, true);
    assert_memory_not_equal(a, b, sizeof a);
    sp_data_order(a, 0, 42, 1, true);
}

struct glue {
    const char *file, *label_column;
    size_t rows, classes; /* 0 classes: regression */
    const char *text, *pair;
};

static void check_glue(const char *root, const struct glue *expected)
{
    struct sp_dataset set;
    char path[512];

    snprintf(path, sizeof path, "%s/glue/%s", root, expected->file);
    if (sp_dataset_load(&set, path, tokenizer, SET(.label_column = expected->label_column)) < 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(set.count, expected->rows);
    assert_int_equal(set.skipped, 0);
    assert_int_equal(set.labels.count, expected->classes);
    assert_int_equal(set.label_kind, expected->classes ? SP_LABELS_CLASSES : SP_LABELS_VALUES);
    assert_string_equal(set.layout.text.name, expected->text);
    assert_string_equal(set.layout.pair.name ? set.layout.pair.name : "", expected->pair);
    assert_int_equal(set.lines[set.count - 1], expected->rows + 1);
    if (expected->classes == 0)
        for (size_t i = 0; i < set.count; i++)
            assert_true(set.values[i] >= 0 && set.values[i] <= 5);
    sp_dataset_free(&set);
}

static void test_glue(void **state)
{
    static const struct glue files[] = {
        { "SST-2/train.tsv", NULL, 67349, 2, "sentence", "" },
        { "SST-2/dev.tsv", NULL, 872, 2, "sentence", "" },
        { "RTE/train.tsv", NULL, 2490, 2, "sentence1", "sentence2" },
        { "RTE/dev.tsv", NULL, 277, 2, "sentence1", "sentence2" },
        { "STS-B/train.tsv", "score", 5749, 0, "sentence1", "sentence2" },
        { "STS-B/dev.tsv", "score", 1500, 0, "sentence1", "sentence2" },
    };
    const char *root = getenv("SPEFT_DATA");

    (void)state;
    if (!root || !sp_fs_is_dir(root)) {
        print_message("SPEFT_DATA names no folder with glue/: whole GLUE files are not tried\n");
        skip();
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        check_glue(root, &files[i]);
}

static void load_quickstart(struct sp_dataset *out, const char *name, size_t rows,
                            const struct sp_labels *known)
{
    static const char *const teams[] = { "account", "billing",  "feedback",
                                         "returns", "shipping", "technical" };
    const char *source = getenv("srcdir");
    size_t count[6] = { 0 };
    char path[512];

    snprintf(path, sizeof path, "%s/configs/data/%s", source ? source : ".", name);
    if (sp_dataset_load(out, path, tokenizer, SET(.labels = known)) < 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(out->count, rows);
    assert_int_equal(out->labels.count, 6);
    for (size_t i = 0; i < rows; i++)
        count[out->classes[i]]++;
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(out->labels.names[i], teams[i]);
        assert_int_equal(count[i], rows / 6);
    }
}

static void test_quickstart(void **state)
{
    struct sp_dataset train, heldout;

    (void)state;
    load_quickstart(&train, "quickstart-train.tsv", 618, NULL);
    load_quickstart(&heldout, "quickstart-heldout.tsv", 132, &train.labels);
    sp_dataset_free(&train);
    sp_dataset_free(&heldout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_exports, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nul_and_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_ids_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shape, setup, teardown),
        cmocka_unit_test(test_order),
        cmocka_unit_test_setup_teardown(test_quickstart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_glue, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
