/*
 * What a user's message becomes in the chat form that a template (a file) writes, as speft-cl has it, for comparisons:
 *
 *     show_chat TEMPLATE MESSAGE [SYSTEM]
 */
#include "runtime/base/error.h"
#include "runtime/base/fs.h"
#include "runtime/text/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct sp_buf out = SP_BUF(1 << 20);
    struct sp_chat chat = { 0 };
    char *template = NULL;
    int rc = argc < 3 ? sp_error(SP_EINVAL, "show_chat: see its source") : 0;

    if (rc == 0)
        rc = sp_fs_read(&template, NULL, argv[1], 1 << 20);
    if (rc == 0)
        rc = sp_chat_read(&chat, template, argv[1]);
    if (rc == 0)
        rc = sp_chat_write(&out, &chat, argc > 3 ? argv[3] : NULL, argv[2], strlen(argv[2]));
    if (rc == 0)
        fwrite(out.data, 1, out.length, stdout);
    else
        fprintf(stderr, "%s\n", sp_error_message());
    sp_buf_free(&out);
    sp_chat_release(&chat);
    free(template);
    return rc < 0;
}
