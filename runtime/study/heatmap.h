/* A table of numbers from 0 to 1 as a picture (layer 6): SVG, or characters on a terminal. */
#ifndef SP_STUDY_HEATMAP_H
#define SP_STUDY_HEATMAP_H

#include "runtime/base/buf.h"

#include <stddef.h>

struct sp_heatmap {
    const char *title;
    size_t rows, columns;
    const char *const *row_names, *const *column_names;
    const double *values; /* [rows * columns], NaN where there is nothing */
};

/* Appends one <svg> element. */
int sp_heatmap_svg(struct sp_buf *out, const struct sp_heatmap *map);

/* Appends lines of text: each number with a darker character the larger it is. */
int sp_heatmap_text(struct sp_buf *out, const struct sp_heatmap *map);

#endif
