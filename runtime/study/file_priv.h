/* What reading a study file and laying out its grid share (layer 6). parts.c, but for what names another file. */
#ifndef SP_STUDY_FILE_PRIV_H
#define SP_STUDY_FILE_PRIV_H

#include "runtime/study/study.h"
#include "runtime/base/source.h"
#include "runtime/base/yaml.h"

#define SP_STUDY_KEYS 8 /* of the file */
#define SP_STUDY_NAME_MAX 64
#define SP_STUDY_NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define SP_STUDY_RUNS_MAX ((size_t)10000)
#define SP_STUDY_ITEMS_MAX ((size_t)1000)
#define SP_STUDY_LAYERS_MAX 64
#define SP_STUDY_NO_OUTPUT_DIR "output_dir is the study's: each run has a folder of its own in it"

/* A part of the file with the text that it stands in; node NULL: not given. */
struct sp_study_part {
    const struct sp_yaml_node *node;
    const struct sp_source *source;
};

struct sp_study_item {
    const char *name;
    struct sp_config_layer *layers;
    size_t layer_count, layer_capacity;
    const char **overrides; /* of --set data.NAME.key=value */
    size_t override_count, override_capacity;
    struct sp_study_part budgets, rates; /* a method's own */
    struct sp_study_part metric;         /* a data set's own */
};

/* Everything that places and blocks point into. */
struct sp_study_texts {
    struct sp_study_text {
        struct sp_source source;
        char *path, *bytes;
        struct sp_yaml_node root;
    } * *list;
    size_t count, capacity;
    struct sp_yaml_node **copies;
    size_t copy_count, copy_capacity;
    struct sp_study_item base;
    const char **overrides; /* that go for every run */
    size_t override_count;
};

/* The study while it is read. */
struct sp_study_reading {
    struct sp_study *study;
    struct sp_study_texts *texts;
    struct sp_study_part parts[SP_STUDY_KEYS], selected[2]; /* by keys; and --set data=, methods= */
    char *score_cache; /* one for all runs, so that equal scores are made once; the file's own goes before it */
};

extern const char *const sp_study_keys[SP_STUDY_KEYS];

/* Where the file's key stands; to be read and set. */
struct sp_study_part *sp_study_part(struct sp_study_reading *reading, const char *key);

/* The value of `key` in a mapping, or NULL. */
const struct sp_yaml_node *sp_study_child(const struct sp_yaml_node *map, const char *key);

bool sp_study_is_one_of(const char *name, const char *const *names, size_t count);

/* "found ..., expected ..." about a part; "there is no ...; did you mean ...?" about a name that is not among `names`.
 * Both SP_ECONFIG with the place. */
int sp_study_wrong(struct sp_study_part part, const char *what, const char *expected);
int sp_study_unknown(struct sp_place place, const struct sp_source *source, const char *what, const char *name,
                     const char *const *names, size_t count);

/* Of a name that is not among those of the items. */
int sp_study_unknown_item(struct sp_place place, const struct sp_source *source, const char *what, const char *name,
                          const struct sp_study_item *items, size_t count);

/* Parses a text and keeps it. Takes `path` and `bytes`, which may be NULL when out of memory. */
int sp_study_add_text(struct sp_study_text **out, struct sp_study_texts *texts, char *path, char *bytes, size_t length);

/* The same of a file; and of a configuration file that is named in a text: in the current directory, or beside that
 * text. */
int sp_study_read_text(struct sp_study_text **out, struct sp_study_texts *texts, const char *path);
int sp_study_read_beside(struct sp_study_text **out, struct sp_study_texts *texts, struct sp_study_part name);

/* override.c: takes those of the overrides that change the grid, once the file is read, and keeps those for every run;
 * then, once the items are known, those for one of them. */
int sp_study_take_overrides(struct sp_study_reading *reading, const char *const *overrides, size_t count);
int sp_study_take_item_overrides(struct sp_study_reading *reading, const char *const *overrides, size_t count);

/* study.c: whether it names a score of the task, or of any (NULL), and a list of these names. */
struct sp_task;
bool sp_study_is_metric(const struct sp_yaml_node *node, const struct sp_task *task);
int sp_study_list_metrics(struct sp_buf *out, const struct sp_task *task);

/* grid.c: makes every run and cell of what was read. */
int sp_study_grid(struct sp_study_reading *reading);

#endif
