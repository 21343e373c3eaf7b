#include "runtime/text/chat.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>

#define START "<|im_start|>"
#define TEMPLATE_LIMIT ((size_t)1 << 20)

/* ChatML's pieces as templates spell them, each of which there must be. */
static const char *const chatml[] = { START, SP_CHATML_END, "assistant" };

/* What only templates of other forms have, though they share ChatML's marks: Phi-4's, for one. */
static const char *const others[] = { "<|im_sep|>" };

static bool is_chatml(const char *template)
{
    bool is = true;

    for (size_t i = 0; i < sizeof chatml / sizeof *chatml; i++)
        is &= strstr(template, chatml[i]) != NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        is &= strstr(template, others[i]) == NULL;
    return is;
}

/* The template's own system message: literal text behind START "system\n", spelt with a backslash or not, where no
 * expression is put together with it. Of several, as Qwen2.5's template has for tools, all are the same. */
static int find_system(char **out, const char *template)
{
    static const char *const heads[] = { START "system\\n", START "system\n" };

    *out = NULL;
    for (size_t i = 0; i < sizeof heads / sizeof *heads && !*out; i++)
        for (const char *at = template; (at = strstr(at, heads[i])) && !*out;) {
            size_t length;

            at += strlen(heads[i]);
            length = strcspn(at, "<'\"{}\\");
            if (length && strncmp(at + length, SP_CHATML_END, strlen(SP_CHATML_END)) == 0) {
                *out = sp_strndup(at, length);
                SP_TRY(*out ? 0 : SP_ENOMEM);
            }
        }
    return 0;
}

int sp_chat_read(struct sp_chat *out, const char *template, const char *file)
{
    *out = (struct sp_chat){ 0 };
    if (!is_chatml(template))
        return sp_error(SP_EFORMAT,
                        "%s: the chat template begins \"%.60s\", which is not ChatML (%s, %s), the only chat form that "
                        "this version knows: write the prompt as the model expects it, and leave --chat out",
                        file, template, START, SP_CHATML_END);
    return find_system(&out->system, template);
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
                    "%s has no chat template: leave --chat out, or take a model that was made for conversations", path);
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
