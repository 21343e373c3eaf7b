/*
 * Files of other kinds that are called as a data file is: an archive, a table of another format, a site's page. What
 * they are is said, not that a byte of them is no UTF-8.
 */
#include "runtime/data/reader_priv.h"

#include "runtime/base/error.h"

#include <string.h>
#include <strings.h>

struct other {
    const char *bytes; /* the file begins with them, */
    size_t length;
    const char *end; /* and ends with these; NULL: with any */
    const char *is, *advice;
};

#define UNPACK "unpack it: "
#define CONVERT "write its rows as jsonl, in Python: pandas.read_"
#define LINES "(OLD).to_json(NEW, orient=\"records\", lines=True)"

static const struct other others[] = {
    { "\x1F\x8B", 2, NULL, "is compressed by gzip", UNPACK "gzip -dc <OLD >NEW" },
    { "BZh", 3, NULL, "is compressed by bzip2", UNPACK "bzip2 -dc <OLD >NEW" },
    { "\xFD" "7zXZ", 5, NULL, "is compressed by xz", UNPACK "xz -dc <OLD >NEW" },
    { "\x28\xB5\x2F\xFD", 4, NULL, "is compressed by zstd", UNPACK "zstd -dc <OLD >NEW" },
    { "PK\x03\x04", 4, NULL, "is a zip archive, as those of spreadsheets (.xlsx, .ods) are, too",
      UNPACK "unzip OLD; a spreadsheet is saved as CSV UTF-8" },
    { "\xD0\xCF\x11\xE0", 4, NULL, "is an old spreadsheet (.xls) or document", "save it as CSV UTF-8" },
    { "PAR1", 4, "PAR1", "is in the format Parquet", CONVERT "parquet" LINES },
    { "ARROW1", 6, "ARROW1", "is in the format Arrow", CONVERT "feather" LINES },
    { "%PDF-", 5, NULL, "is a PDF", "a data file is text, its rows csv, tsv or jsonl" },
};

static bool is_page(const char *text, size_t size)
{
    static const char *const begins[] = { "<!doctype html", "<html", "<?xml" };

    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (size >= strlen(begins[i]) && strncasecmp(text, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

int sp_reader_refuse_other(const struct sp_reader *reader)
{
    const char *bytes = (const char *)reader->map.data + reader->start;
    size_t size = reader->map.size - reader->start;

    for (const struct other *o = others; o < others + sizeof others / sizeof *others; o++) {
        size_t end = o->end ? strlen(o->end) : 0;
        bool text = strcmp(o->bytes, "BZh") == 0 && (size < 10 || memcmp(bytes + 4, "1AY&SY", 6) != 0);

        if (size >= o->length + end && memcmp(bytes, o->bytes, o->length) == 0 && !text &&
            (!end || memcmp(bytes + size - end, o->end, end) == 0))
            return sp_error(SP_EFORMAT, "%s %s, whatever its name; %s", reader->path, o->is, o->advice);
    }
    while (size && strchr(" \t\r\n", *bytes) && *bytes)
        bytes++, size--;
    while (size && strchr(" \t\r\n", bytes[size - 1]) && bytes[size - 1])
        size--;
    /* not a text in the first row */
    if (reader->format->delimiter && size && bytes[size - 1] == '>' && is_page(bytes, size))
        return sp_error(SP_EFORMAT,
                        "%s is a page in HTML or XML, such as a site's answer in place of the file, whatever its name; "
                        "download the file itself",
                        reader->path);
    return 0;
}
