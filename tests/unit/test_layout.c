/* What a data file is found to be: delimiter, header, columns, by its rows, by what is asked for and by what training
 * used. */
#include "tests/unit/layout_files.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/data/shape.h"
#include "runtime/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATIONS 3000
/* Names above the rows, of every kind. */
static void test_header(void **state)
{
    char neg[] = "neg", pos[] = "pos", *names[] = { neg, pos };
    const struct sp_labels head = { names, 2 };

    (void)state;
    finds("t.csv", "review,sentiment\n" REVIEWS, SET(.label_column = "2"), "review - sentiment H, 4");
    finds("t.csv", "utterance_en,verdict\n" REVIEWS, SET(.label_column = "2"), "utterance_en - verdict H, 4");
    finds("t.csv", "said,verdict\n" REVIEWS REVIEWS, SET(.label_column = "2"), "said - verdict H, 8");
    finds("t.csv", "said,verdict\n" REVIEWS, SET(.label_column = "2", .labels = &head), "said - verdict H, 4");
    finds("t.csv", "Class Index,Title\n3,Wall St. Bears\n4,Oil prices soar\n", SET(.label_column = "1"),
          "Title - Class Index H, 2");
    finds("t.csv", "0,1\nthe film was good,1\nbad film,0\n", SET(.label_column = "2"), "0 - 1 H, 2");
    finds("t.csv", ",0,1\n0,the film was good,1\n1,bad film,0\n", SET(.label_column = "3"), "0 - 1 H, 2");
    finds("t.csv", ",text,label\n0,the film,1\n1,bad film,0\n", PLAIN, "text - label H, 2");
    finds("t.csv", "0,text,label\n7,the film,1\n8,bad film,0\n", PLAIN, "text - label H, 2");
    finds("t.csv", "Timestamp,How did you like our shop today?,Points\n1,so and so,3\n2,not at all,1\n",
          SET(.label_column = "3"), "How did you like our shop today? - Points H, 2");
    finds("t.csv", "a,b\nfoo bar,\"3,5\"\nbar foo,\"4,0\"\n", SET(.label_column = "2"), "a - b H, 2");
    finds("t.csv", "a,b\nfoo bar,1\nbar foo,NA\nbar,0\n", SET(.label_column = "2"), "a - b H, 3");
    finds("t.csv", "review\nthe film was good\nbad film\n", INPUT(0), "review - - H, 2");
    finds("t.csv", "spruch\nthe film was good\nbad film\n", INPUT(0), "spruch - - H, 2");
    finds("t.csv", "id,spruch\n1,the film was good\n2,bad film\n", INPUT(0), "spruch - - H, 2");
    finds("t.csv", "review , sentiment\na b c , pos\nb c d , neg\n", SET(.label_column = "2"),
          "review - sentiment H, 2");
    finds("t.csv", "review , mood\na b c , pos\nb c d , neg\n", SET(.label_column = " mood"), "review - mood H, 2");
    finds("t.csv", "text, label\na b c, pos\nb c d, neg\n", PLAIN, "text - label H, 2");
    finds("t.csv", "\"text\", \"label\"\n\"a, b c\", \"pos\"\n\"b, c d\", \"neg\"\n", PLAIN, "text - label H, 2");
    finds("t.csv", "text ; label\na b c ; pos\nb c d ; neg\n", PLAIN, "text - label H; 2");
    finds("t.csv", "Text,Label\na b c,pos\nb c d,neg\n", PLAIN, "Text - Label H, 2");
    finds("t.csv", "Sentence1,SENTENCE2,Label\na b,c d,pos\nb,d,neg\n", PLAIN, "Sentence1 SENTENCE2 Label H, 2");
    finds("t.csv", "TEXT,text,label\na b,c d,pos\nb a,d c,neg\n", PLAIN, "text - label H, 2");
    /* a choice: header.c */
    finds("t.csv", "great,fun\n" REVIEWS REVIEWS, SET(.label_column = "2"), "great - fun H, 8");
    finds("t.csv", "How did you like our shop today?,Points\nso and so,3\nnot at all,1\n", SET(.label_column = "2"),
          "How did you like our shop today? - Points H, 2");
    finds("t.csv", "id,title,author,text,label\n1,a b,c d,e f,x\n2,b a,d c,f e,y\n", PLAIN, "text - label H, 2");
    finds("t.csv", "V1,V2\n1,the film was good\n0,bad film\n", SET(.label_column = "1"), "V2 - V1 H, 2");
    finds("t.csv", "V1,V2\na film,the film was good\nfilm,bad film\n", INPUT(.text_column = "2"), "V2 - - H, 2");
    finds("t.csv", "opinion\na\nb\n", INPUT(0), "opinion - - H, 2");
}

static void refuses_row(const char *name, const char *content, const char *part)
{
    struct sp_dataset set;

    io_assert_error(sp_dataset_load(&set, io_write_text(name, content), tokenizer, PLAIN), SP_EFORMAT, name, part,
                    NULL);
}

/* jsonl whose first row lacks keys that others have, as writers leave out what is null. */
static void test_missing_keys(void **state)
{
    static const char pair[] = "{\"sentence1\":\"a "
                               "b\",\"label\":0}\n{\"sentence1\":\"b\",\"sentence2\":\"c\",\"label\":1}\n";
    static const char unlabelled[] =
        "{\"text\":\"a\"}\n{\"text\":\"b\",\"label\":\"y\"}\n{\"label\":\"x\",\"text\":\"c\"}\n";
    struct sp_buf rare = SP_BUF(1 << 16);

    (void)state;
    refuses_row("t.jsonl", pair, "t.jsonl:1: no \"sentence2\"");
    finds("t.jsonl", pair, SET(.text_column = "sentence1"), "sentence1 - label j 2");
    refuses_row("t.jsonl", unlabelled, "t.jsonl:1: no label (\"label\")");
    finds("t.jsonl", unlabelled, SET(.skip_bad_rows = true), "text - label j 2");
    finds("t.jsonl", "{\"label\":\"x\",\"id\":1}\n{\"text\":\"b\",\"label\":\"y\"}\n{\"label\":\"x\",\"text\":\"c\"}\n",
          SET(.skip_bad_rows = true), "text - label j 2");
    refuses_row("t.jsonl", "{\"title\":\"a b\",\"label\":0}\n{\"title\":\"b c\",\"text\":\"c d\",\"label\":1}\n",
                "t.jsonl:1: no \"text\"");
    refuses("t.jsonl", "{\"review\":\"a b\",\"label\":0}\n{\"review\":\"b c\",\"title\":\"c d\",\"label\":1}\n", PLAIN,
            "more than one column could be the text");
    for (size_t i = 0; i < 20; i++) /* a remark in one row of ten or fewer is not the text */
        assert_int_equal(sp_buf_printf(&rare, "{\"review\":\"good film %zu\",\"label\":%zu%s}\n", i, i % 2,
                                       i == 7    ? ",\"note\":\"see row a\""
                                       : i == 19 ? ",\"note\":\"see row b\""
                                                 : ""),
                         0);
    finds("t.jsonl", rare.data, PLAIN, "review - label j 20");
    assert_int_equal(sp_buf_puts(&rare, "{\"review\":\"a b\",\"label\":0,\"note\":\"see row c\"}"), 0);
    refuses("t.jsonl", rare.data, PLAIN, "more than one column could be the text");
    sp_buf_free(&rare);
}

/* A known name above numbers, or nothing, is no text where there is one. */
static void test_known_without_text(void **state)
{
    (void)state;
    finds("t.csv", "sentence,text,label\n1,the film was good,0\n2,bad film,1\n", PLAIN, "text - label H, 2");
    finds("t.csv", "document,sentence,body,label\n7,1,the film was good,0\n7,2,bad film,1\n", PLAIN,
          "body - label H, 2");
    finds("t.csv", "text,full_text,label\n,the film was good,0\n,bad film,1\n", PLAIN, "full_text - label H, 2");
    finds("t.csv", "question,sentence,label\n1,the film was good,0\n2,bad film,1\n", PLAIN, "sentence - label H, 2");
    finds("t.jsonl", "{\"sentence\":1,\"body\":\"a b\",\"label\":0}\n{\"sentence\":2,\"body\":\"b c\",\"label\":1}\n",
          PLAIN, "body - label j 2");
    instead("t.csv", "text,author,label\n1,a b,0\n2,b c,1\n", PLAIN,
            "column 1 \"text\" has the name of a text and holds numbers, so that another is taken; set text_column if "
            "it is meant");
    instead("t.csv", "text,full_text,label\n,the film was good,0\n,bad film,1\n", PLAIN,
            "column 1 \"text\" has the name of a text and is empty, so that another is taken; set text_column if it is "
            "meant");
    finds("t.csv", "sentence1,sentence2,label\na b,1,0\nb c,2,1\n", PLAIN, "sentence1 sentence2 label H, 2");
    refuses_row("t.jsonl",
                "{\"text\":[\"a\"],\"title\":\"a b\",\"label\":0}\n{\"text\":[\"b\"],\"title\":\"b c\",\"label\":1}\n",
                "t.jsonl:1: \"text\" is not a string but a list");
    finds("t.csv", "text,label\n12,0\n17,1\n", PLAIN, "text - label H, 2");
    finds("t.csv", "text,code,label\n12,a1,0\n17,b2,1\n", PLAIN, "text - label H, 2");
}

/* A name of training's in another case of letters is the column, where it is the only such one. */
static void test_trained_name_in_capitals(void **state)
{
    const struct sp_data_layout trained = used("review", 1, NULL, 0, "label", 2, 2);

    (void)state;
    finds("t.csv", "Review,other text\na b,c d\nb c,d e\n", INPUT(.remembered = &trained), "Review - - H, 2");
    finds("t.csv", "REVIEW,review\na b,c d\nb c,d e\n", INPUT(.remembered = &trained), "review - - H, 2");
    refuses("t.csv", "REVIEW,Review\na b,c d\nb c,d e\n", INPUT(.remembered = &trained),
            "more than one column could be the text");
}

/* null is what an empty field of a .csv becomes in jsonl. */
static void test_null_text(void **state)
{
    (void)state;
    refuses_row("t.jsonl", "{\"text\":\"a\",\"label\":0}\n{\"text\":null,\"label\":1}\n",
                "t.jsonl:2: no \"text\": it is null");
    finds("t.jsonl", "{\"text\":\"a\"}\n{\"text\":null}\n", INPUT(0), "text - - j 2");
}

/* First rows that look like names. */
static void test_no_header(void **state)
{
    char neg[] = "neg", pos[] = "pos", *names[] = { neg, pos };
    const struct sp_labels head = { names, 2 };

    (void)state;
    finds("t.csv", "good,pos\n" REVIEWS, SET(.label_column = "2"), "1 - 2 , 5");
    /* its class is the first row's alone */
    finds("t.csv", "good film,neutral\n" REVIEWS, SET(.label_column = "2"), "1 - 2 , 5");
    finds("t.csv", "good film,not_bad\n" REVIEWS, SET(.label_column = "2"), "1 - 2 , 5");
    finds("t.csv", "good,neutral\nthe film was bad,neg\nawful,neg\n", SET(.label_column = "2"), "1 - 2 , 3");
    finds("t.csv", "review,pos\n" REVIEWS, SET(.label_column = "2"), "1 - 2 , 5"); /* a text called so */
    finds("t.csv", "good,pos\nthe film was bad,neg\n", SET(.label_column = "2", .labels = &head), "1 - 2 , 2");
    finds("t.csv", "good,pos\nthe film was bad,neg\n", INPUT(.labels = &head), "1 - - , 2");
    finds("t.tsv", "good\t1\nbad\t0\n", SET(.label_column = "2"), "1 - 2 \t 2");
    finds("t.csv", "3,Wall St.,Bears are back\n4,Oil,Prices soar again\n", SET(.label_column = "1", .text_column = "3"),
          "3 - 1 , 2");
    finds("t.csv", "this is a review that ends in a point.,neutral\n" REVIEWS, SET(.label_column = "2"), "1 - 2 , 5");
    finds("t.csv", "tell me what its title is,title\n" REVIEWS, SET(.label_column = "2"), "1 - 2 , 5");
    finds("t.csv", "good,pos\nbad,neg\n", INPUT(.labels = &head), "1 - - , 2");
    finds("t.csv", "I really did not like this film at all.,unknown\na b c d e,1\nb c d e f,0\nc d e f a,1\n",
          SET(.label_column = "2"), "1 - 2 , 4");
    finds("t.csv", "I did not like this film at all.,awful\na b c d e,1\nb c d e f,0\n", SET(.label_column = "2"),
          "1 - 2 , 3");
    finds("t.csv", "awful,unknown\na b c,1\nb c,0\n", SET(.label_column = "2"), "1 - 2 , 3");
    finds("t.csv", "A12,I really did not like this film\n13,b c d e f\n14,c d e f a\n", INPUT(0), "2 - - , 3");
    finds("t.csv", "A12,bad film\n13,b c d e f\n14,c d e f a\n", INPUT(0), "2 - - , 3");
    finds("t.csv", "A1,good film\nB2,the film was bad\nC3,not at all nice\n", INPUT(0), "2 - - , 3");
    finds("t.csv", "2024-01-01,good film\n2024-01-02,the film was bad\n", INPUT(0), "2 - - , 2");
    finds("t.csv", "65+,a good film\n64,b c d e f\n23,c d e f a\n", INPUT(0), "2 - - , 3");
    finds("t.csv", "good,65+\nb c,64\nc d e f a,23\n", SET(.label_column = "2"), "1 - 2 , 3");
    finds("t.tsv", "great\nbad\n", INPUT(0), "1 - - \t 2");
    finds("t.tsv", "great\nbad film\nnot bad at all\nawful\n", INPUT(0), "1 - - \t 4");
    finds("t.csv", "0,1\n1,0\n", INPUT(.text_column = "1"), "1 - - , 2");
    finds("t.csv", "review,pos\n" REVIEWS, SET(.label_column = "2", .has_header = SP_YES), "review - pos H, 4");
    finds("t.csv", "review,label\n" REVIEWS, SET(.label_column = "2", .has_header = SP_NO), "1 - 2 , 5");
}

static void test_text(void **state)
{
    char a[] = "b", *names[] = { a };
    const struct sp_labels one = { names, 1 };

    (void)state;
    finds("t.csv", "id,review,label\n17,the film was good,a\n18,bad film,b\n", PLAIN, "review - label H, 2");
    finds("t.csv", "id,review,label\nA17,good,a\nA18,bad film,b\n", SET(.text_column = "review"),
          "review - label H, 2");
    finds("t.tsv", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t5\t6\ta b\tb a\n0\t7\t8\tc\td\n",
          SET(.label_column = "Quality"), "#1 String #2 String Quality H\t 2");
    finds("t.tsv", "gj04\t1\t\tThe film was good.\ngj04\t0\t*\tThe good was film.\n", SET(.label_column = "2"),
          "4 - 2 \t 2");
    finds("t.csv",
          "0,1467810369,Mon Apr 06 22:19:45 PDT 2009,NO_QUERY,_joe_,that is a bummer\n"
          "4,1467810672,Mon Apr 06 22:19:49 PDT 2009,NO_QUERY,mattycus,is fine by me\n",
          SET(.label_column = "1"), "6 - 1 , 2");
    finds("t.csv", "nr,said,klass\nA1,the film,x\nA2,bad film,y\nA3,the film,x\nA4,bad film,y\n",
          SET(.label_column = "klass"), "said - klass H, 4"); /* texts that return */
    finds("t.csv", "id,word,label\n17,good,a\n18,bad,b\n", PLAIN, "word - label H, 2");
    finds("t.csv", "code,spruch,klass\nA,\xE5\xBE\x88\xE5\xA5\xBD,a\nB,\xE4\xB8\x8D\xE5\xA5\xBD,b\n",
          SET(.label_column = "klass"), "spruch - klass H, 2");
    finds("t.jsonl",
          "{\"id\":\"x1\",\"body\":\"a b c\",\"meta\":{\"k\":\"a b\"},\"label\":\"b\"}\n"
          "{\"id\":\"x2\",\"body\":\"b a\",\"meta\":{},\"label\":\"b\"}\n",
          SET(.labels = &one), "body - label j 2");
    finds("t.csv", "id,body\n1,same words\n2,same words\n", INPUT(0), "body - - H, 2");
    refuses("t.csv", "Class Index,Title,Description\n3,Wall St. Bears,They are back\n4,Oil prices,They soar again\n",
            SET(.label_column = "Class Index"), "text_column is not set, and more than one column could be the text");
    refuses("t.csv", "Class Index,Title,Description\n3,Wall St. Bears,They are back\n4,Oil prices,They soar again\n",
            SET(.label_column = "Class Index"),
            "Its columns are:\n    1 \"Class Index\", the label: whole numbers, such as \"3\"\n"
            "    2 \"Title\": text, such as \"Wall St. Bears\"\n    3 \"Description\": text, such as \"They are "
            "back\"");
    refuses("t.csv", "3,Wall St. Bears,They are back\n4,Oil prices,They soar again\n", SET(.label_column = "1"),
            "\n    2: text, such as \"");
    refuses("t.csv", "\"a\n    9 \",b,c\n1,x y,\"w\n    9 z\"\n1,y z,z w\n", INPUT(.has_header = SP_YES),
            "\n    1 \"a\\n    9\": whole numbers, such as \"1\"\n    2 \"b\": text, such as \"x y\"\n"
            "    3 \"c\": text, such as \"w\\n    9 z\"");
    refuses("t.csv", "id,size,label\n1,2.5,a\n2,3.5,b\n", PLAIN,
            "no column with text; set text_column. Its columns are:\n    1 \"id\"");
    refuses("t.csv", "id,label\n1,a\n2,b\n", PLAIN, "no column with text");
    refuses("t.csv", "code,kind,label\nA1,x,a\nB2,y,b\n", PLAIN, "more than one column could be the text");
}

/* transformers' own names of two texts; a second one that no row has is none. */
static void test_text_pair(void **state)
{
    (void)state;
    finds("t.csv", "text,text_pair,label\na b,b a,x\nc,d,y\n", PLAIN, "text text_pair label H, 2");
    finds("t.jsonl",
          "{\"text\":\"a\",\"text_pair\":null,\"label\":0}\n{\"text\":\"b\",\"text_pair\":null,\"label\":1}\n", PLAIN,
          "text - label j 2");
}

static void test_delimiter(void **state)
{
    (void)state;
    finds("t.csv", "text;label\na, b and c;x\nd;y\n", PLAIN, "text - label H; 2");
    finds("t.csv", "text\tlabel\na, b and c\tx\nd\ty\n", PLAIN, "text - label H\t 2");
    finds("t.tsv", "text,label\n\"a, b\",x\nd,y\n", PLAIN, "text - label H, 2");
    finds("t.tsv", "text|label\na, b|x\nd|y\n", PLAIN, "text - label H| 2");
    finds("t.csv", "\"text\";\"label\"\n\"a; b\";\"x\"\n\"d\";\"y\"\n", PLAIN, "text - label H; 2");
    finds("t.csv", "der Film;3,5\nnaja;4,0\n", SET(.label_column = "2"), "1 - 2 ; 2");
    finds("t.csv", "text;label\na, b;x\nd;y\n", INPUT(0), "text - label H; 2");
    finds("t.csv", "a;x\nb;y\n", INPUT(0), "1 - - , 2"); /* a column of texts, for all that is known */
    finds("t.csv", "a b;x\nc b;y\nb;x\n", INPUT(0), "1 - - ; 3");
    finds("t.tsv", "a, x\nb, y\nc, z\n", INPUT(0), "1 - - \t 3");
    finds("t.csv", "text,label\n\"a;b\",x\n\"c;d\",y\n", PLAIN, "text - label H, 2");
    finds("t.tsv", "a, b\t1\nc, d\t0\n", SET(.label_column = "2"), "1 - 2 \t 2");
    finds("t.csv", "text:label\na:x\nb:y\n", SET(.delimiter = ':'), "text - label H: 2");
    finds("t.tsv", "text;label\n\"a;b\";x\nb;y\n", SET(.delimiter = ';'), "text - label H; 2");
    finds("t.csv", "a, b;x\nc, d;y\n", SET(.delimiter = ';', .label_column = "2"), "1 - 2 ; 2");
    finds("t.csv", "Wall St; Bears,3\nOil; prices,4\n", SET(.label_column = "2"), "1 - 2 , 2"); /* punctuation */
    finds("t.csv", "so, it says;label\na, b;x\nc, d;y\n", SET(.label_column = "2"), "so, it says - label H; 2");
    finds("t.csv", "text,label\na;b,x\nc;d,y\n", PLAIN, "text - label H, 2");
    refuses("t.csv", "Hello, all;greet\nBye, now;bye\n", SET(.label_column = "2"),
            "all its rows have 2 columns with \",\" between them, and 2 with \";\"; set delimiter");
    refuses("t.csv", "Hello, all|greet\nBye, now|bye\n", SET(.label_column = "2"),
            "all its rows have 2 columns with \",\" between them, and 2 with \"|\"; set delimiter");
    refuses("t.csv", "text,more;label\na,b;x\nc,d;y\n", PLAIN,
            "all its rows have 2 columns with \",\" between them, and 2 with \";\"; set delimiter");
    refuses("t.csv", "text;label\na;b;x\nd;y\n", PLAIN,
            "with \",\" between columns, as its name says, its first row is one column; "
            "with \";\" it has 2, but line 2 has 3. Set delimiter to the one that is meant");
    refuses("t.tsv", "text,label\na, b,x\nd,y\n", PLAIN, "with \",\" it has 2, but line 2 has 3");
    refuses("t.csv", "text\tlabel\na\tb\tx\nd\ty\n", PLAIN, "one column; with a tab it has 2, but line 2 has 3");
    refuses("t.csv", "a, b\tx\nc, d\ty\n", SET(.label_column = "2"),
            "all its rows have 2 columns with \",\" between them, and 2 with a tab; set delimiter");
    refuses("t.csv", "1\ta, b\tx\n2\tc, d\ty\n", SET(.label_column = "2"),
            "2 columns with \",\" between them, and 3 with a tab; set");
    refuses("t.tsv", "a,b;x\nc,d;y\n", SET(.label_column = "2"),
            "all its rows have 2 columns with \",\" between them, and 2 with \";\"; set delimiter");
}

/* A bad row is told of by its line, whatever the delimiter; and one among many hides no delimiter. */
static void test_delimiter_bad_rows(void **state)
{
    struct sp_buf text = SP_BUF(4096);
    struct sp_dataset set;

    (void)state;
#define BAD(content, options, part)                                                                                    \
    io_assert_error(sp_dataset_load(&set, io_write_text("t.csv", content), tokenizer, options), SP_EFORMAT, "t.csv",   \
                    part, NULL)
    BAD("text;label\nsehr sch\xF6n;gut\nb;c\n", PLAIN,
        "t.csv:2: not UTF-8: byte 9 of the row is 0xF6; save the file as UTF-8");
    BAD("text;label\na;gut\nc;\"bad \"film\"\n", PLAIN,
        "t.csv:3: text after the closing quote of a field; inside a quoted field a quote "
        "is written twice (with \";\" between columns, as in the first row; set delimiter to another if that is "
        "wrong)");
    BAD("sch\xF6n;gut\nb;c\n", SET(.label_column = "2"), "t.csv:1: not UTF-8");
    sp_buf_puts(&text, "text;label\n");
    for (int i = 0; i < 20; i++)
        sp_buf_puts(&text, i == 11 ? "a, b;x;extra\n" : i % 2 ? "a, b;x\n" : "a;y\n");
    BAD(text.data, PLAIN, "t.csv:13: 3 columns, where the header has 2");
    finds("t.csv", text.data, SET(.skip_bad_rows = true), "text - label H; 19");
    finds("t.csv", text.data, INPUT(.skip_bad_rows = true), "text - label H; 19");
    finds("t.csv", text.data + strlen("text;label\n"), SET(.label_column = "2", .skip_bad_rows = true), "1 - 2 ; 19");
    finds("t.csv", "text;label\na;b;x\nd;y\nd;x\n", SET(.skip_bad_rows = true), "text - label H; 2");
    sp_buf_puts(&text, "sch\xF6n;y\n");
    finds("t.csv", text.data, SET(.skip_bad_rows = true), "text - label H; 19");
    /* one column */
    refuses("t.csv", "a b\nc\nd, e\nf; g\n", SET(.label_column = "2", .skip_bad_rows = true), "no column 2");
    finds("t.csv", "a b\nc\nd; e\nf; g\n", INPUT(.skip_bad_rows = true), "1 - - , 4");
    sp_buf_free(&text);
}

/* The texts' columns and the classes that a tsv file is found to have, and whether its fields are quoted: "Q", or "q"
 * where they might be, "-" where no field looks so. */
static void quotes(const char *content, const struct sp_dataset_options *options, const char *expected)
{
    struct sp_buf text = SP_BUF(4096);
    struct sp_dataset set;

    load(&set, "t.tsv", content, options);
    sp_buf_puts(&text, set.layout.quotes ? "Q" : set.quotes_guessed ? "q" : "-");
    assert_true(!set.layout.quotes ||
                set.quotes_guessed == (options->quotes == SP_AUTO && !options->remembered));
    sp_buf_printf(&text, " %zu", set.count);
    for (size_t i = 0; i < set.labels.count; i++)
        sp_buf_printf(&text, " %s", set.labels.names[i]);
    if (strcmp(text.data, expected) != 0)
        fail_msg("of %s\nfound: %s\nright: %s", content, text.data, expected);
    sp_buf_free(&text);
    sp_dataset_free(&set);
}

static void test_quotes(void **state)
{
    struct sp_data_layout quoted = { .format = (char *)(uintptr_t)"tsv", .text = { NULL, 1 }, .label = { NULL, 2 },
        .columns = 2,
                                     .delimiter = '\t', .quotes = true };
    struct sp_dataset set;

    (void)state;
    /* All fields, all words, those that need it; with a header or without. */
    quotes("\"text\"\t\"label\"\n\"a b\"\t\"x\"\n\"b\"\t\"y\"\n", PLAIN, "Q 2 x y");
    quotes("\"text\"\t\"label\"\n\"a b\"\t1\n\"b\"\t0\nNA\t1\n", PLAIN, "Q 3 0 1");
    quotes("\"a b\"\t\"x\"\n\"b\"\t\"y\"\n", SET(.label_column = "2"), "Q 2 x y");
    quotes("text\tlabel\n\"a b\"\t\"x\"\n\"b\"\t\"y\"\n\"c\"\t\"y\"\n", PLAIN, "Q 3 x y");
    quotes("text\tlabel\n\"two\nlines\"\tx\nb\ty\n", PLAIN, "Q 2 x y");
    quotes("text\tlabel\n\"a\tb\"\tx\nb\ty\n", PLAIN, "Q 2 x y");
    quotes("text\tlabel\n\"so \"\"good\"\"\"\tx\nb\ty\n", PLAIN, "Q 2 x y");
    quotes("\"a b\"\n\"b\nc\"\n\"c\"\n", INPUT(0), "Q 3");
    quotes("\"a\" \t \"x\"\n\"b\"\t\"y\"\n", SET(.label_column = "2"), "Q 2 x y");
    /* Quotes of texts. */
    quotes("text\tlabel\n\"a b\tx\nb \"c\" d\ty\n", PLAIN, "- 2 x y");
    quotes("text\tlabel\n\"a b\"\tx\nb \"c\" d\ty\n", PLAIN, "- 2 x y");
    quotes("text\tlabel\n\"a b\"\tx\nb\ty\n", PLAIN, "q 2 x y"); /* who knows? */
    quotes("id\ttext\tlabel\n1\t\"a b.\tx\n2\tc.\"\ty\n3\td\tx\n", PLAIN, "q 3 x y"); /* all rows are whole */
    quotes("text\tlabel\n\"a\" b\tx\n\"c\"\ty\n\"d\"\ty\n\"e\"\tx\n", PLAIN, "- 4 x y");
    quotes("text\tlabel\na\tx\nb\ty\n", PLAIN, "- 2 x y");
    /* What is set, or was found in training. */
    quotes("text\tlabel\n\"a b\"\tx\nb\ty\n", SET(.quotes = SP_YES), "Q 2 x y");
    quotes("text\tlabel\n\"a b\"\tx\nb\ty\n", SET(.remembered = &quoted), "Q 2 x y");
    quotes("text\tlabel\n\"a b\"\t\"x\"\n\"b\"\t\"y\"\n\"c\"\t\"y\"\n", SET(.quotes = SP_NO), "- 3 \"x\" \"y\"");
    quoted.quotes = false;
    quotes("\"a b\"\n\"b\"\n", INPUT(0), "Q 2");
    /* Quoted, but badly: the row is told of. */
    io_assert_error(sp_dataset_load(&set,
                                    io_write_text("t.tsv", "\"text\"\t\"label\"\n\"a\"\t\"x\"\n\"a \\\"b\\\" "
                                                           "c\"\t\"y\"\n\"b\"\t\"y\"\n"),
                                    tokenizer, PLAIN),
                    SP_EFORMAT, "t.tsv:3: text after the closing quote", NULL);
    io_assert_error(sp_dataset_load(&set, io_write_text("t.tsv", "text\tlabel\n\"a\nb\"\tx\nb \"c\" d\ty\n"), tokenizer,
                                    PLAIN),
                    SP_EFORMAT,
                    "t.tsv:2: 1 column, where the header has 2; where its fields are quoted, set quotes: true", NULL);
}

/* Texts alone, of which none is cut at what stands in all of them; but a table is one. */
static void test_whole_texts(void **state)
{
    char bbc[] = "BBC", cnn[] = "CNN", *names[] = { bbc, cnn };
    const struct sp_labels head = { names, 2 };
    const struct sp_data_layout commas = used("text", 1, NULL, 0, "label", 2, 2), tabs = {
        .format = (char *)(uintptr_t) "tsv", .text = { NULL, 1 }, .label = { NULL, 2 }, .columns = 2, .delimiter = '\t'
    };

    (void)state;
    finds("t.csv", "a b c | CNN\nd e f | BBC\nb c e | CNN\n", INPUT(.remembered = &commas), "1 - - , 3");
    finds("t.csv", "a b c|CNN\nd e f|BBC\nb c e|CNN\n", INPUT(.remembered = &commas), "1 - - , 3");
    finds("t.csv", "a; b\nc; d\nb; c\n", INPUT(.remembered = &commas), "1 - - , 3");
    finds("t.csv", "a; b\nc; d\nb; c\n", INPUT(.remembered = &tabs), "1 - - , 3");
    finds("t.csv", "a | b\nc | d\nb | c\n", INPUT(0), "1 - - , 3");
    finds("t.tsv", "a | b\nc | d\nb | c\n", INPUT(.remembered = &tabs), "1 - - \t 3");
    finds("t.csv", "a b c|CNN\nd e f|BBC\nb c e|CNN\n", INPUT(.remembered = &commas, .labels = &head), "1 - 2 | 3");
    finds("t.csv", "text|label\nd e f|BBC\nb c e|CNN\n", INPUT(.remembered = &commas), "text - label H| 2");
}

/* A title or a remark above the header is said to be none. */
static void test_title(void **state)
{
    (void)state;
#define BELOW(line)                                                                                                    \
    "its first row does not name its columns, and line " #line " seems to; if it does, remove what stands above it"
    refuses("t.csv", "Survey results 2024,\ntext,label\na b,x\nb a,y\n", PLAIN, BELOW(2));
    refuses("t.csv", "# exported 2024\ntext,label\na b,x\nb a,y\n", PLAIN, BELOW(2));
    refuses("t.csv", "# exported 2024\n\n# by me\nAnliegen,Team\na b,x\nb a,y\n", SET(.label_column = "Team"),
            BELOW(4));
    refuses("t.csv", "# exported 2024\nAnliegen,Team\na b,x\nb a,y\n", SET(.label_column = "team 2"),
            "no column \"team 2\"");
    refuses("t.csv", "a b c,mood\nc,question\nb c,question\n", PLAIN,
            "no column \"label\"; the file has no header and columns 1 to 2");
}

/* A number that is another column's than in training, which this file has by its name. */
static void test_moved(void **state)
{
    const struct sp_data_layout used_two = used("utterance", 1, NULL, 0, "klass", 2, 2);

    (void)state;
    refuses("t.csv", ",utterance,klass\n0,a b,x\n1,b a,y\n", SET(.label_column = "2", .remembered = &used_two),
            "label_column: column 2 was \"klass\" in training, is \"utterance\" here, and \"klass\" is column 3; give "
            "the name of the one that is meant");
    refuses("t.csv", "klass,kind,utterance\nx,p,a b\ny,q,b a\n", SET(.label_column = "2", .remembered = &used_two),
            "\"klass\" is column 1;");
    refuses("t.csv", "klass,utterance\nx,a b\ny,b a\n", INPUT(.text_column = "1", .remembered = &used_two),
            "text_column: column 1 was \"utterance\" in training, is \"klass\" here");
    finds("t.csv", "utterance,kind\na b,x\nb a,y\n", SET(.label_column = "2", .remembered = &used_two),
          "utterance - kind H, 2");
    finds("t.csv", ",utterance,klass\n0,a b,x\n1,b a,y\n", SET(.label_column = "3", .remembered = &used_two),
          "utterance - klass H, 2");
    finds("t.csv", ",utterance,klass\n0,a b,x\n1,b a,y\n", INPUT(.label_column = "2", .remembered = &used_two),
          "utterance - klass H, 2");
}

/* Excel's first line. */
static void test_declared(void **state)
{
    (void)state;
    finds("t.csv", "sep=;\nreview;label\na, b;x\nc, d;y\n", PLAIN, "review - label H; 2");
    finds("t.csv", "\"sep=;\"\r\nreview;label\r\na, b;x\r\nc, d;y\r\n", PLAIN, "review - label H; 2");
    finds("t.csv", "\xEF\xBB\xBFSEP=\t\na, b\tx\nc, d\ty\n", SET(.label_column = "2"), "1 - 2 \t 2");
    finds("t.csv", "sep=,\ntext,label\na;b,x\nc;d,y\n", SET(.delimiter = ','), "text - label H, 2");
    finds("t.csv", "sep=;\na; b\nc; d\n", INPUT(.text_column = "2"), "2 - - ; 2");
    /* a name, if a strange one */
    finds("t.csv", "sep=;,label\na,x\nb,y\n", SET(.text_column = "1"), "sep=; - label H, 2");
}

static void test_remembered(void **state)
{
    const struct sp_data_layout named = used("review", 1, NULL, 0, "sentiment", 2, 2),
                                numbered = used(NULL, 1, NULL, 0, NULL, 2, 2),
                                last = used(NULL, 2, NULL, 0, NULL, 1, 2),
                                pair = used("one", 2, "two", 3, "label", 4, 4),
                                said = used("said", 1, NULL, 0, "label", 2, 2);
    char neg[] = "neg", pos[] = "pos", *names[] = { neg, pos };
    const struct sp_labels head = { names, 2 };
    struct sp_dataset set;

    (void)state;
    finds("t.csv", "review,sentiment\n" REVIEWS, INPUT(.remembered = &named), "review - sentiment H, 4");
    finds("t.csv", "review,sentiment\n" REVIEWS, SET(.remembered = &named), "review - sentiment H, 4");
    finds("t.csv", "sentiment,text,review\npos,a b,a b c\nneg,d e,d\n", INPUT(.remembered = &named),
          "review - sentiment H, 2");
    finds("t.csv", "review,review,sentiment\n1,a b,pos\n2,b a,neg\n",
          INPUT(.remembered = &(struct sp_data_layout){ .format = named.format,
                                                        .text = { named.text.name, 2 },
                                                        .label = { named.label.name, 3 },
                                                        .columns = 3,
                                                        .header = true,
                                                        .delimiter = ',' }),
          "review - sentiment H, 2");
    instead("t.csv", "x,review,review,sentiment\n1,7,a b,pos\n2,8,b a,neg\n", INPUT(.remembered = &named),
            "training used column \"review\", a name that this file has twice; read instead: column 3 \"review\"");
    finds("t.jsonl", "{\"sentiment\":\"a b\",\"review\":\"c\"}\n", INPUT(.remembered = &named),
          "review - sentiment j 1");
    finds("t.csv", "review\ngood\n", INPUT(.remembered = &named), "review - - H, 1");
    finds("t.csv", REVIEWS, INPUT(.remembered = &named, .labels = &head), "1 - 2 , 4");
    finds("t.csv", REVIEWS, INPUT(.remembered = &numbered, .labels = &head), "1 - 2 , 4");
    finds("t.csv", REVIEWS, SET(.remembered = &numbered, .labels = &head), "1 - 2 , 4");
    finds("t.csv", "pos,good\nneg,bad\n", INPUT(.remembered = &last, .labels = &head), "2 - 1 , 2");
    finds("t.csv", "good\nbad\n", INPUT(.remembered = &last), "1 - - , 2");
    finds("t.csv", "x,one,two,label\n1,a,b,c\n", INPUT(.remembered = &pair), "one two label H, 1");
    finds("t.csv", "x,one,two,label\n1,a,b,c\n", INPUT(.remembered = &pair, .text_column = "2"), "one two - H, 1");
    finds("t.csv", "said\ngood\n", INPUT(.remembered = &said), "said - - H, 1");
    finds("t.csv", "review,body\npos,a b\nneg,c d\n", SET(.remembered = &named, .label_column = "review"),
          "body - review H, 2");
    finds("t.csv", "spruch\na b\n", INPUT(.remembered = &named), "spruch - - H, 1"); /* as in training, a header */
    instead("t.jsonl", "{\"text\":\"a\"}\n", INPUT(.remembered = &named),
            "training used column \"review\", which this file does not have; read instead: column \"text\"");
    instead("t.csv", "id,comment\n1,a b\n", INPUT(.remembered = &numbered),
            "training used column 1 of a file that names none; read instead: column 2 \"comment\"");
    load(&set, "t.csv", "review,sentiment\n" REVIEWS, INPUT(.remembered = &named));
    assert_null(set.instead);
    sp_dataset_free(&set);
    instead("t.csv", "one,x\na b,c d\n", INPUT(.remembered = &pair, .text_column = "one"),
            "training used two texts, column \"one\" and column \"two\"; read here, as the options say: column 1 "
            "\"one\" alone");
    instead("t.csv", "review,other\na b,c d\n",
            INPUT(.remembered = &named, .text_column = "1", .text_pair_column = "2"),
            "training used single texts, of column \"review\"; read here, as the options say: two texts, column 1 "
            "\"review\" and column 2 \"other\"");
    instead("t.jsonl", "{\"sentence1\":\"a\",\"sentence2\":\"b\"}\n", INPUT(.remembered = &pair),
            "training used column \"one\", which this file does not have; read instead: column \"sentence1\"; training "
            "used column \"two\", which this file does not have; read instead: column \"sentence2\"");
    instead("t.csv", "1,7,a b\n2,8,b a\n", INPUT(.remembered = &named),
            "training used column \"review\", and this file names no columns; read instead: column 3");
    instead("t.csv", "1,7,a b\n2,8,b a\n", INPUT(.remembered = &numbered),
            "training used column 1, and this file has others; read instead: column 3");
    load(&set, "t.csv", "x,one,two,label\n1,a,b,c\n",
         INPUT(.remembered = &pair, .text_column = "one", .text_pair_column = "3"));
    assert_null(set.instead);
    sp_dataset_free(&set);
    refuses("t.csv", "one,label\na b,x\nb a,y\n", INPUT(.remembered = &pair),
            "training used two texts, column \"one\" and column \"two\", and this file has column \"one\" alone; set "
            "text_column");
    refuses("t.csv", "body\na b\nb a\n", INPUT(.remembered = &pair),
            "and this file has no pair: it is one column; add the second "
            "text, or set text_column to go without");
    refuses("t.csv", "premise,hypothesis\na b,c\n", INPUT(.remembered = &named),
            "training used single texts, and this file has a pair");
    refuses("t.csv", "title,body\na b,c d\nb a,d c\n", INPUT(.remembered = &named),
            "more than one column could be the text");
}

/* Two texts with options of their own, as a task's rows may have them. */
static void test_own_pair(void **state)
{
    static const char *const names[][2] = { { "question", "answer" }, { NULL, NULL } };
    static const struct sp_text_pair pair = { { "question_column", "answer_column" },
                                              { "question", "answer" },
                                              "questions and their answers" };
    static const struct sp_row_shape shape = { .labels = SP_LABELS_NONE, .texts = names, .pair = &pair };
    static const char *const odd[][2] = { { "vers", "reim" }, { NULL, NULL } };
    static const struct sp_row_shape verses = { .labels = SP_LABELS_NONE, .texts = odd, .pair = &pair };
    const struct sp_data_layout trained = used("question", 1, "answer", 2, NULL, 0, 2);

    (void)state;
    finds("t.csv", "id,answer,question\n1,a b,c d\n2,b,d\n", INPUT(.shape = &shape), "question answer - H, 2");
    finds("t.csv", "id,a,q\n1,a b,c d\n2,b,d\n", INPUT(.shape = &shape, .text_column = "q", .text_pair_column = "a"),
          "q a - H, 2");
    /* the names that it knows above words and few rows, where others could be words, too */
    finds("t.csv", "vers,reim\ngood,bad\nup,down\n", INPUT(.shape = &verses), "vers reim - H, 2");
    refuses("t.csv", "vers,reim\ngood,bad\nup,down\n", INPUT(.shape = &shape), "1: words or codes, such as \"vers\"");
    refuses("t.csv", "one,two\na b,c d\nb a,d c\n", INPUT(.shape = &shape),
            "could be the text; set it, or question_column and answer_column for questions and their answers. Its");
    refuses("t.csv", "one,answer\na b,c d\n", INPUT(.shape = &shape, .text_column = "q", .text_pair_column = "answer"),
            "question_column: no column \"q\"");
    refuses("t.csv", "one,two\na b,c d\n", INPUT(.shape = &shape, .text_column = "one", .text_pair_column = "a"),
            "answer_column: no column \"a\"");
    refuses("t.csv", "one,two\na b,c d\n", INPUT(.shape = &shape, .text_column = "one", .text_pair_column = "1"),
            "question_column and answer_column are the same column, number 1");
    refuses("t.csv", "one,two\na b,c d\n", INPUT(.shape = &shape, .text_column = "three"),
            "text_column: no column \"three\""); /* alone it is no question */
    refuses("t.csv", "question,id\na b,1\nb a,2\n", INPUT(.shape = &shape, .remembered = &trained),
            "and this file has column \"question\" alone; set question_column and answer_column, or text_column for a "
            "text by itself");
}

static void test_remembered_label(void **state)
{
    const struct sp_data_layout named = used("review", 1, NULL, 0, "sentiment", 2, 2);

    (void)state;
    instead("t.csv", "review,label\n" REVIEWS, SET(.remembered = &named),
            "training used column \"sentiment\", which this file does not have; read instead: column 2 \"label\"");
    instead("t.csv", "body,label\n" REVIEWS, SET(.remembered = &named),
            "training used column \"sentiment\", which this file does not have; read instead: column 2 \"label\"; "
            "training used column \"review\", which this file does not have; read instead: column 1 \"body\"");
    refuses("t.csv", "review,mood\n" REVIEWS, SET(.remembered = &named),
            "no column \"label\"; the file has: review, mood, and no column \"sentiment\", as training's");
}

/* Rows that carry token ids and text: as training read them. */
static void test_remembered_ids(void **state)
{
    static const char rows[] = "{\"text\":\"a a a a\",\"input_ids\":[2,5,3]}\n";
    struct sp_data_layout json = { .format = (char *)(uintptr_t) "jsonl",
                                   .columns = 2,
                                   .text = { (char *)(uintptr_t) "text", 1 } };
    struct sp_dataset set;

    (void)state;
    load(&set, "t.jsonl", rows, INPUT(.remembered = &json));
    assert_int_equal(set.tokens, 6);
    assert_false(set.layout.ids);
    sp_dataset_free(&set);
    json.ids = true;
    load(&set, "t.jsonl", rows, INPUT(.remembered = &json));
    assert_int_equal(set.tokens, 3);
    assert_true(set.layout.ids);
    sp_dataset_free(&set);
}

/* Options of training that the file does not show again. */
static void test_remembered_options(void **state)
{
    struct sp_data_layout colon = used("review", 1, NULL, 0, "sentiment", 2, 2);

    (void)state;
    colon.delimiter = ':';
    finds("t.csv", "review:sentiment\na, b:x\nc:y\n", INPUT(.remembered = &colon), "review - sentiment H: 2");
    finds("t.csv", "review\na b\nc:d\n", INPUT(.remembered = &colon), "review - - H, 2");
}

/* A file's own rows say whether it has a header, whatever training's had. */
static void test_remembered_header(void **state)
{
    const struct sp_data_layout none = used(NULL, 1, NULL, 0, NULL, 2, 2),
                                named = used("review", 1, NULL, 0, "sentiment", 2, 2),
                                json = { .format = (char *)(uintptr_t) "jsonl",
                                         .columns = 2,
                                         .text = { (char *)(uintptr_t) "body", 1 },
                                         .label = { (char *)(uintptr_t) "label", 2 } };
    char neg[] = "neg", pos[] = "pos", label[] = "label", *names[] = { neg, pos, label };
    const struct sp_labels head = { names, 2 }, odd = { names, 3 };

    (void)state;
    finds("t.csv", "review\nd f b a\nf a b f\n", INPUT(.remembered = &none), "review - - H, 2");
    /* a list, as in training */
    finds("t.csv", "Mitteilung\nd f b a\nf a b f\n", INPUT(.remembered = &none), "1 - - , 3");
    /* a name that people use */
    finds("t.csv", "Kommentar\nd f b a\nf a b f\n", INPUT(.remembered = &none), "Kommentar - - H, 2");
    finds("t.csv", "Kommentar,Klasse\na b c,\nd e f,\n", INPUT(.remembered = &none, .labels = &head),
          "Kommentar - - H, 2");
    finds("t.csv", "Kommentar,Klasse\na b c,pos\nd e f,neg\n", INPUT(.remembered = &none, .labels = &head),
          "Kommentar - - H, 2");
    finds("t.csv", "review text\na b c\nb c d e\n", INPUT(.remembered = &json), "review text - - H, 2");
    finds("t.csv", "Meine Meinung\na b c\nb c d\n", INPUT(.remembered = &json), "Meine Meinung - - H, 2");
    finds("t.csv", "a b c\nd e f\n", INPUT(.remembered = &named), "1 - - , 2");
    finds("t.csv", "great\na b\nawful\nd e f\n", INPUT(.remembered = &none), "1 - - , 4");
    finds("t.csv", "good film\nthe film was bad\nbad film\n", INPUT(.remembered = &none), "1 - - , 3");
    finds("t.csv", "a good film,pos\na bad film,neg\n", INPUT(.remembered = &named, .labels = &head), "1 - 2 , 2");
    finds("t.csv", "review,label\n" REVIEWS, INPUT(.remembered = &none, .labels = &head), "review - label H, 4");
    /* training's own, a row */
    finds("t.csv", "review,label\n" REVIEWS, INPUT(.remembered = &none, .labels = &odd), "1 - 2 , 5");
    finds("t.csv", "review\na b\n", INPUT(.remembered = &named, .has_header = SP_NO), "1 - - , 2");
}

static const struct sp_row_shape numbers = { .labels = SP_LABELS_VALUES };

/* A fraction among whole numbers makes it a regression, which is told where it is one in ten rows or fewer. */
static void test_label_doubt(void **state)
{
    static const char slip[] = "text,label\na,1\nb,0\nc,1\nd,0\ne,1\nf,0\ng,1\nh,0\ni,1.0\nj,3.5\n";
    struct sp_dataset set;

    (void)state;
    load(&set, "t.csv", slip, PLAIN);
    assert_int_equal(set.label_kind, SP_LABELS_VALUES);
    assert_non_null(set.label_doubt);
    assert_non_null(strstr(set.label_doubt, "label \"3.5\" in line 11 makes this a regression, though 9 of 10 labels "
                                            "are whole"));
    sp_dataset_free(&set);
    load(&set, "t.csv", slip, SET(.shape = &numbers));
    assert_null(set.label_doubt);
    sp_dataset_free(&set);
    load(&set, "t.csv", slip, SET(.max_rows = 9));
    assert_true(set.label_kind == SP_LABELS_CLASSES && !set.label_doubt);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na,3.5\nb,0\nc,1\nd,0\ne,1\nf,0\ng,1\nh,0\ni,1\n", PLAIN);
    assert_true(set.label_kind == SP_LABELS_VALUES && !set.label_doubt);
    sp_dataset_free(&set);
}

/* Labels that are whole numbers with a point. */
static void test_whole_labels(void **state)
{
    struct sp_dataset set;

    (void)state;
    load(&set, "t.csv", "text,label\na,1.0\nb,0.0\nc,1.0\n", PLAIN);
    assert_int_equal(set.label_kind, SP_LABELS_CLASSES);
    assert_true(set.whole_labels);
    assert_string_equal(set.labels.names[0], "0");
    assert_memory_equal(set.classes, ((const uint32_t[]){ 1, 0, 1 }), 12);
    sp_dataset_free(&set);
    load(&set, "t.jsonl", "{\"text\":\"a\",\"label\":1.0}\n{\"text\":\"b\",\"label\":0.0}\n", PLAIN);
    assert_int_equal(set.label_kind, SP_LABELS_CLASSES);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na,1.0\nb,0.0\n", SET(.shape = &numbers));
    assert_true(set.label_kind == SP_LABELS_VALUES && !set.whole_labels && set.values[0] == 1);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na,1.0\nb,0.5\n", PLAIN);
    assert_true(set.label_kind == SP_LABELS_VALUES && !set.whole_labels && set.values[0] == 1);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na,1.000e+00\nb,0E+0\nc,1\nd,2e+1\n", PLAIN); /* as numpy and pandas write them */
    assert_true(set.label_kind == SP_LABELS_CLASSES && set.whole_labels && set.labels.count == 3);
    assert_string_equal(set.labels.names[2], "20");
    assert_memory_equal(set.classes, ((const uint32_t[]){ 1, 0, 1, 2 }), 16);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na,1e-3\nb,0e+0\n", PLAIN);
    assert_true(set.label_kind == SP_LABELS_VALUES && !set.label_doubt);
    sp_dataset_free(&set);
    load(&set, "t.csv", "text,label\na,1.0\nb,x\n", PLAIN);
    assert_int_equal(set.labels.count, 2);
    assert_string_equal(set.labels.names[0], "1");
    sp_dataset_free(&set);
}

/* Files with a few bytes changed, by options of every kind: whatever is found, nothing is read that is not there. */
static void test_mutations(void **state)
{
    static const char pieces[] = "\"\n\r\t,;|{}0.x \xFF";
    static const char *const names[] = { "t.csv", "t.tsv", "t.jsonl" };
    static const char *const files[] = {
        "id,review,label\n1,\"the film; good\",pos\n2,bad film,neg\n3,,pos\n",
        "Quality\t#1 ID\t#1 String\t#2 String\n1\t7\ta b\tc d\n0\t8\t3,5\tx\n",
        "{\"text\":\"a b\",\"label\":1.0,\"n\":NaN}\n{\"input_ids\":[2,5,3],\"label\":\"x\",\"m\":{}}\n",
    };
    const struct sp_data_layout known[] = { used("review", 2, NULL, 0, "label", 3, 3),
                                            used(NULL, 3, NULL, 4, NULL, 1, 4) };

    (void)state;
    for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
        size_t kind = seed % 3, changes = 1 + sp_rng_u32(seed, SP_RNG_INIT, 0, 0) % 6;
        struct sp_dataset_options options = { DEFAULTS, .no_labels = seed / 3 % 2,
                                              .has_header = (enum sp_three_way)(seed / 6 % 3),
                                              .skip_bad_rows = seed / 18 % 2,
                                              .remembered = seed / 36 % 3 ? &known[seed / 36 % 3 - 1] : NULL };
        struct sp_dataset set;
        char bytes[256];

        snprintf(bytes, sizeof bytes, "%s", files[kind]);
        for (size_t i = 1; i <= changes; i++)
            bytes[sp_rng_u32(seed, SP_RNG_INIT, 1, i) % strlen(files[kind])] =
                pieces[sp_rng_u32(seed, SP_RNG_INIT, 2, i) % sizeof pieces];
        if (sp_dataset_load(&set, io_write(names[kind], bytes, strlen(files[kind])), tokenizer, &options) == 0)
            sp_dataset_free(&set);
        else
            assert_null(set.ids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_missing_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_without_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trained_name_in_capitals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delimiter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delimiter_bad_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_title, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_declared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remembered_label, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remembered_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remembered_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remembered_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_label_doubt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
