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

#define TURNS                                                                                                          \
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"            \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

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
    /* as SmolLM2 and Qwen2 have it, as Qwen2.5, whose first mention is followed by an expression, and without any */
    static const char first[] = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
                                "{{ '<|im_start|>system\\nBe of use.<|im_end|>\\n' }}{% endif %}" TURNS;
    static const char tools[] = "{%- if tools %}{{- '<|im_start|>system\\n' }}{{- messages[0]['content'] }}{%- else %}"
                                "{{- '<|im_start|>system\\nYou are Q. Help.<|im_end|>\\n' }}{%- endif %}"
                                "{%- for message in messages %}" TURNS;
    static const char plain[] = "{% for message in messages %}" TURNS;

    (void)state;
    check(first, NULL,
          "<|im_start|>system\nBe of use.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(first, "Other.",
          "<|im_start|>system\nOther.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(tools, NULL,
          "<|im_start|>system\nYou are Q. Help.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    check(plain, NULL, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
}

static void test_refused(void **state)
{
    static const char phi[] = "<|im_start|>user<|im_sep|>{{ m }}<|im_end|><|im_start|>assistant<|im_sep|>";
    static const char *const others[] = { "", "[INST] {{ messages[0]['content'] }} [/INST]", phi };
    struct sp_chat chat;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(sp_chat_read(&chat, others[i], "the file"), SP_EFORMAT);
        assert_non_null(strstr(sp_error_message(), "the file: "));
        assert_non_null(strstr(sp_error_message(), "not ChatML"));
    }
}

/* "chat_template" in each of its forms. */
static void test_configs(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        { "{\"chat_template\": \"<|im_start|>assistant<|im_end|>\"}", 0 },
        { "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"no\"}, {\"name\": \"default\", \"template\": "
          "\"<|im_start|>assistant<|im_end|>\"}]}",
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
