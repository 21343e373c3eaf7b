#include "runtime/op/loss.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>
#include <stdlib.h>

static const struct sp_kernel cross_entropy = { "cross_entropy", "loss/cross_entropy.cl" };
static const struct sp_kernel squared_error = { "squared_error", "loss/squared_error.cl" };
static const struct sp_kernel loss_total = { "loss_total", "loss/loss_total.cl" };

/* Of a case. */
enum { EVALUATE = 1, POISON = 2, TOTAL = 4 };

/* The case for a kernel's classes; 0: the squared error. */
static struct sp_launch_check check_for(int classes, bool gradient)
{
    return SP_CHECK(loss, gradient ? 0 : EVALUATE, classes ? SP_GEOMETRY_ROWS : SP_GEOMETRY_ELEMENTS, classes, 10, 3,
                    2);
}

int sp_loss_total(struct sp_device *device, const struct sp_loss_total *args)
{
    struct sp_launch launch = { .kernel = &loss_total, .check = SP_CHECK(loss, TOTAL, 197, 0, 0, 3) };

    sp_geometry_rows(&launch, device, 1, 1);
    sp_launch_buffer(&launch, args->total);
    sp_launch_buffer(&launch, args->rows);
    sp_launch_int(&launch, args->B);
    sp_launch_float(&launch, args->scale);
    return sp_launch_run(device, &launch);
}

/* The factor on logits; exactly 1 without a temperature. */
static float shrink(float temperature)
{
    return temperature > 0 ? 1.0f / temperature : 1.0f;
}

int sp_cross_entropy(struct sp_device *device, const struct sp_cross_entropy *args)
{
    struct sp_launch launch = { .kernel = &cross_entropy, .check = check_for(args->classes, args->dlogits != NULL) };

    sp_geometry_rows(&launch, device, (size_t)args->B, 8);
    sp_launch_define(&launch, "C", args->classes);
    sp_launch_define(&launch, "GRADIENT", args->dlogits != NULL);
    sp_launch_buffer(&launch, args->dlogits);
    sp_launch_buffer(&launch, args->rows);
    sp_launch_buffer(&launch, args->logits);
    sp_launch_buffer(&launch, args->labels);
    sp_launch_int(&launch, args->B);
    sp_launch_float(&launch, args->smoothing);
    sp_launch_float(&launch, args->scale);
    sp_launch_float(&launch, shrink(args->temperature));
    return sp_launch_run(device, &launch);
}

int sp_squared_error(struct sp_device *device, const struct sp_squared_error *args)
{
    struct sp_launch launch = { .kernel = &squared_error, .check = check_for(0, args->doutput != NULL) };

    sp_geometry_elements(&launch, device, (size_t)args->B);
    sp_launch_define(&launch, "GRADIENT", args->doutput != NULL);
    sp_launch_buffer(&launch, args->doutput);
    sp_launch_buffer(&launch, args->rows);
    sp_launch_buffer(&launch, args->output);
    sp_launch_buffer(&launch, args->targets);
    sp_launch_uint(&launch, (uint32_t)args->B);
    sp_launch_float(&launch, args->scale);
    sp_launch_float(&launch, shrink(args->temperature));
    return sp_launch_run(device, &launch);
}

/* size: B, classes (0 is the squared error), smoothing in percent, largest |logit|, temperature (0: none) */

static const struct sp_op_case cases[] = {
    { .name = "classes 1x2", .size = { 1, 2, 0, 1 }, .tolerance = 2e-6 },
    { .name = "classes 3x2", .size = { 3, 2, 0, 2 }, .tolerance = 2e-6 },
    { .name = "classes 32x2 evaluation", .size = { 32, 2, 0, 3 }, .flags = EVALUATE, .tolerance = 2e-6 },
    { .name = "classes 9x17 smoothed", .size = { 9, 17, 10, 5 }, .tolerance = 2e-6 },
    { .name = "classes 5x17 far apart", .size = { 5, 17, 0, 300 }, .tolerance = 2e-6 },
    { .name = "classes 9x17 smoothed, cooled", .size = { 9, 17, 10, 300, 200 }, .tolerance = 2e-6 },
    { .name = "classes 4x17 NaN", .size = { 4, 17, 10, 3 }, .flags = POISON, .tolerance = 2e-6 },
    { .name = "classes 100x1027 smoothed", .size = { 100, 1027, 5, 3 }, .tolerance = 5e-6 },
    { .name = "classes 4300x17 smoothed", .size = { 4300, 17, 10, 5 }, .tall = true, .tolerance = 2e-6 },
    { .name = "squares 1", .size = { 1, 0, 0, 1 }, .tolerance = 1e-6 },
    { .name = "squares 17, cooled", .size = { 17, 0, 0, 300, 200 }, .tolerance = 2e-6 },
    { .name = "squares 17 NaN", .size = { 17, 0, 0, 3 }, .flags = POISON, .tolerance = 2e-6 },
    { .name = "squares 5003 evaluation", .size = { 5003, 0, 0, 3 }, .flags = EVALUATE, .tolerance = 5e-6 },
    { .name = "squares 5003", .size = { 5003, 0, 0, 3 }, .tolerance = 5e-6 },
    { .name = "total 1", .size = { 1, 0, 0, 3 }, .flags = TOTAL, .tolerance = 1e-6 },
    { .name = "total 17 NaN", .size = { 17, 0, 0, 3 }, .flags = TOTAL | POISON, .tolerance = 1e-6 },
    { .name = "total 5003", .size = { 5003, 0, 0, 3 }, .flags = TOTAL, .tolerance = 2e-6 },
};

/* One row of cross-entropy: the loss, and scale * (softmax - q) / temperature in `gradient`, whose larger term goes to
 * `sizes`. */
static double row_loss(double *gradient, double *sizes, const double *logits, uint32_t label,
                       const struct sp_cross_entropy *args)
{
    double largest = -INFINITY, sum = 0, loss = 0, smoothing = (double)args->smoothing;
    double temperature = args->temperature > 0 ? (double)args->temperature : 1;
    int classes = args->classes;

    for (int k = 0; k < classes; k++)
        largest = fmax(largest, logits[k] / temperature);
    for (int k = 0; k < classes; k++)
        sum += exp(logits[k] / temperature - largest);
    for (int k = 0; k < classes; k++) {
        double softmax, q = smoothing / classes + ((uint32_t)k == label ? 1 - smoothing : 0);

        loss -= q * (logits[k] / temperature - largest - log(sum));
        softmax = exp(logits[k] / temperature - largest) / sum;
        gradient[k] = (double)args->scale * (softmax - q) / temperature;
        sizes[k] = (double)args->scale * fmax(softmax, q) / temperature;
    }
    return loss;
}

static int run_cross_entropy(void *user)
{
    struct sp_cross_entropy *args = user;

    return sp_cross_entropy(sp_buffer_device(args->rows), args);
}

static int run_squared_error(void *user)
{
    struct sp_squared_error *args = user;

    return sp_squared_error(sp_buffer_device(args->rows), args);
}

struct reference {
    double *in, *gradient, *sizes, *rows;
};

/* Inputs, `count` of them, and room for the results. */
static int prepare(struct sp_check *t, const struct sp_op_case *c, struct reference *r, struct sp_buffer **in,
                   size_t count)
{
    r->in = sp_check_input(t, in, count, -c->size[3], c->size[3]);
    r->gradient = sp_check_double(t, count);
    r->sizes = sp_check_double(t, count);
    r->rows = sp_check_double(t, (size_t)c->size[0]);
    if (!r->in || !r->gradient || !r->sizes || !r->rows)
        return SP_ENOMEM;
    if (c->flags & POISON) {
        r->in[count / 2] = NAN;
        SP_TRY(sp_check_input_values(t, in, r->in, count));
    }
    return 0;
}

static int check_classes(struct sp_check *t, const struct sp_op_case *c, uint32_t *labels)
{
    size_t B = (size_t)c->size[0], classes = (size_t)c->size[1];
    struct sp_cross_entropy args = { .B = (int)B, .classes = (int)classes, .smoothing = (float)c->size[2] / 100,
                                     .scale = 1 / (float)B, .temperature = (float)c->size[4] };
    struct reference r;

    SP_TRY(prepare(t, c, &r, &args.logits, B * classes));
    for (size_t b = 0; b < B; b++) {
        labels[b] = sp_rng_u32(1, SP_RNG_INIT, 2, b) % (uint32_t)classes;
        r.rows[b] = row_loss(r.gradient + b * classes, r.sizes + b * classes, r.in + b * classes, labels[b], &args);
    }
    SP_TRY(sp_check_input_words(t, &args.labels, labels, B));
    if (!(c->flags & EVALUATE))
        SP_TRY(sp_check_output(t, &args.dlogits, B * classes));
    SP_TRY(sp_check_output(t, &args.rows, B));
    SP_TRY(sp_check_run(t, run_cross_entropy, &args));
    SP_TRY(sp_check_compare(t, "rows", args.rows, r.rows, B, c->tolerance));
    if (!args.dlogits)
        return 0;
    SP_TRY(sp_check_compare(t, "dlogits", args.dlogits, r.gradient, B * classes, c->tolerance));
    /* of many, most are small */
    return sp_check_compare_each(t, "dlogits", args.dlogits, r.gradient, r.sizes, B * classes, SP_CHECK_WIDE);
}

static int check_squares(struct sp_check *t, const struct sp_op_case *c)
{
    size_t B = (size_t)c->size[0];
    struct sp_squared_error args = { .B = (int)B, .scale = 1 / (float)B, .temperature = (float)c->size[4] };
    double temperature = c->size[4] ? c->size[4] : 1;
    struct reference r;
    double *targets = sp_check_input(t, &args.targets, B, -1, 1);

    SP_TRY(prepare(t, c, &r, &args.output, B));
    if (!targets)
        return SP_ENOMEM;
    for (size_t b = 0; b < B; b++) {
        double d = r.in[b] / temperature - targets[b];

        r.rows[b] = d * d;
        r.gradient[b] = 2 * (double)args.scale * d / temperature;
    }
    if (!(c->flags & EVALUATE))
        SP_TRY(sp_check_output(t, &args.doutput, B));
    SP_TRY(sp_check_output(t, &args.rows, B));
    SP_TRY(sp_check_run(t, run_squared_error, &args));
    SP_TRY(sp_check_compare(t, "rows", args.rows, r.rows, B, c->tolerance));
    return args.doutput ? sp_check_compare(t, "doutput", args.doutput, r.gradient, B, c->tolerance) : 0;
}

static int run_total(void *user)
{
    struct sp_loss_total *args = user;

    return sp_loss_total(sp_buffer_device(args->rows), args);
}

static int check_total(struct sp_check *t, const struct sp_op_case *c)
{
    size_t B = (size_t)c->size[0];
    struct sp_loss_total args = { .B = (int)B, .scale = 1 / (float)B };
    double *rows = sp_check_input(t, &args.rows, B, 0, c->size[3]), sum = 0;

    if (!rows)
        return SP_ENOMEM;
    if (c->flags & POISON) {
        rows[B / 2] = NAN;
        SP_TRY(sp_check_input_values(t, &args.rows, rows, B));
    }
    for (size_t b = 0; b < B; b++)
        sum += rows[b] * (double)args.scale;
    SP_TRY(sp_check_output(t, &args.total, 1));
    SP_TRY(sp_check_run(t, run_total, &args));
    return sp_check_compare(t, "total", args.total, &sum, 1, c->tolerance);
}

static int check_loss(struct sp_check *t, const struct sp_op_case *c)
{
    uint32_t *labels;
    int rc;

    if (c->flags & TOTAL)
        return check_total(t, c);
    if (c->size[1] == 0)
        return check_squares(t, c);
    labels = sp_calloc((size_t)c->size[0], sizeof *labels);
    rc = labels ? check_classes(t, c, labels) : SP_ENOMEM;
    free(labels);
    return rc;
}

const struct sp_op sp_op_loss = {
    .name = "loss", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_loss,
};
