#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/data/reader_priv.h"

#include <string.h>

#define KEY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

bool sp_reader_is_key(const char *key)
{
    return key[strspn(key, KEY_CHARACTERS)] == '\0' && key[0] && !strchr("0123456789", key[0]);
}

/* Why the line is no JSON. An object that only begins on it is one of a file that was printed over lines, or was cut.
 * */
static int not_json(const struct sp_reader *reader, const char *text, size_t length)
{
    json_error_t error;
    json_t *value = json_loadb(text, length, 0, &error);
    bool begins = !value && text[0] == '{' && json_error_code(&error) == json_error_premature_end_of_input;

    json_decref(value);
    if (!value && text[0] == '{' && text[1 + strspn(text + 1, " ")] == '\'')
        return sp_reader_fail(reader, SP_EFORMAT,
                              "not JSON but what Python prints of a dict, with '...' in place of \"...\"; write the "
                              "rows with json.dumps");
    if (!begins)
        return SP_EFORMAT;
    return sp_reader_fail(reader, SP_EFORMAT,
                          "a JSON object that does not end on its line; one object a line is expected: jq -c . makes "
                          "that of a file that is printed over several");
}

static int read_object(struct sp_reader *reader, struct sp_row *row, size_t *length,
                       size_t *line_ends)
{
    const char *text = (const char *)reader->map.data + reader->at;
    int rc;

    json_decref(reader->object);
    reader->object = NULL;
    *line_ends = 0;
    SP_TRY(sp_reader_line(reader, length));
    SP_TRY(sp_reader_check(reader, *length));
    if (text[0] == '[')
        return sp_reader_fail(reader, SP_EFORMAT,
                              "a JSON array, where one object a line is expected; jq -c '.[]' "
                              "makes one of the other");
    rc = sp_json_parse(&reader->object, text, *length, reader->path, reader->line, true);
    if (rc == SP_EFORMAT)
        rc = not_json(reader, text, *length);
    /* which may hold texts that begin so */
    if (rc == SP_EFORMAT && strcmp(reader->path, SP_READER_STANDARD_INPUT) == 0)
        rc = sp_error(rc,
                      "%s. It is read as jsonl, as its first line begins with \"{\"; where that is a text, give the "
                      "texts as jsonl, {\"text\": \"...\"} a line, or in a csv file",
                      sp_error_message());
    SP_TRY(rc);
    if (!sp_json_is_object(reader->object))
        return sp_reader_fail(reader, SP_EFORMAT,
                              "not a JSON object; one object a line is expected");
    *row = (struct sp_row){ .object = reader->object };
    return 0;
}

static const char *const extensions[] = { ".jsonl", ".json", NULL };

const struct sp_data_format sp_data_format_jsonl = {
    .name = "jsonl", .extensions = extensions, .blank = " \t\r", .read = read_object
};
