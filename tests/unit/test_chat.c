/* Chat forms: ChatML's templates as models have them, their system messages, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/text/chat.h"

#include <stdlib.h>
#include <string.h>

/* The known templates that are short enough to stand here, n being how a line end is spelt in them. */
#define TURNS(n)                                                                                                       \
    "{{'<|im_start|>' + message['role'] + '" n "' + message['content'] + '<|im_end|>' + '" n "'}}{% endfor %}"        \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant" n "' }}{% endif %}"
#define LOOP "{% for message in messages %}"
#define FIRST(n, system)                                                                                               \
    "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system" n system "<|im_end|>" n            \
    "' }}{% endif %}"

/* What the user's message "hi" becomes. */
static void check(const char *template, const char *system, const char *expected)
{
    struct sp_buf out = SP_BUF(1 << 16);
    struct sp_chat chat;

    if (sp_chat_read(&chat, template, "file") < 0)
        fail_msg("%s", sp_error_message());
    assert_int_equal(sp_chat_write(&out, &chat, system, "hi", 2), 0);
    assert_int_equal(out.length, strlen(expected));
    assert_memory_equal(out.data, expected, out.length);
    sp_buf_free(&out);
    sp_chat_release(&chat);
}

static void test_templates(void **state)
{
    /* as Qwen2, SmolLM2, whose quotes hold line ends, and many others have it */
    static const char qwen[] = LOOP FIRST("\\n", "Of \\\\use{}.") TURNS("\\n");
    static const char smol[] = LOOP FIRST("\n", "Be of use.") TURNS("\n") "\n";
    static const char plain[] = LOOP TURNS("\\n");
    static const char guarded[] = "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
                                  "{% endif %}" LOOP TURNS("\n");

    (void)state;
    check(qwen, NULL,
          "<|im_start|>system\nOf \\use{}.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(smol, NULL,
          "<|im_start|>system\nBe of use.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(smol, "Other.",
          "<|im_start|>system\nOther.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(smol, "", "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(plain, NULL, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(guarded, NULL, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
}

static void test_refused(void **state)
{
    static const struct {
        const char *template, *why;
    } others[] = {
        { "", "not ChatML" },
        { "[INST] {{ messages[0]['content'] }} [/INST]", "not ChatML" },
        { "<|im_start|>user<|im_sep|>{{ m }}<|im_end|><|im_start|>assistant<|im_sep|>", "it may add to it" },
        /* what is put in front, done to a message, or begins the answer */
        { "{{ bos_token }}" LOOP TURNS("\\n"), "it may add to it" },
        { LOOP "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n'}}"
               "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
          "it may add to it" },
        { LOOP TURNS("\\n") "{{ '<think>' }}", "it may add to it" },
        { LOOP TURNS("\\n") "\n\n", "it may add to it" },
        /* a line end where no quote makes one of it */
        { LOOP "\\n" TURNS("\\n"), "it may add to it" },
    };
    struct sp_chat chat;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(sp_chat_read(&chat, others[i].template, "the file"), SP_EFORMAT);
        assert_non_null(strstr(sp_error_message(), "the file: "));
        assert_non_null(strstr(sp_error_message(), others[i].why));
    }
}

/* "chat_template" in each of its forms. */
static void test_configs(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        { "{\"chat_template\": \"" LOOP TURNS("\\\\n") "\"}", 0 },
        { "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"no\"}, {\"name\": \"default\", \"template\": "
          "\"" LOOP TURNS("\\\\n") "\"}]}",
          0 },
        { "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"<|im_start|>assistant<|im_end|>\"}]}",
          SP_ENOTFOUND },
        { "{\"chat_template\": 3}", SP_ENOTFOUND },
        { "{\"chat_template\": null}", SP_ENOTFOUND },
        { "{}", SP_ENOTFOUND },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *config = json_loads(cases[i].text, 0, NULL);
        struct sp_chat chat;

        assert_non_null(config);
        assert_int_equal(sp_chat_of_config(&chat, config, "file"), cases[i].rc);
        sp_chat_release(&chat);
        json_decref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_configs),
    };

    return cmocka_run_group_tests_name("chat", tests, NULL, NULL);
}
