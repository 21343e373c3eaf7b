/* How much the masks of a study's methods have in common: adapters are read back for their positions. */
#include "runtime/study/report_priv.h"

#include "runtime/study/heatmap.h"
#include "runtime/study/overlap.h"
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/train/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SVG_LIMIT ((size_t)16 << 20)

/* The masks of one data set and budget: [entry][seed], path NULL where there is none. */
struct masks {
    const struct sp_study_entry **entries;
    struct sp_positions *positions;
    char **paths;
    size_t count, seeds;
};

static void free_masks(struct masks *m)
{
    for (size_t i = 0; m->positions && m->paths && i < m->count * m->seeds; i++) {
        sp_positions_close(&m->positions[i]);
        free(m->paths[i]);
    }
    free(m->positions);
    free(m->paths);
    free(m->entries);
}

static int open_masks(struct masks *m, const struct sp_study_report *r, size_t data, size_t budget)
{
    *m = (struct masks){ .seeds = r->seed_count };
    m->entries = sp_calloc(r->entry_count, sizeof *m->entries);
    for (size_t i = 0; m->entries && i < r->entry_count; i++)
        if (r->entries[i].data == data && r->entries[i].budget == budget)
            m->entries[m->count++] = &r->entries[i];
    m->positions = sp_calloc(m->count * m->seeds, sizeof *m->positions);
    m->paths = sp_calloc(m->count * m->seeds, sizeof *m->paths);
    if (!m->entries || !m->positions || !m->paths)
        return SP_ENOMEM;
    for (size_t i = 0; i < m->count * m->seeds; i++) {
        const struct sp_study_run *run = sp_study_run_at(r, m->entries[i / m->seeds], r->seeds[i % m->seeds]);

        if (!run || !run->result)
            continue;
        m->paths[i] = sp_fs_join(run->config.output_dir, SP_FILE_ADAPTER);
        if (!m->paths[i])
            return SP_ENOMEM;
        (void)sp_positions_open(&m->positions[i], m->paths[i]); /* full, head, or gone: no positions, shown as a gap */
    }
    return 0;
}

/* The mean Jaccard overlap of two entries with the same seed; of an entry with itself, between its seeds. */
static double mean_overlap(const struct masks *m, size_t a, size_t b)
{
    double sum = 0;
    size_t count = 0;

    for (size_t s = 0; s < m->seeds; s++)
        for (size_t t = a == b ? s + 1 : s; t < (a == b ? m->seeds : s + 1); t++) {
            const struct sp_positions *x = &m->positions[a * m->seeds + s], *y = &m->positions[b * m->seeds + t];

            if (!x->count || !y->count)
                continue;
            sum += sp_overlap_jaccard(sp_overlap_total(x, y));
            count++;
        }
    return count ? sum / (double)count : NAN;
}

static void write_overlaps(struct sp_study_report *r, const char *title, const char *const *names, const double *values,
                           size_t count)
{
    struct sp_heatmap map = { title, count, count, names, names, values };
    struct sp_buf svg = SP_BUF(SVG_LIMIT);

    sp_document_text(&r->d, "%s:", title);
    sp_document_table(&r->d);
    sp_document_cell(&r->d, "method");
    for (size_t i = 0; i < count; i++)
        sp_document_cell(&r->d, "%s", names[i]);
    sp_document_row(&r->d);
    for (size_t i = 0; i < count; i++) {
        sp_document_cell(&r->d, "%s", names[i]);
        for (size_t k = 0; k < count; k++)
            sp_document_number(&r->d, 3, values[i * count + k]);
        sp_document_row(&r->d);
    }
    sp_document_table_end(&r->d);
    if (sp_heatmap_svg(&svg, &map) == 0)
        sp_document_figure(&r->d, svg.data);
    sp_buf_free(&svg);
}

static int overlap_at(struct sp_study_report *r, size_t data, size_t budget)
{
    struct masks m = { .count = 0 };
    const char **names = NULL;
    double *values = NULL;
    char title[256];
    size_t shown = 0;
    int rc;

    SP_GO(open_masks(&m, r, data, budget));
    for (size_t i = 0; i < m.count; i++) { /* those that have positions move to the front */
        bool any = false;

        for (size_t s = 0; s < m.seeds; s++)
            any = any || m.positions[i * m.seeds + s].count;
        if (!any)
            continue;
        for (size_t s = 0; s < m.seeds && shown < i; s++) {
            struct sp_positions keep = m.positions[shown * m.seeds + s];

            m.positions[shown * m.seeds + s] = m.positions[i * m.seeds + s];
            m.positions[i * m.seeds + s] = keep;
        }
        m.entries[shown++] = m.entries[i];
    }
    names = sp_calloc(shown, sizeof *names);
    values = sp_calloc(shown * shown, sizeof *values);
    SP_GO(names && values ? 0 : SP_ENOMEM);
    for (size_t i = 0; i < shown; i++) {
        names[i] = sp_study_method_name(r->study, m.entries[i]->method);
        for (size_t k = 0; k < shown; k++)
            values[i * shown + k] = mean_overlap(&m, i, k);
    }
    snprintf(title, sizeof title, "%s%s%s", sp_study_data_name(r->study, data), budget == SP_STUDY_NONE ? "" : ", ",
             budget == SP_STUDY_NONE ? "" : r->study->budgets[budget].label);
    if (shown)
        write_overlaps(r, title, names, values, shown);
out:
    free(names);
    free(values);
    free_masks(&m);
    return rc;
}

int sp_study_report_overlaps(struct sp_study_report *r)
{
    sp_document_heading(&r->d, "Overlap of the masks");
    sp_document_text(&r->d, "Jaccard: positions that two adapters of the same seed both have, among those that either "
                            "has; the mean over the seeds. On the diagonal: between the seeds of one method.");
    for (size_t data = 0; data < r->study->data_count; data++) {
        for (size_t b = 0; b < r->study->budget_count; b++)
            SP_TRY(overlap_at(r, data, b));
        SP_TRY(overlap_at(r, data, SP_STUDY_NONE));
    }
    return 0;
}
