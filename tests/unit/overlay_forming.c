/*
 * The forming cores of a region's machines, and of its groups only what they are asked: who is
 * where, and who leads. What is sent arrives at once; who is told to go is elsewhere at once.
 */
#include "overlay/tiers/forming.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/text.h"
#include "proto_cmocka.h"

#define REGION   (UINT64_C(1) << 56 | 7)
#define MACHINES 160
#define GROUPS   16
#define QUEUE    512

typedef struct machine {
    struct net *net;
    void *core;
    gp_id_t id;
    uint64_t group; /* 0: it is not there */
    bool busy;
    char name[GP_NAME_MAX + 1];
    gp_coordinate_t coordinate;
} machine_t;

typedef struct letter {
    gp_id_t from, to;
    gp_msg_t msg;
} letter_t;

typedef struct net {
    machine_t machines[MACHINES];
    uint32_t count;
    uint64_t groups[GROUPS]; /* its super-peer is the first machine in it */
    uint32_t group_count;
    gp_usec_t now;
    letter_t *letters;
    uint32_t letter_count;
    gp_msg_t answer; /* the last FORM_ANSWER, and its token */
    uint64_t answered;
    char place_name[GP_NAME_MAX + 1]; /* of the last place in it */
    char leader_name[GP_NAME_MAX + 1];
    uint32_t moves;
    uint32_t founded;
    gp_id_t invited_above;
    gp_id_t invited_into_grid;
    gp_out_t out;
    gp_action_t actions[256];
    _Alignas(16) uint8_t arena[1 << 18];
    gp_forming_config_t config;
} net_t;

static machine_t *machine_of(net_t *net, const gp_id_t *id)
{
    for (uint32_t i = 0; i < net->count; i++) {
        if (gp_id_equal(&net->machines[i].id, id)) {
            return &net->machines[i];
        }
    }
    return NULL;
}

static machine_t *super_peer(net_t *net, uint64_t group)
{
    for (uint32_t i = 0; i < net->count; i++) {
        if (net->machines[i].group == group) {
            return &net->machines[i];
        }
    }
    return NULL;
}

static uint32_t members_of(net_t *net, uint64_t group)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < net->count; i++) {
        count += net->machines[i].group == group ? 1 : 0;
    }
    return count;
}

static bool is_super_peer(const machine_t *m)
{
    return m->group != 0 && super_peer(m->net, m->group) == m;
}

/* ---- the view -------------------------------------------------------------------------------- */

static bool view_describe(void *context, gp_seat_t seat, const gp_id_t *id, gp_record_member_t *ret)
{
    machine_t *self = context;
    machine_t *m = machine_of(self->net, id);
    bool in = m != NULL && (seat == GP_SEAT_SUBGRID ? m->group == self->group
                                                    : is_super_peer(self) && is_super_peer(m));
    if (in) {
        *ret = (gp_record_member_t){.id = m->id, .name = gp_text(m->name)};
    }
    return in;
}

static uint32_t view_members(void *context, gp_forming_member_t ret[GP_MEMBERS_MAX])
{
    machine_t *self = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->net->count && count < GP_MEMBERS_MAX; i++) {
        machine_t *m = &self->net->machines[i];
        if (m->group == self->group) {
            ret[count++] =
                (gp_forming_member_t){.id = m->id, .located = true, .coordinate = m->coordinate};
        }
    }
    return count;
}

#define TAKEN (UINT64_C(1) << 56 | 7) /* regions of the grid: one that there is ... */
#define FREE  (UINT64_C(1) << 56 | 8) /* ... and one that there is not */

static bool view_has_region(void *context, uint64_t region, const gp_record_member_t *founder)
{
    const machine_t *self = context;
    assert_true(self->group != 0 && !gp_id_is_none(&founder->id));
    return region == TAKEN;
}

static uint32_t view_known(void *context)
{
    machine_t *self = context;
    return members_of(self->net, self->group);
}

static uint32_t view_places(void *context, gp_seat_t seat, gp_forming_place_t ret[GP_MEMBERS_MAX])
{
    machine_t *self = context;
    uint32_t count = 0;
    if (seat == GP_SEAT_GRID) {
        ret[0] = (gp_forming_place_t){
            .group = REGION, .name = gp_text("north"), .leader = self->id, .members = 96};
        return 1;
    }
    assert_int_equal(seat, GP_SEAT_REGION);
    for (uint32_t i = 0; i < self->net->group_count; i++) {
        machine_t *leader = super_peer(self->net, self->net->groups[i]);
        if (leader != NULL) {
            ret[count++] = (gp_forming_place_t){.group = self->net->groups[i],
                                                .leader = leader->id,
                                                .members = members_of(self->net, leader->group),
                                                .located = true,
                                                .coordinate = leader->coordinate};
        }
    }
    return count;
}

static bool view_busy(void *context)
{
    return ((machine_t *)context)->busy;
}

static bool view_own(void *context, gp_coordinate_t *ret)
{
    *ret = ((machine_t *)context)->coordinate;
    return true;
}

/* ---- the machines ---------------------------------------------------------------------------- */

static void take(net_t *net, machine_t *m);

static void step(net_t *net, machine_t *m, gp_event_type_t type, const gp_id_t *peer,
                 uint64_t token, const gp_msg_t *msg)
{
    gp_event_t event = {
        .type = type, .now = net->now, .peer = *peer, .token = token, .ok = true, .msg = msg};
    gp_out_reset(&net->out);
    net->out.room = GP_ROOM_FORMING;
    gp_forming_ops.step(m->core, &event, &net->out);
    gp_forming_ops.check(m->core);
    take(net, m);
}

static void tell_leader(net_t *net, machine_t *m, gp_seat_t seat, const machine_t *leader)
{
    gp_msg_t *msg = calloc(1, sizeof *msg);
    msg->kind = GP_MSG_TIERS_LEADER;
    gp_msg_tiers_leader_t *news = &msg->u.tiers_leader;
    news->seat = (uint8_t)seat;
    news->term = 1;
    if (leader != NULL) {
        news->leader = leader->id;
        news->right = GP_RIGHT_QUORUM;
        news->lease_until = leader == m ? net->now + 3600 * GP_SECOND : 0;
    }
    step(net, m, GP_EVENT_COMMAND, &m->id, 0, msg);
    free(msg);
}

/* After who is where has changed: the first machine leads its sub-Grid, and the first of all the
 * region. */
static void tell_leaders(net_t *net)
{
    for (uint32_t i = 0; i < net->count; i++) {
        machine_t *m = &net->machines[i];
        if (m->group != 0) {
            tell_leader(net, m, GP_SEAT_SUBGRID, super_peer(net, m->group));
            tell_leader(net, m, GP_SEAT_REGION,
                        is_super_peer(m) ? super_peer(net, net->groups[0]) : NULL);
        }
    }
}

/* It has left: where it goes is stored, and it begins there. */
static void go(net_t *net, machine_t *m, uint64_t subgrid)
{
    gp_msg_t *msg = calloc(1, sizeof *msg);
    msg->kind = GP_MSG_FORM_KEEP;
    msg->u.form_keep.subgrid = subgrid;
    assert_true(subgrid != 0 && subgrid != m->group);
    step(net, m, GP_EVENT_COMMAND, &m->id, 0, msg);
    free(msg);
}

static void begin(net_t *net, machine_t *m, const gp_msg_form_state_t *state)
{
    const machine_t *leader = super_peer(net, state->subgrid);
    if (state->found) {
        assert_true(net->group_count < GROUPS);
        assert_int_equal(state->above_count, 1);
        net->groups[net->group_count++] = state->subgrid;
        net->founded++;
    } else {
        assert_int_equal(state->entries_count, 1);
        assert_true(gp_id_equal(&state->entries[0].id, &leader->id));
    }
    net->moves++;
    m->group = state->subgrid;
    gp_forming_config_t config = net->config;
    config.subgrid = m->group;
    config.view.context = m;
    gp_forming_ops.init(m->core, &config, m->id, net->moves);
    step(net, m, GP_EVENT_START, &m->id, 0, NULL);
}

/* Its texts are gone with the step. */
static void keep_names(net_t *net, const gp_msg_form_answer_t *answer)
{
    net->place_name[0] = net->leader_name[0] = '\0';
    if (answer->places_count > 0) {
        const gp_record_offer_t *last = &answer->places[answer->places_count - 1];
        (void)gp_text_copy(net->place_name, sizeof net->place_name, last->name);
        (void)gp_text_copy(net->leader_name, sizeof net->leader_name, last->leader_name);
    }
}

static void take(net_t *net, machine_t *m)
{
    uint64_t go_to = 0;
    gp_msg_form_state_t state = {.subgrid = 0};
    for (uint32_t i = 0; i < net->out.count; i++) {
        const gp_action_t *a = &net->actions[i];
        if (a->type == GP_ACTION_SEND) {
            assert_true(net->letter_count < QUEUE);
            letter_t *letter = &net->letters[net->letter_count++];
            letter->from = m->id;
            letter->to = a->peer;
            gp_msg_copy(&letter->msg, a->msg);
        } else if (a->msg->kind == GP_MSG_FORM_ANSWER) {
            gp_msg_copy(&net->answer, a->msg);
            keep_names(net, &a->msg->u.form_answer);
            net->answered = a->token;
        } else if (a->msg->kind == GP_MSG_FORM_INVITE &&
                   a->msg->u.form_invite.seat == GP_SEAT_REGION) {
            net->invited_above = a->msg->u.form_invite.entries[0].id;
        } else if (a->msg->kind == GP_MSG_FORM_INVITE &&
                   a->msg->u.form_invite.seat == GP_SEAT_GRID) {
            net->invited_into_grid = a->msg->u.form_invite.entries[0].id;
        } else if (a->msg->kind == GP_MSG_FORM_GO) {
            go_to = a->msg->u.form_go.subgrid;
        } else if (a->msg->kind == GP_MSG_FORM_STATE) {
            state = a->msg->u.form_state;
        }
    }
    if (go_to != 0) {
        go(net, m, go_to);
    }
    if (state.subgrid != 0) {
        begin(net, m, &state);
        tell_leaders(net);
    }
}

/* Slices of a letter point into an arena that is used again: names are all that they need here. */
static void deliver(net_t *net)
{
    for (uint32_t i = 0; i < net->letter_count; i++) {
        letter_t *letter = malloc(sizeof *letter);
        *letter = net->letters[i];
        gp_record_member_t *entry =
            letter->msg.kind == GP_MSG_FORM_ASK ? &letter->msg.u.form_ask.entries[0] : NULL;
        if (entry != NULL) {
            machine_t *who = machine_of(net, &entry->id);
            entry->name = gp_text(who != NULL ? who->name : "new");
            entry->address = entry->cert = (gp_slice_t){0};
        }
        if (letter->msg.kind == GP_MSG_FORM_TOLD) {
            gp_msg_form_told_t *told = &letter->msg.u.form_told;
            for (uint32_t k = 0; k < told->places_count; k++) {
                uint8_t bytes[GP_COORDINATE_BYTES];
                static uint8_t kept[GP_MEMBERS_MAX][GP_COORDINATE_BYTES];
                gp_coordinate_pack(&machine_of(net, &told->places[k].leader)->coordinate, bytes);
                memcpy(kept[k], bytes, sizeof bytes);
                told->places[k].coordinate = gp_slice(kept[k], sizeof kept[k]);
                told->places[k].address = told->places[k].name = told->places[k].leader_name =
                    (gp_slice_t){0};
            }
            told->entries[0].name = told->entries[0].address = told->entries[0].cert =
                told->above[0].name = told->above[0].address = told->above[0].cert =
                    (gp_slice_t){0};
        }
        machine_t *to = machine_of(net, &letter->to);
        if (to != NULL && to->group != 0) {
            step(net, to, GP_EVENT_MSG, &letter->from, 0, &letter->msg);
        }
        free(letter);
    }
    net->letter_count = 0;
}

static void run(net_t *net, gp_usec_t us)
{
    gp_usec_t end = net->now + us;
    deliver(net);
    for (;;) {
        gp_usec_t next = GP_NEVER;
        for (uint32_t i = 0; i < net->count; i++) {
            gp_usec_t wake = gp_forming_ops.wake(net->machines[i].core);
            next = wake < next ? wake : next;
        }
        if (next > end) {
            break;
        }
        net->now = next > net->now ? next : net->now + 1;
        for (uint32_t i = 0; i < net->count; i++) {
            machine_t *m = &net->machines[i];
            if (gp_forming_ops.wake(m->core) <= net->now) {
                step(net, m, GP_EVENT_WAKE, &m->id, 0, NULL);
            }
        }
        deliver(net);
        deliver(net);
    }
    net->now = end;
}

static machine_t *add(net_t *net, uint64_t group, uint32_t x_ms)
{
    machine_t *m = &net->machines[net->count++];
    m->net = net;
    m->group = group;
    m->id = (gp_id_t){{(uint8_t)(net->count >> 8), (uint8_t)net->count, 1}};
    snprintf(m->name, sizeof m->name, "m%u", net->count);
    gp_coordinate_start(&m->coordinate);
    m->coordinate.axis[0] = (int32_t)(x_ms * 1000 * GP_COORDINATE_TICKS);
    gp_forming_config_t config = net->config;
    config.subgrid = group;
    config.view.context = m;
    m->core = calloc(1, gp_forming_ops.size(&config));
    gp_forming_ops.init(m->core, &config, m->id, net->count);
    step(net, m, GP_EVENT_START, &m->id, 0, NULL);
    return m;
}

static void add_group(net_t *net, uint64_t group, uint32_t members, uint32_t x_ms)
{
    net->groups[net->group_count++] = group;
    for (uint32_t i = 0; i < members; i++) {
        add(net, group, x_ms);
    }
}

static net_t *net_new(void)
{
    net_t *net = calloc(1, sizeof *net);
    net->letters = calloc(QUEUE, sizeof *net->letters);
    net->now = GP_SECOND;
    net->out = (gp_out_t){
        .actions = net->actions, .capacity = 256, .arena = net->arena, .size = sizeof net->arena};
    net->config = gp_forming_defaults();
    net->config.region = REGION;
    net->config.view = (gp_forming_view_t){.describe = view_describe,
                                           .members = view_members,
                                           .known = view_known,
                                           .places = view_places,
                                           .has_region = view_has_region,
                                           .busy = view_busy,
                                           .own = view_own};
    return net;
}

static void net_free(net_t *net)
{
    for (uint32_t i = 0; i < net->count; i++) {
        free(net->machines[i].core);
    }
    free(net->letters);
    free(net);
}

static const gp_msg_form_answer_t *place(net_t *net, machine_t *sponsor, const machine_t *newcomer,
                                         uint64_t chosen, gp_founds_t found)
{
    gp_msg_t *msg = calloc(1, sizeof *msg);
    msg->kind = GP_MSG_FORM_PLACE;
    msg->u.form_place.chosen = chosen;
    msg->u.form_place.found = (uint8_t)found;
    msg->u.form_place.entries_count = 1;
    msg->u.form_place.entries[0] = (gp_record_member_t){.id = newcomer->id};
    net->answered = 0;
    step(net, sponsor, GP_EVENT_COMMAND, &sponsor->id, 99, msg);
    free(msg);
    run(net, GP_SECOND / 2);
    assert_int_equal(net->answered, 99);
    return &net->answer.u.form_answer;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_a_newcomer_hears_of_all_sub_grids_and_is_let_into_one(void **state)
{
    (void)state;
    net_t *net = net_new();
    net->config.look_period = 3600 * GP_SECOND; /* the full one stays as it is */
    add_group(net, 1, 12, 0);
    add_group(net, 2, 20, 0);
    add_group(net, 3, 64, 0);
    machine_t *newcomer = add(net, 0, 0);
    tell_leaders(net);
    const uint32_t sponsors[] = {0, 5, 12, 20, 32, 40}; /* super-peers and plain machines */
    for (size_t i = 0; i < sizeof sponsors / sizeof sponsors[0]; i++) {
        machine_t *sponsor = &net->machines[sponsors[i]];
        const gp_msg_form_answer_t *answer = place(net, sponsor, newcomer, 0, false);
        assert_int_equal(answer->error, GP_OK);
        assert_int_equal(answer->places_count, 3);
        assert_int_equal(answer->places[1].members, 20);
        if (sponsor == &net->machines[0]) { /* others get letters, which have no texts here */
            assert_string_equal(net->leader_name, super_peer(net, 3)->name);
        }
        assert_true(!answer->places[1].full && answer->places[2].full);
        answer = place(net, sponsor, newcomer, 2, false);
        assert_int_equal(answer->error, GP_OK);
        assert_int_equal(answer->entries_count, 1);
        assert_true(gp_id_equal(&answer->entries[0].id, &super_peer(net, 2)->id));
        assert_int_equal(place(net, sponsor, newcomer, 3, false)->error, GP_E_GROUP_FULL);
        assert_int_equal(place(net, sponsor, newcomer, 9, false)->error, GP_E_NODE_UNKNOWN);
    }
    net_free(net);
}

static void test_the_regions_are_listed(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 4, 0);
    add_group(net, 2, 4, 0);
    tell_leaders(net);
    const uint32_t askers[] = {0, 3, 4, 7};
    for (size_t i = 0; i < sizeof askers / sizeof askers[0]; i++) {
        machine_t *asker = &net->machines[askers[i]];
        gp_msg_t *msg = calloc(1, sizeof *msg);
        msg->kind = GP_MSG_FORM_PLACE;
        msg->u.form_place.regions = true;
        net->answered = 0;
        step(net, asker, GP_EVENT_COMMAND, &asker->id, 7, msg);
        free(msg);
        run(net, GP_SECOND / 2);
        assert_int_equal(net->answered, 7);
        const gp_msg_form_answer_t *answer = &net->answer.u.form_answer;
        assert_int_equal(answer->error, GP_OK);
        assert_int_equal(answer->places_count, 1);
        if (asker == &net->machines[0]) {
            assert_string_equal(net->place_name, "north");
        }
        assert_int_equal(answer->places[0].members, 96);
        assert_false(answer->places[0].full);
    }
    net_free(net);
}

static void test_one_sub_grid_is_founded_at_a_time(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 64, 0);
    machine_t *newcomer = add(net, 0, 0);
    tell_leaders(net);
    const gp_msg_form_answer_t *answer = place(net, &net->machines[9], newcomer, 0, true);
    assert_int_equal(answer->error, GP_OK);
    assert_true(answer->found && answer->chosen != 0 && gp_group_tier(answer->chosen) == 0);
    assert_int_equal(answer->above_count, 1);
    assert_true(gp_id_equal(&net->invited_above, &newcomer->id));
    uint64_t first = answer->chosen;
    assert_int_equal(place(net, &net->machines[9], newcomer, 0, true)->error, GP_E_BUSY);
    run(net, net->config.found_gap);
    answer = place(net, &net->machines[9], newcomer, 0, true);
    assert_int_equal(answer->error, GP_OK);
    assert_true(answer->chosen != first);
    net_free(net);
}

/* By the leader of the grid's group, which is asked by the region peer; not two at once. */
static void test_a_region_is_founded_by_the_leader_of_the_grid(void **state)
{
    (void)state;
    net_t *net = net_new();
    net->config.look_period = 3600 * GP_SECOND;
    add_group(net, 1, 3, 0);
    add_group(net, 2, 3, 0);
    machine_t *newcomer = add(net, 0, 0);
    machine_t *first = &net->machines[0];
    machine_t *plain = &net->machines[4];
    tell_leaders(net);
    assert_int_equal(place(net, plain, newcomer, FREE, GP_FOUNDS_REGION)->error, GP_E_NO_LEADER);
    tell_leader(net, first, GP_SEAT_GRID, first);
    const gp_msg_form_answer_t *answer = place(net, plain, newcomer, TAKEN, GP_FOUNDS_REGION);
    assert_int_equal(answer->error, GP_E_REGION_EXISTS);
    assert_true(gp_id_is_none(&net->invited_into_grid));
    answer = place(net, plain, newcomer, FREE, GP_FOUNDS_REGION);
    assert_int_equal(answer->error, GP_OK);
    assert_int_equal(answer->found, GP_FOUNDS_REGION);
    assert_int_equal(gp_group_tier(answer->chosen), 0);
    assert_int_not_equal(answer->chosen, 0);
    assert_int_equal(answer->above_count, 1);
    assert_true(gp_id_equal(&answer->above[0].id, &first->id));
    assert_true(gp_id_equal(&net->invited_into_grid, &newcomer->id));
    assert_true(gp_id_is_none(&net->invited_above)); /* the region of the others is not its own */
    assert_int_equal(place(net, plain, newcomer, FREE, GP_FOUNDS_REGION)->error, GP_E_BUSY);
    assert_int_equal(place(net, plain, newcomer, 9, GP_FOUNDS_REGION)->error, GP_E_NO_LEADER);
    net_free(net);
}

/* The region peer carries the ask to another region, and nobody else's is taken there. */
static void test_the_region_peer_carries_the_ask_to_the_leader_of_the_grid(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 2, 0);
    machine_t *newcomer = add(net, 0, 0);
    machine_t *afar = add(net, 0, 0);
    machine_t *first = &net->machines[0];
    tell_leaders(net);
    tell_leader(net, first, GP_SEAT_GRID, afar);
    gp_msg_t *msg = calloc(1, sizeof *msg);
    msg->kind = GP_MSG_FORM_PLACE;
    msg->u.form_place.chosen = FREE;
    msg->u.form_place.found = GP_FOUNDS_REGION;
    msg->u.form_place.entries_count = 1;
    msg->u.form_place.entries[0] = (gp_record_member_t){.id = newcomer->id};
    step(net, first, GP_EVENT_COMMAND, &first->id, 99, msg);
    assert_int_equal(net->letter_count, 1);
    assert_true(gp_id_equal(&net->letters[0].to, &afar->id));
    assert_true(gp_id_equal(&net->letters[0].msg.u.form_ask.via, &first->id));
    *msg = net->letters[0].msg;
    msg->u.form_ask.entries[0] = (gp_record_member_t){.id = newcomer->id};
    net->letter_count = 0;
    tell_leader(net, first, GP_SEAT_GRID, first);
    step(net, first, GP_EVENT_MSG, &newcomer->id, 0, msg); /* a stranger's */
    assert_int_equal(net->letter_count, 1);
    assert_int_equal(net->letters[0].msg.u.form_told.error, GP_E_NO_LEADER);
    assert_true(gp_id_is_none(&net->invited_into_grid));
    free(msg);
    net_free(net);
}

static void test_without_a_super_peer_an_ask_fails_at_once_and_lost_it_times_out(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 3, 0);
    machine_t *newcomer = add(net, 0, 0);
    assert_int_equal(place(net, &net->machines[1], newcomer, 0, false)->error, GP_E_NO_LEADER);
    tell_leaders(net);
    gp_msg_t *msg = calloc(1, sizeof *msg);
    msg->kind = GP_MSG_FORM_PLACE;
    net->answered = 0;
    step(net, &net->machines[1], GP_EVENT_COMMAND, &net->machines[1].id, 98, msg);
    free(msg);
    assert_int_equal(net->letter_count, 1);
    net->letter_count = 0; /* lost */
    run(net, 2 * net->config.ask_timeout);
    assert_int_equal(net->answered, 98);
    assert_int_equal(net->answer.u.form_answer.error, GP_E_TIMED_OUT);
    net_free(net);
}

static void test_nobody_but_the_region_peer_sends_machines_in(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 3, 0);
    add_group(net, 2, 3, 0);
    tell_leaders(net);
    gp_msg_t *msg = calloc(1, sizeof *msg);
    msg->kind = GP_MSG_FORM_ASK;
    gp_msg_form_ask_t *ask = &msg->u.form_ask;
    ask->region = REGION;
    ask->number = 5;
    ask->origin = ask->via = net->machines[1].id;
    ask->chosen = 2;
    ask->entries_count = 1;
    ask->entries[0].id = (gp_id_t){{77}};
    step(net, super_peer(net, 2), GP_EVENT_MSG, &net->machines[1].id, 0, msg);
    assert_int_equal(net->out.count, 1); /* an answer, and no invitation */
    assert_int_equal(net->actions[0].msg->u.form_told.error, GP_E_FENCED);
    step(net, super_peer(net, 2), GP_EVENT_MSG, &super_peer(net, 1)->id, 0, msg);
    assert_int_equal(net->out.count, 2);
    assert_int_equal(net->actions[0].msg->kind, GP_MSG_FORM_INVITE);
    net->letter_count = 0;
    gp_id_t stranger = {{88}};
    ask->via = (gp_id_t){{0}};
    step(net, super_peer(net, 1), GP_EVENT_MSG, &stranger, 0, msg);
    assert_int_equal(net->actions[0].msg->u.form_told.error, GP_E_NO_LEADER);
    free(msg);
    net_free(net);
}

static void test_a_sub_grid_that_stays_small_merges_into_the_nearest(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 20, 0);
    add_group(net, 2, 5, 40);
    add_group(net, 3, 20, 50);
    tell_leaders(net);
    run(net, net->config.merge_after - net->config.look_period);
    assert_int_equal(members_of(net, 2), 5); /* not at once */
    run(net, 60 * GP_SECOND);
    assert_int_equal(members_of(net, 2), 0);
    assert_int_equal(members_of(net, 3), 25);
    assert_int_equal(net->moves, 5);
    net_free(net);
}

static void test_who_works_does_not_move_until_it_has_done(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 20, 0);
    add_group(net, 2, 5, 0);
    net->machines[22].busy = true;
    tell_leaders(net);
    run(net, net->config.merge_after + 60 * GP_SECOND);
    assert_int_equal(net->machines[22].group, 2);
    net->machines[22].busy = false;
    run(net, 1300 * GP_SECOND);
    assert_int_equal(members_of(net, 2), 0);
    net_free(net);
}

static void test_nothing_merges_where_there_is_no_room(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 46, 0);
    add_group(net, 2, 5, 0);
    tell_leaders(net);
    run(net, 3600 * GP_SECOND);
    assert_int_equal(members_of(net, 2), 5);
    assert_int_equal(net->moves, 0);
    net_free(net);
}

static void test_a_full_sub_grid_splits_by_nearness(void **state)
{
    (void)state;
    net_t *net = net_new();
    net->groups[net->group_count++] = 1;
    for (uint32_t i = 0; i < 64; i++) {
        add(net, 1, i % 2 == 0 ? 0 : 30); /* two places */
    }
    tell_leaders(net);
    run(net, 600 * GP_SECOND);
    assert_int_equal(net->moves, 32); /* who is far has founded one, nobody moves twice */
    assert_int_equal(net->founded, 1);
    assert_int_equal(members_of(net, 1), 32);
    for (uint32_t i = 0; i < 64; i++) {
        assert_true((net->machines[i].group == 1) == (i % 2 == 0));
    }
    net_free(net);
}

static void test_machines_that_are_far_from_theirs_go_where_they_are_near(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 20, 0);
    for (uint32_t i = 0; i < 7; i++) {
        add(net, 1, 50);
    }
    tell_leaders(net);
    run(net, 600 * GP_SECOND);
    assert_int_equal(net->moves, 0); /* too few for a sub-Grid of their own */
    add(net, 1, 50);
    tell_leaders(net);
    run(net, 600 * GP_SECOND);
    assert_int_equal(net->founded, 1);
    assert_int_equal(members_of(net, 1), 20);
    assert_int_equal(net->moves, 8);
    machine_t *late = add(net, 1, 50); /* now there is one that is near: a single one goes, too */
    tell_leaders(net);
    run(net, 60 * GP_SECOND);
    assert_true(late->group != 1);
    assert_int_equal(members_of(net, 1), 20);
    run(net, 3600 * GP_SECOND);
    assert_int_equal(net->moves, 9); /* and all is at rest */
    net_free(net);
}

static void test_a_full_sub_grid_gives_nothing_to_one_that_is_far(void **state)
{
    (void)state;
    net_t *net = net_new();
    add_group(net, 1, 64, 0);
    add_group(net, 2, 10, 80);
    tell_leaders(net);
    run(net, 600 * GP_SECOND);
    assert_int_equal(net->moves, 0);
    add_group(net, 3, 1, 0); /* a newcomer, for whom there was no room */
    tell_leaders(net);
    run(net, 600 * GP_SECOND);
    assert_int_equal(members_of(net, 1), 33);
    assert_int_equal(members_of(net, 2), 10);
    assert_int_equal(members_of(net, 3), 32);
    net_free(net);
}

static void test_what_a_newcomer_chooses(void **state)
{
    (void)state;
    const gp_forming_offer_t near_and_far[] = {
        {40, 300, false}, {3, 90000, false}, {41, 350, false}};
    assert_int_equal(gp_forming_choose(near_and_far, 3), 0);
    const gp_forming_offer_t full[] = {{64, 300, true}, {64, 310, true}, {3, 90000, false}};
    assert_int_equal(gp_forming_choose(full, 3), 3);
    const gp_forming_offer_t fewest[] = {{40, 300, false}, {2, 800, false}, {2, 700, false}};
    assert_int_equal(gp_forming_choose(fewest, 3), 2);
    const gp_forming_offer_t silent[] = {{4, 0, false}, {5, 0, false}};
    assert_int_equal(gp_forming_choose(silent, 2), 2);
    const gp_forming_offer_t far[] = {{4, 60000, false}, {5, 130000, false}};
    assert_int_equal(gp_forming_choose(far, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_newcomer_hears_of_all_sub_grids_and_is_let_into_one),
        cmocka_unit_test(test_the_regions_are_listed),
        cmocka_unit_test(test_one_sub_grid_is_founded_at_a_time),
        cmocka_unit_test(test_a_region_is_founded_by_the_leader_of_the_grid),
        cmocka_unit_test(test_the_region_peer_carries_the_ask_to_the_leader_of_the_grid),
        cmocka_unit_test(test_without_a_super_peer_an_ask_fails_at_once_and_lost_it_times_out),
        cmocka_unit_test(test_nobody_but_the_region_peer_sends_machines_in),
        cmocka_unit_test(test_a_sub_grid_that_stays_small_merges_into_the_nearest),
        cmocka_unit_test(test_who_works_does_not_move_until_it_has_done),
        cmocka_unit_test(test_nothing_merges_where_there_is_no_room),
        cmocka_unit_test(test_a_full_sub_grid_splits_by_nearness),
        cmocka_unit_test(test_machines_that_are_far_from_theirs_go_where_they_are_near),
        cmocka_unit_test(test_a_full_sub_grid_gives_nothing_to_one_that_is_far),
        cmocka_unit_test(test_what_a_newcomer_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
