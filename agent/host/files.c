#include "agent/host/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool gp_host_path(const char *root, const char *path, char to[GP_HOST_PATH_MAX])
{
    int n = snprintf(to, GP_HOST_PATH_MAX, "%s%s", root, path);
    return n >= 0 && n < GP_HOST_PATH_MAX;
}

gp_host_file_t gp_host_file_open(const char *root, const char *path)
{
    char full[GP_HOST_PATH_MAX];
    gp_host_file_t file = {.fd = -1};
    if (gp_host_path(root, path, full)) {
        file.fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    return file;
}

bool gp_host_file_read(const gp_host_file_t *file, char *text, size_t size)
{
    size_t used = 0;
    assert(size > 0);
    text[0] = '\0';
    if (file->fd < 0) {
        return false;
    }
    while (used + 1 < size) {
        ssize_t n = pread(file->fd, text + used, size - 1 - used, (off_t)used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            text[0] = '\0';
            return false;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    text[used] = '\0';
    if (used > 0 && text[used - 1] == '\n') {
        text[used - 1] = '\0';
    }
    return true;
}

void gp_host_file_close(gp_host_file_t *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    file->fd = -1;
}

bool gp_host_read(const char *root, const char *path, char *text, size_t size)
{
    gp_host_file_t file = gp_host_file_open(root, path);
    bool done = gp_host_file_read(&file, text, size);
    gp_host_file_close(&file);
    return done;
}

bool gp_host_read_number(const char *root, const char *path, uint64_t *ret)
{
    char text[64];
    const char *at = text;
    return gp_host_read(root, path, text, sizeof text) && gp_host_scan(&at, ret) && *at == '\0';
}

bool gp_host_exists(const char *root, const char *path)
{
    char full[GP_HOST_PATH_MAX];
    return gp_host_path(root, path, full) && access(full, F_OK) == 0;
}

bool gp_host_writable(const char *root, const char *path)
{
    char full[GP_HOST_PATH_MAX];
    return gp_host_path(root, path, full) && access(full, W_OK) == 0;
}

bool gp_host_list(const char *root, const char *path, bool (*each)(void *context, const char *name),
                  void *context)
{
    char full[GP_HOST_PATH_MAX];
    struct dirent **entries = NULL;
    if (!gp_host_path(root, path, full)) {
        return false;
    }
    int n = scandir(full, &entries, NULL, alphasort);
    if (n < 0) {
        return false;
    }
    bool more = true;
    for (int i = 0; i < n; i++) {
        if (more && entries[i]->d_name[0] != '.') {
            more = each(context, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return true;
}

bool gp_host_scan(const char **text, uint64_t *ret)
{
    uint64_t number = 0;
    const char *at = *text;
    while (*at == ' ' || *at == '\t') {
        at += 1;
    }
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *text = at;
    *ret = number;
    return true;
}

bool gp_host_scan_decimal(const char **text, uint64_t scale, uint64_t *ret)
{
    uint64_t number;
    if (!gp_host_scan(text, &number) || number > UINT64_MAX / scale - 1) {
        return false;
    }
    number *= scale;
    if (**text == '.') {
        const char *at = *text + 1;
        for (uint64_t part = scale / 10; *at >= '0' && *at <= '9'; at++) {
            number += (uint64_t)(*at - '0') * part;
            part /= 10;
        }
        *text = at;
    }
    *ret = number;
    return true;
}

const char *gp_host_line(const char *text, const char *key)
{
    size_t n = strlen(key);
    const char *line = text;
    while (line != NULL && *line != '\0') {
        if (strncmp(line, key, n) == 0) {
            const char *at = line + n;
            at += strspn(at, " \t");
            at += *at == ':' ? 1 : 0;
            return at + strspn(at, " \t");
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return NULL;
}
