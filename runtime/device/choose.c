/* Which device a user's words mean. Works on descriptors alone: no driver is called. */
#include "runtime/device/device.h"

#include "runtime/base/buf.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);

    for (; *text; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return length == 0;
}

/* A blank or a bracket alone is part of many names and means none. */
static bool is_word(const char *part)
{
    for (; *part; part++)
        if (isalnum((unsigned char)*part) || (unsigned char)*part >= 0x80)
            return true;
    return false;
}

/* The platform's name is not the vendor's, but people say "vendor:intel" for what Intel's driver
 * shows of any CPU. */
static bool matches(const struct sp_device_info *info, const char *spec)
{
    if (strcasecmp(spec, "cpu") == 0)
        return info->type == SP_DEVICE_CPU;
    if (strcasecmp(spec, "gpu") == 0)
        return info->type == SP_DEVICE_GPU;
    if (strncasecmp(spec, "vendor:", 7) == 0)
        return is_word(spec + 7) && (contains(info->vendor, spec + 7) || contains(info->platform, spec + 7));
    return is_word(spec) && (contains(info->name, spec) || contains(info->platform, spec));
}

static int no_match(const struct sp_device_info *list, size_t count, const char *spec)
{
    struct sp_buf names = SP_BUF(3000);
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = sp_buf_printf(&names, "%s%d: %s (%s)", i ? ", " : "", list[i].index, list[i].name,
                           list[i].platform);
    rc = sp_error(SP_ENOTFOUND,
                  "no device matches \"%s\"; there %s %s. A device is chosen by its number, a part "
                  "of its name, "
                  "\"cpu\", \"gpu\" or \"vendor:NAME\"",
                  spec, count == 1 ? "is" : "are", names.data ? names.data : "none");
    sp_buf_free(&names);
    return rc;
}

int sp_device_choose(size_t *out, const struct sp_device_info *list, size_t count, const char *spec)
{
    long long number;

    if (!spec || !spec[0] || strcasecmp(spec, "auto") == 0) {
        *out = 0;
        for (size_t i = count; i-- > 0;)
            if (list[i].type == SP_DEVICE_GPU)
                *out = i;
        return count ? 0 : no_match(list, count, "auto");
    }
    if (sp_text_int(spec, &number)) {
        for (size_t i = 0; i < count; i++) {
            if (list[i].index == number) {
                *out = i;
                return 0;
            }
        }
        return no_match(list, count, spec);
    }
    for (size_t i = 0; i < count; i++) {
        if (matches(&list[i], spec)) {
            *out = i;
            return 0;
        }
    }
    return no_match(list, count, spec);
}
