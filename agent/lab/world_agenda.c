#include "agent/lab/world_state.h"

#include <stdlib.h>

gp_happening_t *gp_happening_new(gp_happening_type_t type, const gp_sim_node_t *node,
                                 gp_slice_t bytes)
{
    gp_happening_t *happening = malloc(sizeof *happening + bytes.n);
    assert(happening != NULL && "out of memory");
    *happening =
        (gp_happening_t){.type = type, .node = node->index, .life = node->life, .n = bytes.n};
    if (bytes.n > 0) {
        memcpy(happening->bytes, bytes.p, bytes.n);
    }
    return happening;
}

static bool earlier(const gp_agenda_entry_t *a, const gp_agenda_entry_t *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void gp_agenda_add(gp_agenda_t *agenda, gp_happening_t *happening)
{
    if (agenda->count == agenda->capacity) {
        agenda->capacity = agenda->capacity == 0 ? 1024 : 2 * agenda->capacity;
        agenda->v = realloc(agenda->v, agenda->capacity * sizeof agenda->v[0]);
        assert(agenda->v != NULL && "out of memory");
    }
    happening->order = ++agenda->order;
    gp_agenda_entry_t entry = {happening->at, happening->order, happening};
    size_t at = agenda->count++;
    while (at > 0 && earlier(&entry, &agenda->v[(at - 1) / 2])) {
        agenda->v[at] = agenda->v[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    agenda->v[at] = entry;
}

gp_happening_t *gp_agenda_take(gp_agenda_t *agenda)
{
    if (agenda->count == 0) {
        return NULL;
    }
    gp_happening_t *first = agenda->v[0].what;
    gp_agenda_entry_t last = agenda->v[--agenda->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= agenda->count) {
            break;
        }
        if (child + 1 < agenda->count && earlier(&agenda->v[child + 1], &agenda->v[child])) {
            child++;
        }
        if (!earlier(&agenda->v[child], &last)) {
            break;
        }
        agenda->v[at] = agenda->v[child];
        at = child;
    }
    agenda->v[at] = last;
    return first;
}

const gp_happening_t *gp_agenda_first(const gp_agenda_t *agenda)
{
    return agenda->count > 0 ? agenda->v[0].what : NULL;
}
