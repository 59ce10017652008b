/* Keeps, beside the files of a database, what of them would be there after the power fails.
 *
 * Loaded before the C library (LD_PRELOAD). Whenever a file is flushed to the disk, its content at that moment is copied
 * to the folder POWER_LOSS_FOLDER, under its own name. What was written later, and not flushed, is not in the copy.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends_in(const char *text, const char *end) {
    size_t length = strlen(text), most = strlen(end);
    return length >= most && strcmp(text + length - most, end) == 0;
}

static void keep(int file) {
    const char *folder = getenv("POWER_LOSS_FOLDER");
    char link[64], path[PATH_MAX], made[PATH_MAX * 2], kept[PATH_MAX * 2], part[65536];
    if (folder == NULL) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (!ends_in(path, ".sqlite") && !ends_in(path, "-wal") && !ends_in(path, "-journal")) return;
    const char *name = strrchr(path, '/') + 1;
    snprintf(kept, sizeof kept, "%s/%s", folder, name);
    snprintf(made, sizeof made, "%s/%s.%d", folder, name, (int)gettid());
    int copy = open(made, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (copy < 0) abort(); /* a test without its copy would prove nothing */
    off_t at = 0;
    ssize_t read;
    while ((read = pread(file, part, sizeof part, at)) > 0) {
        if (write(copy, part, read) != read) abort();
        at += read;
    }
    close(copy);
    if (rename(made, kept) != 0) abort();
}

static int flush(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    int result = real(file), error = errno;
    if (result == 0) keep(file);
    errno = error;
    return result;
}

int fsync(int file) { return flush("fsync", file); }
int fdatasync(int file) { return flush("fdatasync", file); }
