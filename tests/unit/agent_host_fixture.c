#include "agent_host_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/temporary.h"

int fixture_set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_true(test_temporary(f->root, sizeof f->root));
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int fixture_tear_down(void **state)
{
    fixture_t *f = *state;
    gp_host_free(f->host);
    assert_int_equal(nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(f);
    return 0;
}

static void make_directories(char *path, size_t from)
{
    for (char *slash = strchr(path + from + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

void fixture_write(const fixture_t *f, const char *path, const char *text)
{
    char full[GP_HOST_PATH_MAX];
    assert_true(gp_host_path(f->root, path, full));
    make_directories(full, strlen(f->root));
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", text) > 0);
    assert_int_equal(fclose(file), 0);
}

void fixture_program(const fixture_t *f, const char *path)
{
    char full[GP_HOST_PATH_MAX];
    fixture_write(f, path, "#!/bin/sh");
    assert_true(gp_host_path(f->root, path, full));
    assert_int_equal(chmod(full, 0755), 0);
}

void fixture_open(fixture_t *f)
{
    static const char *const tags[] = {"rack=r3", "gpu.owner=ann"};
    static const char *const programs[] = {"solver", "gcc"};
    const gp_host_config_t config = {.root = f->root,
                                     .work_dir = f->root,
                                     .agent_version = "0.1.0",
                                     .tags = tags,
                                     .tag_count = 2,
                                     .programs = programs,
                                     .program_count = 2,
                                     .lend_mem = 1 << 20};
    assert_int_equal(gp_host_new(&config, &f->host), GP_OK);
    fixture_collect(f, GP_SECOND);
}

void fixture_collect(fixture_t *f, gp_usec_t now)
{
    (void)gp_host_collect_at(f->host, now, &f->msg);
    gp_records_check(gp_host_records(f->host));
}

const char *fixture_value(const fixture_t *f, const char *name)
{
    static char text[GP_ATTR_TEXT_MAX + 1];
    const gp_records_t *r = gp_host_records(f->host);
    uint32_t attr = gp_attribute_find(gp_text(name));
    assert_int_not_equal(attr, 0);
    if (!gp_records_knows(r, 0, attr)) {
        return "-";
    }
    if (gp_type_is_number(gp_attribute(attr)->type)) {
        (void)snprintf(text, sizeof text, "%llu",
                       (unsigned long long)gp_records_number(r, 0, attr));
    } else {
        gp_slice_t is = gp_records_text(r, 0, attr, NULL);
        memcpy(text, is.p, is.n);
        text[is.n] = '\0';
    }
    return text;
}
