/* A disk that fails: while there is a file at FLUSHES_FAIL, nothing of a database can be flushed to it (EIO).
 *
 * Loaded before the C library (LD_PRELOAD).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int file) {
    const char *sign = getenv("FLUSHES_FAIL");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (sign == NULL || length < 0 || access(sign, F_OK) != 0) return 0;
    path[length] = 0;
    return strstr(path, ".sqlite") != NULL;
}

static int flush(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (!fails(file)) return real(file);
    errno = EIO;
    return -1;
}

int fsync(int file) { return flush("fsync", file); }
int fdatasync(int file) { return flush("fdatasync", file); }
