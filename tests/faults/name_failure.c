/* A resolver of names that fails while a file exists.
 *
 * Loaded before the C library (LD_PRELOAD). While there is a file at NAMES_FAIL, no name is found, as where no name server
 * answers; addresses are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *file = getenv("NAMES_FAIL");
    int numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
    if (file != NULL && !numeric && node != NULL && access(file, F_OK) == 0) {
        struct addrinfo only = {.ai_flags = AI_NUMERICHOST};
        struct addrinfo *address = NULL;
        if (real(node, NULL, &only, &address) != 0) return EAI_AGAIN;
        freeaddrinfo(address);
    }
    return real(node, service, hints, found);
}
