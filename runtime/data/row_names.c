/*
 * Row names. R's write.table puts the rows' names in front of them and gives that column no name, so that the header
 * has a field less than every row. Where those names are whole numbers, all different, as R counts rows, they are
 * passed over; any other first field may be a part of a text that holds the delimiter, and the file is refused by its
 * second line.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"

#include <jansson.h>

/* Whether the row is one behind a header of so many fields, with a number of its own in front. */
static bool is_named(const struct sp_row *row, size_t header, json_t *seen)
{
    const char *name = row->fields[0].text;
    long long number;

    return row->count == header + 1 && sp_text_int(name, &number) && !json_object_get(seen, name);
}

int sp_row_names_choose(bool *out, struct sp_reader *reader, const struct sp_reader_options *by,
                        const struct sp_dataset_options *options)
{
    size_t header = 0, rows = 0;
    json_t *seen = NULL;
    struct sp_row row;
    int rc = 0;

    *out = false;
    if (!reader->format->delimiter || options->has_header == SP_HEADER_NO)
        return 0;
    seen = json_object();
    reader->any_width = true;
    SP_GO(seen ? sp_reader_restart(reader, by) : sp_error(SP_ENOMEM, "out of memory"));
    while (rows < SP_SAMPLE_ROWS && sp_reader_offset(reader) < SP_SAMPLE_BYTES) {
        rc = sp_reader_next(reader, &row);
        if (rc == SP_EFORMAT || rc == SP_ELIMIT) /* a bad row: whoever reads the file will be told */
            continue;
        if (rc <= 0)
            break;
        if (rows++ == 0) {
            header = row.count;
            continue;
        }
        *out = is_named(&row, header, seen);
        if (!*out)
            break;
        if (json_object_set_new(seen, row.fields[0].text, json_true()) < 0)
            SP_GO(sp_error(SP_ENOMEM, "out of memory"));
    }
out:
    reader->any_width = false;
    json_decref(seen);
    return rc < 0 && rc != SP_EFORMAT && rc != SP_ELIMIT ? rc : 0;
}
