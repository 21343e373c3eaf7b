/* Lines of text, as they come from standard input: each is a row of one field, an empty one, too. */
#include "runtime/base/error.h"
#include "runtime/data/reader_priv.h"

#include <string.h>

static int read_line(struct sp_reader *reader, struct sp_row *row, size_t *length, size_t *line_ends)
{
    *line_ends = 0;
    SP_TRY(sp_reader_line(reader, length));
    SP_TRY(sp_reader_check(reader, *length));
    memcpy(reader->bytes, reader->map.data + reader->at, *length);
    reader->bytes[*length] = '\0';
    reader->fields[0] = (struct sp_field){ .text = reader->bytes, .length = *length };
    *row = (struct sp_row){ .fields = reader->fields, .count = 1 };
    return 0;
}

static const char *const extensions[] = { NULL };

const struct sp_data_format sp_data_format_lines = { .name = "lines", .extensions = extensions, .read = read_line };
