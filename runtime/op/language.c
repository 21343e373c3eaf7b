#include "runtime/op/language.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>
#include <stdlib.h>

/* Columns of a part: a quarter of the first-level cache of most CPUs. Its numbers are those of cl/loss/language.cl. */
#define PART 2048
enum { LARGEST, SUM, BEFORE, NUMBERS };

static const struct sp_kernel language_parts = { "language_parts", "loss/language.cl" };
static const struct sp_kernel language_rows = { "language_rows", "loss/language.cl" };

/* Of a case; the last two: that kernel alone. */
enum { EVALUATE = 1, POISON = 2, EQUAL = 4, PARTS_ONLY = 8, ROWS_ONLY = 16 };

static size_t parts_of(int classes)
{
    return ((size_t)classes + PART - 1) / PART;
}

size_t sp_language_workspace(const struct sp_device *device, int R, int classes)
{
    return sp_device_lanes(device) > 1 ? (size_t)R * parts_of(classes) * NUMBERS * sizeof(float) : 0;
}

/* The factor on logits; exactly 1 without a temperature. */
static float shrink(const struct sp_language *args)
{
    return args->temperature > 0 ? 1.0f / args->temperature : 1.0f;
}

/* A group to each part of each row, or to each row. */
static void prepare(struct sp_launch *launch, struct sp_device *device, const struct sp_language *args, bool parted,
                    unsigned only)
{
    size_t lanes = (size_t)sp_device_lanes(device);

    launch->local[0] = lanes;
    launch->global[0] = (size_t)args->R * (parted ? parts_of(args->classes) : 1) * lanes;
    sp_launch_define(launch, "LANES", (long)lanes);
    sp_launch_define(launch, "C", args->classes);
    sp_launch_define(launch, "PART", PART);
    sp_launch_define(launch, "GRADIENT", args->gradient);
    sp_launch_define(launch, "CAP", args->softcap > 0);
    launch->check = SP_CHECK(language, only | (args->gradient ? 0 : EVALUATE), 3, args->classes, args->softcap > 0, 3);
}

static int run_parts(struct sp_device *device, const struct sp_language *args)
{
    struct sp_launch launch = { .kernel = &language_parts };

    prepare(&launch, device, args, true, PARTS_ONLY);
    sp_launch_buffer(&launch, args->workspace);
    sp_launch_buffer(&launch, args->logits);
    sp_launch_buffer(&launch, args->targets);
    sp_launch_int(&launch, args->first);
    sp_launch_float(&launch, args->softcap);
    sp_launch_float(&launch, shrink(args));
    return sp_launch_run(device, &launch);
}

static int run_rows(struct sp_device *device, const struct sp_language *args)
{
    struct sp_launch launch = { .kernel = &language_rows };
    bool lanes = sp_device_lanes(device) > 1;

    prepare(&launch, device, args, lanes && args->gradient, ROWS_ONLY);
    sp_launch_buffer(&launch, args->logits);
    sp_launch_buffer(&launch, args->losses);
    sp_launch_buffer(&launch, args->hits);
    sp_launch_buffer(&launch, args->rows);
    sp_launch_buffer(&launch, args->targets);
    sp_launch_int(&launch, args->first);
    sp_launch_float(&launch, args->softcap);
    sp_launch_float(&launch, args->scale);
    sp_launch_float(&launch, shrink(args));
    if (lanes)
        sp_launch_buffer(&launch, args->workspace);
    return sp_launch_run(device, &launch);
}

int sp_language(struct sp_device *device, const struct sp_language *args)
{
    if (sp_device_lanes(device) > 1)
        SP_TRY(run_parts(device, args));
    return run_rows(device, args);
}

/* size: R, classes, soft-cap, largest |logit|, temperature (0: none) */

static const struct sp_op_case cases[] = {
    { .name = "1x1", .size = { 1, 1, 0, 1 }, .tolerance = 2e-6 },
    { .name = "2x3", .size = { 2, 3, 0, 2 }, .tolerance = 2e-6 },
    { .name = "5x37", .size = { 5, 37, 0, 3 }, .tolerance = 2e-6 },
    { .name = "5x37 evaluation", .size = { 5, 37, 0, 3 }, .flags = EVALUATE, .tolerance = 2e-6 },
    { .name = "7x37 capped", .size = { 7, 37, 2, 5 }, .tolerance = 4e-6 },
    { .name = "7x37 capped, cooled", .size = { 7, 37, 30, 100, 3 }, .tolerance = 4e-6 },
    { .name = "7x37 far apart", .size = { 7, 37, 0, 3000 }, .tolerance = 2e-6 },
    { .name = "7x37 NaN", .size = { 7, 37, 0, 3 }, .flags = POISON, .tolerance = 2e-6 },
    { .name = "9x37 all equal", .size = { 9, 37, 0, 3 }, .flags = EQUAL | EVALUATE, .tolerance = 2e-6 },
    { .name = "4x2051", .size = { 4, PART + 3, 0, 2 }, .tolerance = 5e-6 },
    { .name = "2x4099 capped", .size = { 2, 2 * PART + 3, 2, 1 }, .tolerance = 5e-6 },
    { .name = "6x2048", .size = { 6, PART, 0, 5 }, .tolerance = 5e-6 },
    { .name = "6x4099 capped, evaluation",
      .size = { 6, 2 * PART + 3, 30, 60 },
      .flags = EVALUATE,
      .tolerance = 5e-6 },
    { .name = "11x5003 capped, cooled", .size = { 11, 5003, 4, 8, 2 }, .tolerance = 5e-6 },
    { .name = "5x6145 all equal", .size = { 5, 3 * PART + 1, 0, 3 }, .flags = EQUAL, .tolerance = 5e-6 },
    { .name = "3x50257 evaluation", .size = { 3, 50257, 0, 8 }, .flags = EVALUATE, .tolerance = 5e-6 },
    { .name = "3x50257", .size = { 3, 50257, 0, 8 }, .tolerance = 5e-6 },
    { .name = "4300x37 capped", .size = { 4300, 37, 2, 5 }, .tall = true, .tolerance = 4e-6 },
};

static double capped(double x, const struct sp_language *args)
{
    return args->softcap > 0 ? (double)args->softcap * tanh(x / (double)args->softcap) : x;
}

/* The numbers of columns low .. high - 1 of a row. */
static void look_at(double out[NUMBERS], const double *logits, int low, int high, int target,
                    const struct sp_language *args)
{
    double temperature = args->temperature > 0 ? (double)args->temperature : 1;

    out[LARGEST] = out[BEFORE] = -INFINITY;
    out[SUM] = 0;
    for (int k = low; k < high; k++) {
        out[LARGEST] = fmax(out[LARGEST], capped(logits[k], args) / temperature);
        out[BEFORE] = k < target ? out[LARGEST] : out[BEFORE];
    }
    for (int k = low; k < high; k++)
        out[SUM] += exp(capped(logits[k], args) / temperature - out[LARGEST]);
}

/* One row's loss, hit, and gradient, whose larger term goes to `sizes`. */
static void look_at_row(double *loss, double *hit, double *gradient, double *sizes, const double *logits, int target,
                        const struct sp_language *args)
{
    double temperature = args->temperature > 0 ? (double)args->temperature : 1, all[NUMBERS];

    look_at(all, logits, 0, args->classes, target, args);
    for (int k = 0; k < args->classes; k++) {
        double y = capped(logits[k], args), p = exp(y / temperature - all[LARGEST]) / all[SUM];
        double slope = args->softcap > 0 ? 1 - pow(y / (double)args->softcap, 2) : 1;
        double factor = target < 0 ? 0 : (double)args->scale / temperature;

        gradient[k] = factor * (p - (k == target)) * slope;
        sizes[k] = factor * fmax(p, k == target);
    }
    if (target < 0)
        return;
    *loss = log(all[SUM]) - (capped(logits[target], args) / temperature - all[LARGEST]);
    *hit = capped(logits[target], args) / temperature > all[BEFORE] &&
           capped(logits[target], args) / temperature >= all[LARGEST];
}

static int run_all(void *user)
{
    struct sp_language *args = user;

    return sp_language(sp_buffer_device(args->logits), args);
}

static int run_rows_alone(void *user)
{
    struct sp_language *args = user;

    return run_rows(sp_buffer_device(args->logits), args);
}

static int run_parts_alone(void *user)
{
    struct sp_language *args = user;

    return run_parts(sp_buffer_device(args->logits), args);
}

enum { FIRST = 2 }; /* entries of the list before the rows' */

/* Targets are at the ends of parts and of the row, anywhere, and none; of every fifth row it is the column with the
 * largest logit. */
static uint32_t choose_target(const double *logits, size_t r, size_t classes)
{
    const size_t places[] = { 0, classes - 1, classes > PART ? PART - 1 : classes / 2, classes > PART ? PART : 0 };
    size_t best = 0;

    for (size_t k = 1; k < classes; k++)
        best = logits[k] > logits[best] ? k : best;
    return (uint32_t)(r % 5 == 2   ? best
                      : r % 7 == 4 ? (size_t)-100
                      : r % 7 == 5 ? sp_rng_u32(1, SP_RNG_INIT, 2, r) % classes
                                   : places[r % 4]);
}

/* A case's data, and what is to come of it. */
struct reference {
    double *logits, *gradient, *sizes, *losses, *hits, *parts;
    uint32_t *rows, *targets; /* FIRST + R */
};

/* The numbers of all parts of all rows, as language_parts leaves them. */
static void look_at_parts(struct reference *r, const struct sp_language *args)
{
    size_t classes = (size_t)args->classes, parts = parts_of(args->classes);

    for (size_t i = 0; i < (size_t)args->R * parts; i++) {
        size_t low = i % parts * PART, high = low + PART < classes ? low + PART : classes;

        look_at(r->parts + NUMBERS * i, r->logits + i / parts * classes, (int)low, (int)high,
                (int32_t)r->targets[FIRST + i / parts], args);
    }
}

static int prepare_case(struct sp_check *t, const struct sp_op_case *c, struct reference *r, struct sp_language *args)
{
    size_t R = (size_t)args->R, classes = (size_t)args->classes, places = FIRST + R;

    for (size_t i = 0; i < R * classes; i++) {
        r->logits[i] = (float)(c->size[3] * (2 * sp_rng_uniform(1, SP_RNG_INIT, 0, i) - 1));
        r->logits[i] = c->flags & EQUAL ? r->logits[0] : r->logits[i];
    }
    if (c->flags & POISON)
        r->logits[R * classes / 2] = NAN;
    for (size_t i = 0; i < places; i++) { /* the list's places are in another order, and two are not the rows' */
        r->rows[i] = (uint32_t)(places - 1 - i);
        r->targets[i] = i < FIRST ? 0 : choose_target(r->logits + (i - FIRST) * classes, i - FIRST, classes);
        r->losses[i] = r->hits[i] = NAN;
    }
    for (size_t i = 0; i < R; i++) {
        uint32_t place = r->rows[FIRST + i];

        look_at_row(&r->losses[place], &r->hits[place], r->gradient + i * classes, r->sizes + i * classes,
                    r->logits + i * classes, (int32_t)r->targets[FIRST + i], args);
    }
    look_at_parts(r, args);
    SP_TRY(sp_check_input_words(t, &args->rows, r->rows, places));
    return sp_check_input_words(t, &args->targets, r->targets, places);
}

static int check_with(struct sp_check *t, const struct sp_op_case *c, struct reference *r)
{
    size_t R = (size_t)c->size[0], classes = (size_t)c->size[1], numbers = R * parts_of(c->size[1]) * NUMBERS;
    struct sp_language args = { .R = c->size[0], .classes = c->size[1], .first = FIRST, .softcap = (float)c->size[2],
                                .gradient = !(c->flags & EVALUATE), .scale = 1 / (float)R,
                                .temperature = (float)c->size[4] };
    bool lanes = sp_device_lanes(sp_check_device(t)) > 1, alone = c->flags & ROWS_ONLY;

    SP_TRY(prepare_case(t, c, r, &args));
    SP_TRY(args.gradient ? sp_check_inout(t, &args.logits, r->logits, R * classes)
                         : sp_check_input_values(t, &args.logits, r->logits, R * classes));
    if (lanes)
        SP_TRY(alone ? sp_check_input_values(t, &args.workspace, r->parts, numbers)
                     : sp_check_output(t, &args.workspace, numbers));
    if (c->flags & PARTS_ONLY) {
        SP_TRY(sp_check_run(t, run_parts_alone, &args));
        return sp_check_compare_each(t, "parts", args.workspace, r->parts, r->parts, numbers, c->tolerance);
    }
    SP_TRY(sp_check_output(t, &args.losses, FIRST + R));
    SP_TRY(sp_check_output(t, &args.hits, FIRST + R));
    SP_TRY(sp_check_run(t, alone ? run_rows_alone : run_all, &args));
    SP_TRY(sp_check_compare(t, "losses", args.losses, r->losses, FIRST + R, c->tolerance));
    SP_TRY(sp_check_compare(t, "hits", args.hits, r->hits, FIRST + R, c->tolerance));
    if (!args.gradient)
        return 0;
    SP_TRY(sp_check_compare(t, "dlogits", args.logits, r->gradient, R * classes, c->tolerance));
    /* of many, most are small */
    return sp_check_compare_each(t, "dlogits", args.logits, r->gradient, r->sizes, R * classes, SP_CHECK_WIDE);
}

static int check_language(struct sp_check *t, const struct sp_op_case *c)
{
    size_t R = (size_t)c->size[0], count = R * (size_t)c->size[1];
    struct reference r = { .logits = sp_check_double(t, count), .gradient = sp_check_double(t, count),
                           .sizes = sp_check_double(t, count), .losses = sp_check_double(t, FIRST + R),
                           .hits = sp_check_double(t, FIRST + R),
                           .parts = sp_check_double(t, R * parts_of(c->size[1]) * NUMBERS) };
    uint32_t *words = sp_calloc(2 * (FIRST + R), sizeof *words);
    int rc = SP_ENOMEM;

    r.rows = words;
    r.targets = words ? words + FIRST + R : NULL;
    if (r.logits && r.gradient && r.sizes && r.losses && r.hits && r.parts && words)
        rc = check_with(t, c, &r);
    free(words);
    return rc;
}

const struct sp_op sp_op_language = {
    .name = "language", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_language,
};
