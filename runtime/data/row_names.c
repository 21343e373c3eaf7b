/*
 * Row names. R's write.table puts the rows' names in front of them and gives that column no name, so that the header
 * has a field less than every row. The same has a file whose header is whole and whose rows hold one delimiter too
 * many, of a text (good, but long) or a number (3,5): to shift its columns would be to learn from halves of them. Names
 * are passed over where they are numbers, all different, and R's: in quotes, as it writes them where it is not told
 * otherwise; or counting from 1; or behind a tab, which stands in no text or number; or behind another delimiter than a
 * comma, where no blank follows it in most rows, or training's file was such a one. Without quotes that is told as a
 * doubt. A last field that is empty in every row is a delimiter at the rows' ends, which the header lacks. Against
 * them, where they are not in quotes, speak
 *  - a header whose first name is that of such numbers ("id"), where the field that it would be for is none;
 *  - a blank before a field of most rows, that behind the comma of a text;
 *  - two whole numbers side by side in every row, the halves of one with a decimal comma, where the header's first name
 *    is none that data sets give to texts and labels, and so may be that of the numbers in front.
 * What is passed over for none of these is refused by its second line.
 */
#include "runtime/data/layout.h"

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/data/reader_priv.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

/* What the header says, and the rows behind it. */
struct rows {
    size_t header; /* its fields; */
    bool id, known; /* the first is called as numbers of rows are, as data sets call their columns; */
    bool blank;     /* a blank stands before one of the others */
    size_t count, bare, filled; /* rows; those whose name is not in quotes, whose last field is not empty, */
    size_t spaced, ids;         /* that have a blank before a field; whose second field may be an id as well */
    bool counting;      /* their names are 1, 2, 3, ... */
    size_t halves;      /* fields that may be the first half of a decimal number in every row, one bit for each */
    json_t *seen;
};

/* Whether a word of a column's name says that it numbers its rows: "id", "review_id", "PhraseId", "lfd. Nr.". */
static bool is_id_name(const char *name)
{
    static const char *const words[] = { "id",  "ids",    "idx",     "index",  "nr",   "no",  "num", "number", "guid",
                                         "uid", "uuid",   "nummer",  "numero", "row",  "key", "n",   "unnamed", NULL };
    bool any = false;

    for (size_t length; *name; name += length) {
        length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        length += strspn(name + length, "abcdefghijklmnopqrstuvwxyz");
        any |= length > 0;
        for (const char *const *word = words; length && *word; word++)
            if (strlen(*word) == length && strncasecmp(name, *word, length) == 0)
                return true;
        length += length == 0;
    }
    return !any; /* "#", or nothing */
}

size_t sp_row_names_halves(const struct sp_field *fields, size_t count)
{
    size_t halves = 0;

    for (size_t i = 1; i + 1 < count && i < 8 * sizeof halves; i++) {
        const char *whole = fields[i].text + (fields[i].text[0] == '-'), *part = fields[i + 1].text;

        if (whole[0] && part[0] && !whole[strspn(whole, "0123456789")] && !part[strspn(part, "0123456789")])
            halves |= (size_t)1 << i;
    }
    return halves;
}

bool sp_row_names_is_number(const struct sp_field *field)
{
    const char *text = field->text + strspn(field->text, "\"");
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && !text[digits + strspn(text + digits, "\"")];
}

static bool has_blank(const struct sp_row *row)
{
    for (size_t i = 1; i < row->count; i++)
        if (row->fields[i].spaced)
            return true;
    return false;
}

static void look_at_header(struct rows *r, const struct sp_row *row, const struct sp_dataset_options *options)
{
    const char *first = row->fields[0].text;

    r->header = row->count;
    r->id = is_id_name(first);
    r->known = sp_header_is_known(first, options);
    r->blank = has_blank(row);
}

/* Whether the row is one behind such a header, with a number of its own in front. */
static bool look_at(struct rows *r, const struct sp_row *row)
{
    const struct sp_field *name = &row->fields[0], *second = &row->fields[1];
    size_t halves = sp_row_names_halves(row->fields, row->count);
    long long number;

    if (row->count != r->header + 1 || !sp_text_int(name->text, &number) || json_object_get(r->seen, name->text))
        return false;
    r->counting = (r->count == 0 || r->counting) && number == (long long)r->count + 1;
    r->count++;
    r->bare += !name->quoted;
    r->filled += row->fields[row->count - 1].length > 0;
    r->spaced += has_blank(row);
    r->ids += strpbrk(second->text, "0123456789") && !sp_sample_is_text(second->text, second->length);
    r->halves = r->count == 1 ? halves : r->halves & halves;
    return true;
}

/* Whether the numbers are names, not a column's that the header has a name for. */
static bool are_names(const struct rows *r, char delimiter, const struct sp_data_layout *trained)
{
    if (r->filled == 0 || r->bare == 0)
        return r->filled > 0;
    if (r->id && r->ids < r->count)
        return false;
    if (delimiter == '\t')
        return true;
    if (delimiter != ',')
        return 2 * r->spaced <= r->count || r->counting ||
               (trained && trained->header && trained->columns == r->header + 1);
    return r->counting && (r->blank || 2 * r->spaced <= r->count) && (!r->halves || (r->known && !r->id));
}

int sp_row_names_choose(bool *out, bool *sure, struct sp_reader *reader, const struct sp_reader_options *by,
                        const struct sp_dataset_options *options)
{
    struct rows r = { .seen = NULL };
    bool named = true, header = false;
    struct sp_row row;
    int rc = 0;

    *out = *sure = false;
    if (!reader->format->delimiter || options->has_header == SP_NO)
        return 0;
    r.seen = json_object();
    reader->any_width = true;
    SP_GO(r.seen ? sp_reader_restart(reader, by) : sp_error(SP_ENOMEM, "out of memory"));
    while (named && r.count < SP_SAMPLE_ROWS && sp_reader_offset(reader) < SP_SAMPLE_BYTES) {
        rc = sp_reader_next(reader, &row);
        if (rc == SP_EFORMAT || rc == SP_ELIMIT) /* a bad row: whoever reads the file will be told */
            continue;
        if (rc <= 0)
            break;
        if (!header) {
            look_at_header(&r, &row, options);
            header = true;
            continue;
        }
        named = look_at(&r, &row);
        if (named && json_object_set_new(r.seen, row.fields[0].text, json_true()) < 0)
            SP_GO(sp_error(SP_ENOMEM, "out of memory"));
    }
    *out = named && are_names(&r, reader->delimiter, options->remembered);
    *sure = r.bare == 0;
out:
    reader->any_width = false;
    json_decref(r.seen);
    return rc < 0 && rc != SP_EFORMAT && rc != SP_ELIMIT ? rc : 0;
}
