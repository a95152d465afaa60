/*
 * What the machines of a resting sub-Grid hold, packed: their runners and cores are nearly the same
 * in all of them and mostly zeros. Their memory stays where it is, so that pointers into it stay
 * right, but its pages are given back.
 *
 * First zeros are left out: of each page the words that are not zero, behind a bitmap of them. What
 * is left of all machines together is compressed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "agent/lab/world_state.h"

#define PAGE  4096
#define WORDS (PAGE / sizeof(uint64_t))
#define LEVEL 1

#define PAGES_MAX 4096 /* of one berth */

/* Of an entry of /proc/self/pagemap. */
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

/* Zeroed. What was there is given back, its page tables too; the addresses stay ours. */
static uint8_t *map(uint8_t *at, size_t n, int protection, int flags)
{
    const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    uint8_t *mapped = mmap(at, n, protection, kind | flags, -1, 0);
    assert(mapped != MAP_FAILED && "out of memory");
    return mapped;
}

void *gp_sim_berth(gp_sim_node_t *node, size_t size)
{
    gp_world_t *world = node->world;
    gp_sim_berths_t *berths = &world->berths;
    if (berths->all == NULL) {
        assert(sysconf(_SC_PAGESIZE) == PAGE);
        berths->size = (size + PAGE - 1) / PAGE * PAGE;
        berths->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        assert(berths->pagemap >= 0 && "rest needs /proc");
        berths->all = map(NULL, berths->size * world->config.nodes, PROT_NONE, 0);
    }
    assert(size <= berths->size);
    return map(berths->all + node->index * berths->size, berths->size, PROT_READ | PROT_WRITE,
               MAP_FIXED);
}

void gp_sim_berths_free(gp_world_t *world)
{
    for (uint32_t i = 0; i < world->part_count; i++) {
        free(world->parts[i].packed);
    }
    if (world->berths.all != NULL) {
        (void)munmap(world->berths.all, world->berths.size * world->config.nodes);
        (void)close(world->berths.pagemap);
    }
    free(world->berths.loose);
}

/* ---- zeros ----------------------------------------------------------------------------------- */

/* Its number, a bitmap, and the words that are not zero; a page of zeros is nothing at all. */
static uint8_t *squeeze(uint8_t *to, uint32_t number, const uint64_t *page)
{
    uint64_t map[WORDS / 64] = {0};
    uint64_t *words = (uint64_t *)(void *)(to + sizeof(uint64_t) + sizeof map);
    uint32_t count = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        words[count] = page[i];
        map[i / 64] |= (uint64_t)(page[i] != 0) << i % 64;
        count += page[i] != 0 ? 1 : 0;
    }
    if (count == 0) {
        return to;
    }
    const uint64_t head = (uint64_t)number + 1;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, map, sizeof map);
    return (uint8_t *)(words + count);
}

static const uint8_t *expand(const uint8_t *from, uint64_t *page)
{
    uint64_t map[WORDS / 64];
    memcpy(map, from, sizeof map);
    from += sizeof map;
    for (uint32_t i = 0; i < WORDS / 64; i++) {
        for (uint64_t left = map[i]; left != 0; left &= left - 1) {
            memcpy(&page[i * 64 + (uint32_t)__builtin_ctzll(left)], from, sizeof(uint64_t));
            from += sizeof(uint64_t);
        }
    }
    return from;
}

/* All pages that the machine ever touched, and a zero behind them. */
static uint8_t *squeeze_berth(const gp_world_t *world, const uint8_t *berth, uint8_t *to)
{
    static uint64_t pages[PAGES_MAX];
    const size_t size = world->berths.size / PAGE * sizeof pages[0];
    assert(size <= sizeof pages);
    ssize_t n = pread(world->berths.pagemap, pages, size,
                      (off_t)((uintptr_t)berth / PAGE * sizeof pages[0]));
    assert(n == (ssize_t)size);
    for (uint32_t i = 0; i < size / sizeof pages[0]; i++) {
        if ((pages[i] & (PRESENT | SWAPPED)) != 0) {
            to = squeeze(to, i, (const uint64_t *)(const void *)(berth + (size_t)i * PAGE));
        }
    }
    memset(to, 0, sizeof(uint64_t));
    return to + sizeof(uint64_t);
}

static const uint8_t *expand_berth(const uint8_t *from, uint8_t *berth)
{
    for (;;) {
        uint64_t head;
        memcpy(&head, from, sizeof head);
        from += sizeof head;
        if (head == 0) {
            return from;
        }
        from = expand(from, (uint64_t *)(void *)(berth + (head - 1) * PAGE));
    }
}

/* The records themselves; what they are called stays. */
static uint8_t *pack_disk(gp_sim_disk_t *disk, uint8_t *to)
{
    for (uint32_t i = 0; i < disk->count; i++) {
        memcpy(to, disk->v[i].bytes, disk->v[i].n);
        to += (disk->v[i].n + 7) / 8 * 8; /* pages of words may follow */
        free(disk->v[i].bytes);
        disk->v[i].bytes = NULL;
    }
    return to;
}

static const uint8_t *unpack_disk(gp_sim_disk_t *disk, const uint8_t *from)
{
    for (uint32_t i = 0; i < disk->count; i++) {
        disk->v[i].bytes = malloc(disk->v[i].n > 0 ? disk->v[i].n : 1);
        assert(disk->v[i].bytes != NULL && "out of memory");
        memcpy(disk->v[i].bytes, from, disk->v[i].n);
        from += (disk->v[i].n + 7) / 8 * 8;
    }
    return from;
}

/* ---- a sub-Grid ------------------------------------------------------------------------------ */

static void make_room(gp_sim_berths_t *berths, size_t size)
{
    if (berths->loose_size < size) {
        free(berths->loose);
        berths->loose = malloc(size);
        berths->loose_size = size;
        assert(berths->loose != NULL && "out of memory");
    }
}

void gp_sim_pack(gp_world_t *world, uint32_t part)
{
    gp_sim_part_t *p = &world->parts[part];
    gp_sim_berths_t *berths = &world->berths;
    /* A squeezed page may be longer than a page; what is not used of this is never touched. */
    make_room(berths, 2 * berths->size * world->config.subgrid_size);
    uint8_t *end = berths->loose;
    for (uint32_t i = part * world->config.subgrid_size; i < gp_sim_part_end(world, part); i++) {
        gp_sim_node_t *node = &world->nodes[i];
        uint8_t *berth = berths->all + i * berths->size;
        if (!node->running || gp_sim_sits_above(node)) {
            continue;
        }
        end = squeeze_berth(world, berth, end);
        end = pack_disk(&node->disk, end);
        node->packed = true;
        (void)map(berth, berths->size, PROT_NONE, MAP_FIXED);
    }
    p->loose_n = (size_t)(end - berths->loose);
    size_t bound = ZSTD_compressBound(p->loose_n);
    void *packed = malloc(bound);
    assert(packed != NULL && "out of memory");
    p->packed_n = ZSTD_compress(packed, bound, berths->loose, p->loose_n, LEVEL);
    assert(!ZSTD_isError(p->packed_n));
    p->packed = malloc(p->packed_n);
    assert(p->packed != NULL && "out of memory");
    memcpy(p->packed, packed, p->packed_n);
    free(packed);
}

void gp_sim_unpack(gp_world_t *world, uint32_t part)
{
    gp_sim_part_t *p = &world->parts[part];
    gp_sim_berths_t *berths = &world->berths;
    make_room(berths, p->loose_n);
    size_t n = ZSTD_decompress(berths->loose, p->loose_n, p->packed, p->packed_n);
    assert(n == p->loose_n);
    const uint8_t *from = berths->loose;
    for (uint32_t i = part * world->config.subgrid_size; i < gp_sim_part_end(world, part); i++) {
        gp_sim_node_t *node = &world->nodes[i];
        if (node->packed) {
            from = expand_berth(from, gp_sim_berth(node, berths->size));
            from = unpack_disk(&node->disk, from);
            node->packed = false;
        }
    }
    free(p->packed);
    p->packed = NULL;
}
