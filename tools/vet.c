/* runnel vet: the checks are a program of their own, since they need libclang; see tools/vet/. */
#define _GNU_SOURCE 1
#include "tool.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_vet(int argc, char **argv)
{
    struct list l = {0};
    char *dir = own_dir(), *root = source_tree();
    char *beside = text("%s/runnel-vet", dir), *installed = text("%s/../%s/runnel/runnel-vet", dir, RN_LIBEXECDIR);
    list_add(&l, access(beside, X_OK) == 0 ? beside : installed);
    list_add(&l, "-runnel-include");
    list_add(&l, root ? text("%s/include", root) : text("%s/../%s", dir, RN_INCLUDEDIR));
    for (int i = 1; i < argc; i++)
        list_add(&l, argv[i]);
    execv(l.at[0], l.at);
    if (errno == ENOENT)
        die(STATUS_FAILED,
            "vet was not built here: it needs libclang (apt-get install libclang-dev); then build runnel again");
    die(STATUS_FAILED, "can't run %s: %s", l.at[0], strerror(errno));
}
