/*
 * Data files for the tests of what they are found to be: loaded, and what was found rendered. The tokenizer knows no
 * word, which does not matter there.
 */
#ifndef SP_TESTS_LAYOUT_FILES_H
#define SP_TESTS_LAYOUT_FILES_H

#include "tests/unit/io_files.h"

#include "runtime/data/shape.h"

#define DEFAULTS .max_seq_length = 64, .vocab_size = 6, .type_count = 2, .tasks = { "classification", "regression" }
#define SET(...) &(struct sp_dataset_options){ DEFAULTS, __VA_ARGS__ }
#define PLAIN &(struct sp_dataset_options){ DEFAULTS }
#define INPUT(...) &(struct sp_dataset_options){ DEFAULTS, .no_labels = true, .empty_texts = true, __VA_ARGS__ }

#define REVIEWS "the film was good,pos\nthe film was bad,neg\ngreat movie,pos\nawful movie,neg\n"

extern struct sp_tokenizer *tokenizer;

/* cmocka setup and teardown, with a scratch folder. */
int setup(void **state);
int teardown(void **state);

/* Loads a file of that content, which must do. */
void load(struct sp_dataset *out, const char *name, const char *content, const struct sp_dataset_options *options);

/* Loads it and compares what it is found to be: "text pair label" by name or number, "-" for none, then "H" for a
 * header, the delimiter, and the rows. */
void finds(const char *name, const char *content, const struct sp_dataset_options *options, const char *expected);

/* It is SP_ECONFIG, and the message has that part. */
void refuses(const char *name, const char *content, const struct sp_dataset_options *options, const char *part);

/* What is said to be read instead, NULL for nothing. */
void instead(const char *name, const char *content, const struct sp_dataset_options *options, const char *expected);

/* What training used, as of a csv file without its label read by name or by number. */
struct sp_data_layout used(const char *text, size_t text_number, const char *pair, size_t pair_number,
                           const char *label, size_t label_number, size_t columns);

#endif
