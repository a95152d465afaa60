#include "agent/host/collect.h"

#include <stdlib.h>
#include <time.h>

#define SLOW_MS       60000
#define PROGRAMS_MS   600000
#define TAG_KEY_MAX   32
#define TAG_VALUE_MAX 64

bool gp_host_tag_valid(const char *tag)
{
    size_t key = strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    if (key == 0 || key > TAG_KEY_MAX || tag[key] != '=') {
        return false;
    }
    size_t n = strlen(tag + key + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)tag[key + 1 + i];
        if (c <= 0x20 || c >= 0x7f) {
            return false;
        }
    }
    return n <= TAG_VALUE_MAX;
}

void gp_host_set_line(gp_host_t *host, gp_attr_t attr, const char *text)
{
    text += strspn(text, " \t");
    size_t n = strcspn(text, "\n");
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) {
        n -= 1;
    }
    if (n == 0) {
        gp_records_unset(host->records, 0, attr);
    } else {
        gp_records_set_text(host->records, 0, attr, gp_slice(text, n), false);
    }
}

static int compare_tags(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static void collect_config(gp_host_t *host)
{
    const gp_host_config_t *c = &host->config;
    const char *tags[GP_TAGS_MAX];
    char text[GP_ATTR_TEXT_MAX + 1];
    size_t used = 0;
    for (uint32_t i = 0; i < c->tag_count; i++) {
        tags[i] = c->tags[i];
    }
    qsort(tags, c->tag_count, sizeof tags[0], compare_tags);
    bool cut = false;
    for (uint32_t i = 0; i < c->tag_count; i++) {
        size_t n = strlen(tags[i]);
        if (used + n + 1 > GP_ATTR_TEXT_MAX) {
            cut = true;
            break;
        }
        memcpy(text + used, tags[i], n);
        text[used + n] = ' ';
        used += n + 1;
    }
    gp_slice_t all = gp_slice(text, used > 0 ? used - 1 : 0);
    gp_records_set_text(host->records, 0, GP_ATTR_TAG, all, cut);
    gp_records_set_number(host->records, 0, GP_ATTR_LEND_NOW, c->withheld ? 0 : 1);
    const struct {
        gp_attr_t attr;
        uint64_t number;
    } lend[] = {{GP_ATTR_LEND_CPU, c->lend_cpu},
                {GP_ATTR_LEND_MEM, c->lend_mem},
                {GP_ATTR_LEND_DISK, c->lend_disk}};
    for (size_t i = 0; i < sizeof lend / sizeof lend[0]; i++) {
        if (lend[i].number > 0) {
            gp_records_set_number(host->records, 0, lend[i].attr, lend[i].number);
        }
    }
}

gp_error_t gp_host_new(const gp_host_config_t *config, gp_host_t **ret_host)
{
    assert(config->work_dir != NULL);
    if (config->tag_count > GP_TAGS_MAX) {
        return GP_E_CONFIG;
    }
    for (uint32_t i = 0; i < config->tag_count; i++) {
        if (!gp_host_tag_valid(config->tags[i])) {
            return GP_E_CONFIG;
        }
    }
    gp_host_t *host = calloc(1, sizeof *host);
    void *memory = malloc(gp_records_size(1, GP_RECORD_POOL));
    if (host == NULL || memory == NULL) {
        free(host);
        free(memory);
        return GP_E_MEMORY;
    }
    host->config = *config;
    host->config.root = config->root == NULL ? "" : config->root;
    host->records = gp_records_init(memory, 1, GP_RECORD_POOL);
    gp_host_open_moving(host);
    *ret_host = host;
    return GP_OK;
}

void gp_host_free(gp_host_t *host)
{
    if (host == NULL) {
        return;
    }
    gp_host_close_moving(host);
    free(host->records);
    free(host);
}

/* Everything that may have changed since the last time, also what is no longer known. */
static void put_moving(const gp_host_t *host, gp_msg_own_record_t *msg)
{
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        const gp_attribute_t *attribute = gp_attribute(attr);
        if (attribute == NULL || attribute->source != GP_SOURCE_MOVING) {
            continue;
        }
        gp_record_attr_t *to = &msg->attrs[msg->attrs_count];
        msg->attrs_count += 1;
        if (gp_records_knows(host->records, 0, attr)) {
            *to = gp_records_attr(host->records, 0, attr);
        } else {
            *to = (gp_record_attr_t){.attr = (uint16_t)(attr | GP_ATTR_UNSET)};
        }
    }
}

uint32_t gp_host_collect_at(gp_host_t *host, gp_usec_t now, gp_msg_own_record_t *ret_msg)
{
    bool first = !host->collected;
    if (first || now >= host->slow_at) {
        gp_host_cgroup_limits(host->config.root, &host->cgroup);
        gp_host_collect_slow(host);
        host->slow_at = now + SLOW_MS * GP_MSEC;
    }
    if (first || now >= host->programs_at) {
        gp_host_collect_programs(host);
        host->programs_at = now + PROGRAMS_MS * GP_MSEC;
    }
    if (first) {
        gp_host_collect_fixed(host);
        gp_host_collect_place(host);
        collect_config(host);
    }
    gp_host_collect_moving(host);
    host->collected = true;
    *ret_msg = (gp_msg_own_record_t){.whole = first};
    if (first) {
        ret_msg->attrs_count = gp_records_dump(host->records, 0, ret_msg->attrs);
    } else {
        put_moving(host, ret_msg);
    }
    return first ? GP_HOST_FIRST_PERIOD_MS : GP_HOST_PERIOD_MS;
}

uint32_t gp_host_collect(gp_host_t *host, gp_msg_t *ret_msg)
{
    struct timespec t;
    gp_usec_t now = 0;
    if (clock_gettime(CLOCK_BOOTTIME, &t) == 0) {
        now = (gp_usec_t)t.tv_sec * GP_SECOND + (gp_usec_t)t.tv_nsec / 1000;
    }
    ret_msg->kind = GP_MSG_OWN_RECORD;
    return gp_host_collect_at(host, now, &ret_msg->u.own_record);
}

const gp_records_t *gp_host_records(const gp_host_t *host)
{
    return host->records;
}

uint16_t gp_host_headroom(const gp_host_t *host)
{
    uint64_t room = 1000;
    const gp_records_t *r = host->records;
    if (gp_records_knows(r, 0, GP_ATTR_CPU_IDLE)) {
        uint64_t idle = gp_records_number(r, 0, GP_ATTR_CPU_IDLE);
        room = idle < room ? idle : room;
    }
    if (gp_records_knows(r, 0, GP_ATTR_MEM) && gp_records_knows(r, 0, GP_ATTR_MEM_FREE)) {
        uint64_t mem_kib = gp_records_number(r, 0, GP_ATTR_MEM) / 1024;
        uint64_t free_kib = gp_records_number(r, 0, GP_ATTR_MEM_FREE) / 1024;
        uint64_t free_mem = mem_kib == 0 ? 0 : free_kib * 1000 / mem_kib;
        room = free_mem < room ? free_mem : room;
    }
    return (uint16_t)room;
}
