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

/* ---- one agenda ------------------------------------------------------------------------------ */

static void put(gp_agenda_t *agenda, gp_happening_t *happening)
{
    if (agenda->count == agenda->capacity) {
        agenda->capacity = agenda->capacity == 0 ? 16 : 2 * agenda->capacity;
        agenda->v = realloc(agenda->v, agenda->capacity * sizeof agenda->v[0]);
        assert(agenda->v != NULL && "out of memory");
    }
    gp_agenda_entry_t entry = {happening->at, happening->order, happening};
    size_t at = agenda->count++;
    while (at > 0 && earlier(&entry, &agenda->v[(at - 1) / 2])) {
        agenda->v[at] = agenda->v[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    agenda->v[at] = entry;
    agenda->busy += happening->type == GP_HAPPEN_WAKE ? 0 : 1;
}

static gp_happening_t *take(gp_agenda_t *agenda)
{
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
    agenda->busy -= first->type == GP_HAPPEN_WAKE ? 0 : 1;
    return first;
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

static bool is_before(const gp_plan_t *plan, uint32_t a, uint32_t b)
{
    return earlier(&plan->v[a].v[0], &plan->v[b].v[0]);
}

static void set_turn(gp_plan_t *plan, uint32_t at, uint32_t agenda)
{
    plan->turns[at] = agenda;
    plan->v[agenda].turn = at + 1;
}

static void rise(gp_plan_t *plan, uint32_t at)
{
    uint32_t agenda = plan->turns[at];
    while (at > 0 && is_before(plan, agenda, plan->turns[(at - 1) / 2])) {
        set_turn(plan, at, plan->turns[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    set_turn(plan, at, agenda);
}

static void sink(gp_plan_t *plan, uint32_t at)
{
    uint32_t agenda = plan->turns[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= plan->turn_count) {
            break;
        }
        if (child + 1 < plan->turn_count &&
            is_before(plan, plan->turns[child + 1], plan->turns[child])) {
            child++;
        }
        if (!is_before(plan, plan->turns[child], agenda)) {
            break;
        }
        set_turn(plan, at, plan->turns[child]);
        at = child;
    }
    set_turn(plan, at, agenda);
}

static void drop_turn(gp_plan_t *plan, uint32_t agenda)
{
    uint32_t at = plan->v[agenda].turn - 1;
    uint32_t last = plan->turns[--plan->turn_count];
    plan->v[agenda].turn = 0;
    if (last != agenda) {
        set_turn(plan, at, last);
        rise(plan, at);
        sink(plan, plan->v[last].turn - 1);
    }
}

/* Its first entry may be another one. */
static void take_turn(gp_plan_t *plan, uint32_t agenda)
{
    const gp_agenda_t *a = &plan->v[agenda];
    bool due = a->count > 0 && !a->rests;
    if (!due) {
        if (a->turn > 0) {
            drop_turn(plan, agenda);
        }
        return;
    }
    if (a->turn == 0) {
        set_turn(plan, plan->turn_count++, agenda);
    }
    rise(plan, a->turn - 1);
    sink(plan, a->turn - 1);
}

/* ---- all of them ----------------------------------------------------------------------------- */

bool gp_plan_init(gp_plan_t *plan, uint32_t agendas)
{
    *plan = (gp_plan_t){.count = agendas};
    plan->v = calloc(agendas, sizeof plan->v[0]);
    plan->turns = calloc(agendas, sizeof plan->turns[0]);
    return plan->v != NULL && plan->turns != NULL;
}

void gp_plan_done(gp_plan_t *plan)
{
    for (uint32_t i = 0; plan->v != NULL && i < plan->count; i++) {
        while (plan->v[i].count > 0) {
            free(take(&plan->v[i]));
        }
        free(plan->v[i].v);
    }
    free(plan->v);
    free(plan->turns);
}

void gp_plan_add(gp_plan_t *plan, uint32_t agenda, gp_happening_t *happening)
{
    assert(!plan->v[agenda].rests);
    happening->order = ++plan->order;
    put(&plan->v[agenda], happening);
    take_turn(plan, agenda);
}

gp_happening_t *gp_plan_take(gp_plan_t *plan)
{
    if (plan->turn_count == 0) {
        return NULL;
    }
    uint32_t agenda = plan->turns[0];
    gp_happening_t *first = take(&plan->v[agenda]);
    take_turn(plan, agenda);
    return first;
}

const gp_happening_t *gp_plan_first(const gp_plan_t *plan)
{
    return plan->turn_count > 0 ? plan->v[plan->turns[0]].v[0].what : NULL;
}

void gp_plan_rest(gp_plan_t *plan, uint32_t agenda)
{
    plan->v[agenda].rests = true;
    take_turn(plan, agenda);
}

void gp_plan_go_on(gp_plan_t *plan, uint32_t agenda, gp_usec_t later)
{
    gp_agenda_t *a = &plan->v[agenda];
    for (size_t i = 0; i < a->count; i++) {
        a->v[i].at += later;
        a->v[i].what->at += later;
    }
    a->rests = false;
    take_turn(plan, agenda);
}
