/* speft-cl mask-compare: how much masks or adapters have in common: in all, by layer, by module, and as a picture. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/interrupt.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"
#include "runtime/study/document.h"
#include "runtime/study/heatmap.h"
#include "runtime/study/overlap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASKS_MAX 32
#define TEXT_LIMIT ((size_t)64 << 20)

/* The kinds of a weight, by layer or by module, each once in the order of its first weight. */
struct kinds {
    char **names;
    size_t count, capacity;
};

struct weight {
    const char *name, *layer, *module; /* the latter two are of the lists of kinds */
};

struct comparison {
    struct sp_positions *masks;
    size_t count, pairs;
    struct weight *weights; /* of all masks together */
    size_t weight_count, weight_capacity;
    struct kinds layers, modules;
    struct sp_overlap *overlaps; /* [pairs][weights] */
};

static size_t pair_index(const struct comparison *c, size_t a, size_t b)
{
    return a * (2 * c->count - a - 1) / 2 + b - a - 1; /* rows of the upper triangle, one after the other */
}

static int kind_of(const char **out, struct kinds *kinds, const char *name, size_t length)
{
    for (size_t i = 0; i < kinds->count; i++) {
        *out = kinds->names[i];
        if (strlen(*out) == length && memcmp(*out, name, length) == 0)
            return 0;
    }
    SP_TRY(sp_grow(&kinds->names, kinds->count, &kinds->capacity, sizeof *kinds->names, (size_t)1 << 20,
                   "kinds of weights"));
    *out = kinds->names[kinds->count] = sp_strndup(name, length);
    return kinds->names[kinds->count] ? (kinds->count++, 0) : SP_ENOMEM;
}

/* Any model's names: the first part that is a number is the layer, what follows it up to ".weight" the module. A weight
 * without a number is in no layer ("-"). */
static int add_weight(struct comparison *c, const char *name)
{
    size_t length = strlen(name), suffix = strlen(".weight");
    const char *end = name + length, *layer = NULL, *module = name;
    size_t digits = 0;
    struct weight *w;

    if (length > suffix && strcmp(end - suffix, ".weight") == 0)
        end -= suffix;
    for (const char *part = name; part < end && !layer;) {
        const char *dot = memchr(part, '.', (size_t)(end - part)), *stop = dot ? dot : end;

        digits = strspn(part, "0123456789");
        if (dot && digits && part + digits == stop) {
            layer = part;
            module = dot + 1;
        }
        part = stop + 1;
    }
    SP_TRY(sp_grow(&c->weights, c->weight_count, &c->weight_capacity, sizeof *c->weights, (size_t)1 << 20, "weights"));
    w = &c->weights[c->weight_count++];
    w->name = name;
    SP_TRY(kind_of(&w->layer, &c->layers, layer ? layer : "-", layer ? digits : 1));
    return kind_of(&w->module, &c->modules, module, (size_t)(end - module));
}

/* Numbers in their order, those without one first. */
static int by_layer(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;

    return strlen(x) != strlen(y) ? (strlen(x) < strlen(y) ? -1 : 1) : strcmp(x, y);
}

static int list_weights(struct comparison *c)
{
    for (size_t m = 0; m < c->count; m++)
        for (size_t i = 0; i < c->masks[m].count; i++) {
            const char *name = c->masks[m].tensors[i].name;
            bool seen = false;

            for (size_t k = 0; k < m && !seen; k++)
                seen = sp_positions_find(&c->masks[k], name) != NULL;
            if (!seen)
                SP_TRY(add_weight(c, name));
        }
    qsort(c->layers.names, c->layers.count, sizeof *c->layers.names, by_layer);
    return 0;
}

static int compare(struct comparison *c)
{
    c->pairs = c->count * (c->count - 1) / 2;
    SP_TRY(list_weights(c));
    c->overlaps = sp_calloc(c->pairs * c->weight_count, sizeof *c->overlaps);
    if (!c->overlaps)
        return SP_ENOMEM;
    for (size_t a = 0; a < c->count; a++)
        for (size_t b = a + 1; b < c->count; b++) {
            struct sp_overlap *row = c->overlaps + pair_index(c, a, b) * c->weight_count;

            SP_TRY(sp_positions_check(&c->masks[a], &c->masks[b]));
            for (size_t w = 0; w < c->weight_count; w++)
                row[w] = sp_overlap_tensor(sp_positions_find(&c->masks[a], c->weights[w].name),
                                           sp_positions_find(&c->masks[b], c->weights[w].name));
            if (sp_interrupted())
                return sp_error(SP_EINTR, "interrupted");
        }
    return 0;
}

/* A pair's overlap in a layer and module; NULL stands for all. */
static struct sp_overlap sum(const struct comparison *c, size_t pair, const char *layer, const char *module)
{
    struct sp_overlap total = { 0, 0, 0 };

    for (size_t w = 0; w < c->weight_count; w++)
        if ((!layer || c->weights[w].layer == layer) && (!module || c->weights[w].module == module))
            sp_overlap_add(&total, c->overlaps[pair * c->weight_count + w]);
    return total;
}

/* The shortest end of a module's name that no other module has: "query" of "attention.self.query". */
static const char *short_name(const struct comparison *c, const char *module)
{
    const char *best = module;

    for (const char *dot = strchr(module, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t length = strlen(dot + 1), same = 0;

        for (size_t i = 0; i < c->modules.count; i++) {
            const char *other = c->modules.names[i];
            size_t n = strlen(other);

            same += n >= length && strcmp(other + n - length, dot + 1) == 0 &&
                    (n == length || other[n - length - 1] == '.');
        }
        if (same == 1)
            best = dot + 1;
    }
    return best;
}

/* ---- text ---- */

/* One table by layer or by module: a line a kind, a column a pair. */
static int write_kinds(struct sp_buf *out, const struct comparison *c, const char *title, const struct kinds *kinds,
                       bool layers)
{
    int width = (int)strlen(title);

    for (size_t k = 0; k < kinds->count; k++) {
        int length = (int)sp_document_width(layers ? kinds->names[k] : short_name(c, kinds->names[k]));

        width = length > width ? length : width;
    }
    SP_TRY(sp_buf_printf(out, "\n%-*s", width, title));
    for (size_t a = 0; a < c->count; a++)
        for (size_t b = a + 1; b < c->count; b++) {
            char pair[48];

            snprintf(pair, sizeof pair, "%zu-%zu", a + 1, b + 1);
            SP_TRY(sp_buf_printf(out, "  %6s", pair));
        }
    for (size_t k = 0; k < kinds->count; k++) {
        const char *name = kinds->names[k];

        SP_TRY(sp_buf_puts(out, "\n"));
        SP_TRY(sp_document_pad(out, layers ? name : short_name(c, name), -width));
        for (size_t p = 0; p < c->pairs; p++) {
            double jaccard = sp_overlap_jaccard(sum(c, p, layers ? name : NULL, layers ? NULL : name));

            SP_TRY(isnan(jaccard) ? sp_buf_puts(out, "       -") : sp_buf_printf(out, "  %6.4f", jaccard));
        }
    }
    return sp_buf_puts(out, "\n");
}

/* The picture's numbers: layers and modules of a pair, or every pair. The arrays are the caller's to free. */
struct picture {
    struct sp_heatmap map;
    const char **rows, **columns;
    double *values;
    char numbers[MASKS_MAX][24];
};

static void free_picture(struct picture *p)
{
    free(p->rows);
    free(p->columns);
    free(p->values);
}

static int make_picture(struct picture *p, const struct comparison *c)
{
    bool pair = c->count == 2;
    size_t rows = pair ? c->layers.count : c->count, columns = pair ? c->modules.count : c->count;

    *p = (struct picture){ .rows = sp_calloc(rows, sizeof *p->rows),
                           .columns = sp_calloc(columns, sizeof *p->columns),
                           .values = sp_calloc(rows * columns, sizeof *p->values) };
    if (!p->rows || !p->columns || !p->values)
        return SP_ENOMEM;
    p->map = (struct sp_heatmap){ pair ? "Jaccard overlap by layer and module" : "Jaccard overlap of each pair",
                                  rows,
                                  columns,
                                  p->rows,
                                  p->columns,
                                  p->values };
    for (size_t i = 0; i < c->count; i++)
        snprintf(p->numbers[i], sizeof p->numbers[i], "%zu", i + 1);
    for (size_t r = 0; r < rows; r++)
        p->rows[r] = pair ? c->layers.names[r] : p->numbers[r];
    for (size_t k = 0; k < columns; k++)
        p->columns[k] = pair ? short_name(c, c->modules.names[k]) : p->numbers[k];
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < columns; k++)
            p->values[r * columns + k] = pair ? sp_overlap_jaccard(sum(c, 0, c->layers.names[r], c->modules.names[k]))
                                         : r == k
                                             ? 1
                                             : sp_overlap_jaccard(
                                                   sum(c, pair_index(c, r < k ? r : k, r < k ? k : r), NULL, NULL));
    return 0;
}

static int write_mask(struct sp_buf *out, size_t number, const struct sp_positions *mask)
{
    SP_TRY(sp_buf_printf(out, "%zu  ", number));
    SP_TRY(sp_text_escape(out, mask->path, strlen(mask->path)));
    return sp_buf_printf(out, ": %zu positions in %zu weights\n", mask->total, mask->count);
}

static int write_text(struct sp_buf *out, const struct comparison *c, const struct picture *picture)
{
    for (size_t i = 0; i < c->count; i++)
        SP_TRY(write_mask(out, i + 1, &c->masks[i]));
    SP_TRY(sp_buf_printf(out, "\npair    %10s  %10s  %10s  Jaccard\n", "first", "second", "shared"));
    for (size_t a = 0; a < c->count; a++)
        for (size_t b = a + 1; b < c->count; b++) {
            struct sp_overlap o = sum(c, pair_index(c, a, b), NULL, NULL);
            char pair[48];

            snprintf(pair, sizeof pair, "%zu-%zu", a + 1, b + 1);
            SP_TRY(sp_buf_printf(out, "%-6s  %10zu  %10zu  %10zu  ", pair, o.a, o.b, o.shared));
            SP_TRY(isnan(sp_overlap_jaccard(o)) ? sp_buf_puts(out, "-\n")
                                                : sp_buf_printf(out, "%.4f\n", sp_overlap_jaccard(o)));
        }
    SP_TRY(write_kinds(out, c, "layer", &c->layers, true));
    SP_TRY(write_kinds(out, c, "module", &c->modules, false));
    SP_TRY(sp_buf_puts(out, "\n"));
    return sp_heatmap_text(out, &picture->map);
}

/* ---- JSON ---- */

static json_t *overlap_json(struct sp_overlap o)
{
    double jaccard = sp_overlap_jaccard(o);

    return json_pack("{s:I, s:I, s:I, s:o}", "first", (json_int_t)o.a, "second", (json_int_t)o.b, "shared",
                     (json_int_t)o.shared, "jaccard", isnan(jaccard) ? json_null() : json_real(jaccard));
}

static json_t *kinds_json(const struct comparison *c, size_t pair, const struct kinds *kinds, bool layers)
{
    json_t *object = json_object();

    for (size_t k = 0; k < kinds->count; k++)
        json_object_set_new(object, kinds->names[k],
                            overlap_json(
                                sum(c, pair, layers ? kinds->names[k] : NULL, layers ? NULL : kinds->names[k])));
    return object;
}

static int print_json(const struct comparison *c)
{
    json_t *masks = json_array(), *pairs = json_array(), *root;
    char *text;

    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(masks,
                              json_pack("{s:s, s:I, s:I}", "path", c->masks[i].path, "positions",
                                        (json_int_t)c->masks[i].total, "weights", (json_int_t)c->masks[i].count));
    for (size_t a = 0; a < c->count; a++)
        for (size_t b = a + 1; b < c->count; b++) {
            size_t p = pair_index(c, a, b);
            json_t *object = overlap_json(sum(c, p, NULL, NULL)), *weights = json_object();

            for (size_t w = 0; w < c->weight_count; w++)
                json_object_set_new(weights, c->weights[w].name, overlap_json(c->overlaps[p * c->weight_count + w]));
            json_object_set_new(object, "masks", json_pack("[I, I]", (json_int_t)a, (json_int_t)b));
            json_object_set_new(object, "layers", kinds_json(c, p, &c->layers, true));
            json_object_set_new(object, "modules", kinds_json(c, p, &c->modules, false));
            json_object_set_new(object, "weights", weights);
            json_array_append_new(pairs, object);
        }
    root = json_pack("{s:o, s:o}", "masks", masks, "pairs", pairs);
    text = root ? sp_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (!text)
        return sp_error(SP_EINVAL, "a name is not UTF-8, or out of memory");
    puts(text);
    free(text);
    return 0;
}

/* ---- files ---- */

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path), n = strlen(suffix);

    return length > n && strcmp(path + length - n, suffix) == 0;
}

static void describe(struct sp_document *d, const struct comparison *c)
{
    sp_document_text(d, "Jaccard: positions that both have, among those that either has.");
    sp_document_header(d, (const char *const[]){ "mask", "positions", "weights", NULL });
    for (size_t i = 0; i < c->count; i++) {
        sp_document_cell(d, "%zu  %s", i + 1, c->masks[i].path);
        sp_document_cell(d, "%zu", c->masks[i].total);
        sp_document_cell(d, "%zu", c->masks[i].count);
        sp_document_row(d);
    }
    sp_document_table_end(d);
    sp_document_header(d, (const char *const[]){ "pair", "first", "second", "shared", "Jaccard", NULL });
    for (size_t a = 0; a < c->count; a++)
        for (size_t b = a + 1; b < c->count; b++) {
            struct sp_overlap o = sum(c, pair_index(c, a, b), NULL, NULL);

            sp_document_cell(d, "%zu-%zu", a + 1, b + 1);
            sp_document_cell(d, "%zu", o.a);
            sp_document_cell(d, "%zu", o.b);
            sp_document_cell(d, "%zu", o.shared);
            sp_document_number(d, 4, sp_overlap_jaccard(o));
            sp_document_row(d);
        }
    sp_document_table_end(d);
}

static int save_picture(const char *path, const struct comparison *c, const struct picture *picture)
{
    struct sp_buf svg = SP_BUF(TEXT_LIMIT);
    struct sp_document d = { .rc = 0 };
    int rc;

    SP_GO(sp_heatmap_svg(&svg, &picture->map));
    if (ends_in(path, ".svg"))
        SP_GO(sp_fs_write(path, svg.data, svg.length));
    if (ends_in(path, ".html")) {
        sp_document_open(&d, "Overlap of masks");
        describe(&d, c);
        sp_document_figure(&d, svg.data);
        rc = sp_document_save(&d, NULL, path);
        sp_document_close(&d);
    }
out:
    sp_buf_free(&svg);
    return rc;
}

static int report(const struct comparison *c, bool as_json, const char *output)
{
    struct sp_buf text = SP_BUF(TEXT_LIMIT);
    struct picture picture;
    int rc;

    SP_GO(make_picture(&picture, c));
    if (output)
        SP_GO(save_picture(output, c, &picture));
    if (as_json)
        SP_GO(print_json(c));
    else
        SP_GO(write_text(&text, c, &picture));
    if (text.data)
        fputs(text.data, stdout);
out:
    free_picture(&picture);
    sp_buf_free(&text);
    return rc;
}

static void release(struct comparison *c)
{
    for (size_t i = 0; c->masks && i < c->count; i++)
        sp_positions_close(&c->masks[i]);
    for (size_t i = 0; i < c->layers.count; i++)
        free(c->layers.names[i]);
    for (size_t i = 0; i < c->modules.count; i++)
        free(c->modules.names[i]);
    free(c->layers.names);
    free(c->modules.names);
    free(c->masks);
    free(c->weights);
    free(c->overlaps);
}

static int run_mask_compare(const struct sp_arguments *arguments)
{
    const char *output = sp_argument(arguments, "output");
    struct comparison c = { .count = arguments->positional_count };
    int rc = 0;

    if (output && !ends_in(output, ".svg") && !ends_in(output, ".html"))
        return sp_error(SP_ECONFIG, "--output: found \"%s\", expected a name that ends in .svg or .html", output);
    for (size_t i = 0; output && i < c.count; i++)
        if (sp_fs_same(arguments->positional[i], output))
            return sp_error(SP_ECONFIG,
                            "--output: %s is an input (a mask), which the picture would replace: name another place "
                            "for it",
                            output);
    if (output)
        SP_TRY(sp_fs_check_writable(output));
    c.masks = sp_calloc(c.count, sizeof *c.masks);
    SP_GO(c.masks ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < c.count; i++)
        SP_GO(sp_positions_open(&c.masks[i], arguments->positional[i]));
    SP_GO(compare(&c));
    rc = report(&c, sp_argument(arguments, "json") != NULL, output);
out:
    release(&c);
    return rc;
}

static const struct sp_flag flags[] = {
    SP_FLAG_JSON,
    { "output", "FILE", "a picture of the overlap, .svg or .html", NULL },
    SP_FLAG_END,
};

const struct sp_command sp_command_mask_compare = {
    .name = "mask-compare",
    .usage = "A B ... [--json] [--output FILE.svg|FILE.html]",
    .summary = "show how much masks or adapters have in common",
    .flags = flags,
    .positional = 2,
    .optional = MASKS_MAX - 2,
    .run = run_mask_compare,
};
