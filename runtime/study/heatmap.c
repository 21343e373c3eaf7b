#include "runtime/study/heatmap.h"

#include "runtime/study/document.h"
#include "runtime/base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CELL_WIDTH 48
#define CELL_HEIGHT 24
#define LETTER 7.2 /* pixels of a letter, to make room for the names */

static size_t longest(const char *const *names, size_t count)
{
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        length = sp_document_width(names[i]) > length ? sp_document_width(names[i]) : length;
    return length;
}

static int write_name(struct sp_buf *out, const char *name, double x, double y, const char *attributes)
{
    SP_TRY(sp_buf_printf(out, "<text x=\"%.0f\" y=\"%.0f\"%s>", x, y, attributes));
    SP_TRY(sp_document_escape(out, name));
    return sp_buf_puts(out, "</text>\n");
}

/* White at 0, dark blue at 1. */
static int write_cell(struct sp_buf *out, double value, double x, double y)
{
    double part = fmin(1, fmax(0, value));
    int red = (int)lround(255 - part * 247), green = (int)lround(255 - part * 207),
        blue = (int)lround(255 - part * 148);

    if (isnan(value))
        return sp_buf_printf(out, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" fill=\"#eee\"/>\n", x, y,
                             CELL_WIDTH - 1, CELL_HEIGHT - 1);
    return sp_buf_printf(out,
                         "<rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" fill=\"#%02x%02x%02x\"/>"
                         "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\" fill=\"%s\">%.2f</text>\n",
                         x, y, CELL_WIDTH - 1, CELL_HEIGHT - 1, (unsigned)red, (unsigned)green, (unsigned)blue,
                         x + CELL_WIDTH / 2.0, y + 16, part > 0.5 ? "#fff" : "#222", value);
}

int sp_heatmap_svg(struct sp_buf *out, const struct sp_heatmap *map)
{
    double left = 12 + LETTER * (double)longest(map->row_names, map->rows);
    double slant = LETTER * 0.71 * (double)longest(map->column_names, map->columns); /* names lean at 45 degrees */
    double top = 44 + slant, grid = left + (double)map->columns * CELL_WIDTH + slant;
    double width = fmax(grid, LETTER * (double)strlen(map->title) + 12),
           height = top + (double)map->rows * CELL_HEIGHT + 8;
    char turn[96];

    SP_TRY(sp_buf_printf(out,
                         "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
                         "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\">\n",
                         width, height, width, height));
    SP_TRY(write_name(out, map->title, 6, 18, " font-weight=\"bold\""));
    for (size_t c = 0; c < map->columns; c++) {
        double x = left + ((double)c + 0.5) * CELL_WIDTH;

        snprintf(turn, sizeof turn, " transform=\"rotate(-45 %.0f %.0f)\"", x, top - 6);
        SP_TRY(write_name(out, map->column_names[c], x, top - 6, turn));
    }
    for (size_t r = 0; r < map->rows; r++) {
        double y = top + (double)r * CELL_HEIGHT;

        SP_TRY(write_name(out, map->row_names[r], left - 6, y + 16, " text-anchor=\"end\""));
        for (size_t c = 0; c < map->columns; c++)
            SP_TRY(write_cell(out, map->values[r * map->columns + c], left + (double)c * CELL_WIDTH, y));
    }
    return sp_buf_puts(out, "</svg>\n");
}

int sp_heatmap_text(struct sp_buf *out, const struct sp_heatmap *map)
{
    static const char ramp[] = " .:-=+*#%@";
    int names = (int)longest(map->row_names, map->rows);

    SP_TRY(sp_buf_printf(out, "%s\n%*s", map->title, names, ""));
    for (size_t c = 0; c < map->columns; c++) {
        SP_TRY(sp_buf_puts(out, "  "));
        SP_TRY(sp_document_pad(out, map->column_names[c], 7));
    }
    SP_TRY(sp_buf_puts(out, "\n"));
    for (size_t r = 0; r < map->rows; r++) {
        SP_TRY(sp_document_pad(out, map->row_names[r], -names));
        for (size_t c = 0; c < map->columns; c++) {
            double value = map->values[r * map->columns + c];
            int width = (int)sp_document_width(map->column_names[c]), shade = (int)(fmin(1, fmax(0, value)) * 9.999);

            width = width > 7 ? width - 7 : 0;
            if (isnan(value))
                SP_TRY(sp_buf_printf(out, "  %*s", 7 + width, "-"));
            else
                SP_TRY(sp_buf_printf(out, "  %*s%.2f %c%c", width, "", value, ramp[shade], ramp[shade]));
        }
        SP_TRY(sp_buf_puts(out, "\n"));
    }
    return 0;
}
