#include "runtime/text/chat.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/hash.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>

#define START "<|im_start|>"
#define TEMPLATE_LIMIT ((size_t)1 << 20)

/* Templates that write exactly ChatML where a conversation is a user's message after a system's or none: the SHA-256
 * of their canonical text, by tests/tools/chat_forms.py, which has each render such conversations. A template is a
 * program: one that is not among them may trim, add a date, or begin the answer with <think>, and is refused. */
static const struct {
    const char *name, *digest;
} forms[] = {
    { "ChatML", "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3" },
    { "ChatML, guarded", "58c1a1f04baa7adaeaba1f90267c3d57d9396f0c1f0129bdde9e76d3c6784af7" },
    { "SmolLM2, Qwen2", "bf0c34b1af07f37d86dd9c6624d1a8d02574b3d3e5c158356534cb7ffa44add3" },
    { "Qwen2.5", "0b13fb322ccd9216b4b6ff11bc10d39f5919ca11ef9ef26b2470497a8dd15fa7" },
    { "Qwen3", "edcd73b0e30a780c1d6f3e060c07396def3c3fa55a2c55197b10f99d1dde83e1" },
    { "Qwen3-Instruct-2507", "aa39eed4cbfdd57aeaab518e83d06945f00df6afefba6eb985b6b85060cade95" },
    { "Qwen3, unsloth's", "483b4faebed5bad1da18c75a23ac02a60a94fb2e2ec572fc3de26f1d71509452" },
    { "Qwen3-Instruct-2507, unsloth's", "3e74079c9038f3dab7ce355909ae868b7504d39fa6e826492239dee55418d10c" },
};

/* The template with what is written \n and \\ in its quotes as the character that it is, less a last line end, which
 * Jinja drops. */
static int canonical(struct sp_buf *out, const char *template)
{
    size_t length = strlen(template);
    bool code = false;
    char quote = 0;

    if (length && template[length - 1] == '\n')
        length--;
    for (const char *at = template, *end = template + length; at < end; at++) {
        char c = *at;

        if (quote && c == '\\' && at + 1 < end) {
            at++;
            if (*at != 'n' && *at != '\\')
                SP_TRY(sp_buf_append(out, "\\", 1));
            c = *at == 'n' ? '\n' : *at;
        } else if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (code) {
            quote = c == '\'' || c == '"' ? c : 0;
            code = !((c == '%' || c == '}') && at + 1 < end && at[1] == '}');
        } else {
            code = c == '{' && at + 1 < end && (at[1] == '{' || at[1] == '%');
        }
        SP_TRY(sp_buf_append(out, &c, 1));
    }
    return sp_buf_append(out, "", 1);
}

/* The template's own system message: what is quoted whole behind START "system\n"; *length 0: none. */
static const char *find_system(size_t *length, const char *canonical)
{
    static const char head[] = START "system\n";

    for (const char *at = canonical; (at = strstr(at, head)) != NULL;) {
        const char *end;

        at += strlen(head);
        end = strstr(at, SP_CHATML_END);
        if (end && end > at && strcspn(at, "'\"") > (size_t)(end - at)) {
            *length = (size_t)(end - at);
            return at;
        }
    }
    *length = 0;
    return NULL;
}

/* Of the canonical text without the system message, wherever it is repeated: of all models that differ in it alone. */
static void digest(char hex[SP_HASH_HEX], const char *canonical, const char *system, size_t length)
{
    struct sp_hash hash;

    sp_hash_init(&hash);
    for (const char *at = canonical; *at;) {
        bool repeated = length && strncmp(at, system, length) == 0;

        if (!repeated)
            sp_hash_update(&hash, at, 1);
        at += repeated ? length : 1;
    }
    sp_hash_final(&hash, hex);
}

static bool is_known(const char *hex)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].digest, hex) == 0)
            return true;
    return false;
}

int sp_chat_read(struct sp_chat *out, const char *template, const char *file)
{
    struct sp_buf text = SP_BUF(TEMPLATE_LIMIT + 1);
    const char *system;
    char hex[SP_HASH_HEX];
    size_t length;
    int rc;

    *out = (struct sp_chat){ 0 };
    SP_GO(canonical(&text, template));
    system = find_system(&length, text.data);
    digest(hex, text.data, system, length);
    if (!is_known(hex))
        SP_GO(sp_error(SP_EFORMAT,
                       "%s: the chat template begins \"%.60s\", which is not %s: write the prompt as the model expects "
                       "it, and leave --chat, or template: model, out",
                       file, template,
                       strstr(template, START)
                           ? "one of those that are known to write ChatML and nothing else (SmolLM2's, Qwen2's, "
                             "Qwen2.5's, Qwen3's); it may add to it, or change the message"
                           : "ChatML (" START ", " SP_CHATML_END "), the only chat form that this version knows"));
    if (system) {
        out->system = sp_strndup(system, length);
        rc = out->system ? 0 : SP_ENOMEM;
    }
out:
    sp_buf_free(&text);
    return rc;
}

/* "chat_template": a text, or a list of {"name", "template"}. */
static const char *template_of(const json_t *config)
{
    const json_t *value = sp_json_member(config, "chat_template"), *item;
    size_t i;

    if (!json_is_array(value))
        return json_string_value(value);
    json_array_foreach (value, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));

        if (name && strcmp(name, "default") == 0)
            return json_string_value(json_object_get(item, "template"));
    }
    return NULL;
}

int sp_chat_of_config(struct sp_chat *out, const json_t *config, const char *path)
{
    const char *template = template_of(config);

    *out = (struct sp_chat){ 0 };
    if (template)
        return sp_chat_read(out, template, path);
    return sp_error(SP_ENOTFOUND,
                    "%s has no chat template: leave --chat, or template: model, out, or take a model that was made for "
                    "conversations",
                    path);
}

int sp_chat_load(struct sp_chat *out, const char *model_dir)
{
    char *own = sp_fs_join(model_dir, "chat_template.jinja"), *file = sp_fs_join(model_dir, "tokenizer_config.json");
    char *text = NULL;
    json_t *config = NULL;
    int rc = own && file ? 0 : SP_ENOMEM;

    if (rc == 0 && sp_fs_exists(own)) {
        rc = sp_fs_read(&text, NULL, own, TEMPLATE_LIMIT);
        if (rc == 0)
            rc = sp_chat_read(out, text, own);
    } else if (rc == 0) {
        rc = sp_fs_exists(file) ? sp_json_load(&config, file, TEMPLATE_LIMIT) : 0;
        if (rc == 0)
            rc = sp_chat_of_config(out, config, config ? file : model_dir);
    }
    json_decref(config);
    free(text);
    free(file);
    free(own);
    return rc;
}

void sp_chat_release(struct sp_chat *chat)
{
    free(chat->system);
    chat->system = NULL;
}

int sp_chat_write(struct sp_buf *out, const struct sp_chat *chat, const char *system, const char *user, size_t length)
{
    const char *said = system ? system : chat->system;

    if (said)
        SP_TRY(sp_buf_printf(out, START "system\n%s" SP_CHATML_END "\n", said));
    SP_TRY(sp_buf_printf(out, START "user\n"));
    SP_TRY(sp_buf_append(out, user, length));
    return sp_buf_printf(out, SP_CHATML_END "\n" START "assistant\n");
}
