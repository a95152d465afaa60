#include "discovery_route_lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "discovery/route_check.h"
#include "proto_cmocka.h"

#define EVENTS     65536
#define GRID_GROUP (UINT64_C(2) << 56 | 1)
#define ROUNDS     60 /* of round trips by which machines find their places */
#define NEIGHBOURS 4
#define SETTLE     (8 * GP_SECOND)
#define GRID_ID    0x67

static const gp_sealer_t sealer = {.signer = &gp_signer_standin};

static uint64_t subgrid_group(uint32_t subgrid)
{
    return subgrid + 1;
}

static uint64_t region_group(uint32_t region)
{
    return UINT64_C(1) << 56 | (region + 1);
}

static gp_id_t id_of(uint32_t subgrid, uint32_t host)
{
    return (gp_id_t){{1, (uint8_t)(subgrid >> 8), (uint8_t)subgrid, (uint8_t)host}};
}

void route_lab_whose(const route_lab_t *lab, const gp_id_t *id, uint32_t *ret_subgrid,
                     uint32_t *ret_host)
{
    (void)lab;
    *ret_subgrid = (uint32_t)(id->b[1] << 8 | id->b[2]);
    *ret_host = id->b[3];
}

static uint32_t node_of(const route_lab_t *lab, const gp_id_t *id)
{
    uint32_t subgrid;
    uint32_t host;
    route_lab_whose(lab, id, &subgrid, &host);
    return host == 0 ? subgrid : route_lab_asker(lab, subgrid);
}

uint32_t route_lab_asker(const route_lab_t *lab, uint32_t subgrid)
{
    assert_true(subgrid < lab->config.askers);
    return lab->config.subgrids + subgrid;
}

/* ---- the plane ------------------------------------------------------------------------------- */

static int64_t below(route_lab_t *lab, int64_t bound)
{
    return (int64_t)gp_random_below(&lab->random, (uint64_t)bound);
}

static int64_t root(int64_t value)
{
    int64_t least = 0;
    int64_t most = INT64_C(1) << 24;
    while (least < most) {
        int64_t middle = (least + most + 1) / 2;
        if (middle * middle <= value) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    return least;
}

int64_t route_lab_truth_us(const route_lab_t *lab, const route_lab_place_t *a,
                           const route_lab_place_t *b)
{
    (void)lab;
    return root((a->x - b->x) * (a->x - b->x) + (a->y - b->y) * (a->y - b->y)) + a->line + b->line;
}

const route_lab_place_t *route_lab_place_of(const route_lab_t *lab, uint32_t node)
{
    const route_lab_node_t *n = &lab->nodes[node];
    return &lab->subgrids[n->subgrid].places[n->host];
}

/* A city for each region, sub-Grids around it, their machines near each other. */
static void build_plane(route_lab_t *lab)
{
    int64_t city[ROUTE_LAB_REGIONS_MAX][2];
    for (uint32_t r = 0; r < lab->config.regions; r++) {
        city[r][0] = below(lab, 60000);
        city[r][1] = below(lab, 60000);
    }
    for (uint32_t s = 0; s < lab->config.subgrids; s++) {
        route_lab_subgrid_t *subgrid = &lab->subgrids[s];
        int64_t x = city[subgrid->region][0] + below(lab, 6001) - 3000;
        int64_t y = city[subgrid->region][1] + below(lab, 6001) - 3000;
        for (uint32_t h = 0; h < LAB_HOSTS; h++) {
            route_lab_place_t *place = &subgrid->places[h];
            *place =
                (route_lab_place_t){.x = x + below(lab, 601) - 300,
                                    .y = y + below(lab, 601) - 300,
                                    .line = 100 + below(lab, INT64_C(1) << (5 + below(lab, 6)))};
            gp_coordinate_start(&place->coordinate);
        }
    }
}

/* Of four neighbours two are of the own sub-Grid and one of the own region, as beats make them. */
static route_lab_subgrid_t *neighbourhood(route_lab_t *lab, route_lab_subgrid_t *own, uint32_t i)
{
    const uint32_t regions = lab->config.regions;
    if (i % 4 < 2) {
        return own;
    }
    if (i % 4 == 2) {
        uint32_t in_region = (lab->config.subgrids - 1 - own->region) / regions + 1;
        return &lab->subgrids[own->region + regions * (uint32_t)below(lab, in_region)];
    }
    return &lab->subgrids[below(lab, lab->config.subgrids)];
}

static void know_places(route_lab_t *lab)
{
    for (uint32_t m = 0; m < lab->config.subgrids * LAB_HOSTS; m++) {
        route_lab_place_t *place = &lab->subgrids[m / LAB_HOSTS].places[m % LAB_HOSTS];
        place->coordinate.axis[0] = (int32_t)place->x * GP_COORDINATE_TICKS;
        place->coordinate.axis[1] = (int32_t)place->y * GP_COORDINATE_TICKS;
        place->coordinate.height = (int32_t)place->line * GP_COORDINATE_TICKS;
    }
}

static void find_places(route_lab_t *lab)
{
    const uint32_t machines = lab->config.subgrids * LAB_HOSTS;
    for (uint32_t i = 0; i < ROUNDS * NEIGHBOURS; i++) {
        for (uint32_t m = 0; m < machines; m++) {
            route_lab_subgrid_t *s = &lab->subgrids[m / LAB_HOSTS];
            route_lab_place_t *a = &s->places[m % LAB_HOSTS];
            route_lab_place_t *b = &neighbourhood(lab, s, i)->places[below(lab, LAB_HOSTS)];
            int64_t rtt = route_lab_truth_us(lab, a, b) * (950 + below(lab, 101)) / 1000;
            if (a != b) {
                gp_coordinate_update(&a->coordinate, &lab->random, &b->coordinate, (uint32_t)rtt);
            }
        }
    }
}

/* ---- the network ----------------------------------------------------------------------------- */

static void push(route_lab_t *lab, route_lab_event_t event)
{
    assert_true(lab->event_count < EVENTS);
    lab->order += 1;
    event.key.order = lab->order;
    heap_push(lab->events, &lab->event_count, sizeof event, &event);
}

static void want_wake(route_lab_t *lab, uint32_t node)
{
    route_lab_node_t *n = &lab->nodes[node];
    gp_usec_t wake = gp_route_ops.wake(n->core);
    if (wake != n->wake) {
        n->wake = wake;
        if (wake != GP_NEVER) {
            wake = wake > lab->now ? wake : lab->now;
            push(lab, (route_lab_event_t){.key = {.at = wake}, .node = node});
        }
    }
}

static void send_one(route_lab_t *lab, uint32_t from, const gp_id_t *to, const gp_msg_t *msg)
{
    static uint8_t frame[GP_MESSAGE_MAX];
    static uint64_t sequence;
    size_t n = 0;
    uint32_t node = node_of(lab, to);
    const route_lab_node_t *sender = &lab->nodes[from];
    gp_envelope_t envelope = {.is_signed = true,
                              .kind = msg->kind,
                              .grid = {{GRID_ID}},
                              .source = sender->id,
                              .destination = *to,
                              .boot = 1,
                              .sequence = ++sequence,
                              .sent_ms = ROUTE_LAB_WALL + lab->now / GP_MSEC};
    assert_int_equal(gp_envelope_seal(&envelope, msg, &sealer, frame, sizeof frame, &n), GP_OK);
    lab->sent[msg->kind] += 1;
    lab->bytes_sent += n;
    bool gone = sender->fault == ROUTE_LAB_DEAD ||
                (sender->fault == ROUTE_LAB_DROPS && msg->kind == GP_MSG_ROUTE_BACK);
    if (gp_random_below(&lab->random, 1000) < lab->config.loss && msg->kind != GP_MSG_PLACE) {
        lab->lost += 1;
        gone = true;
    }
    if (gone) {
        return;
    }
    int64_t way =
        route_lab_truth_us(lab, route_lab_place_of(lab, from), route_lab_place_of(lab, node));
    route_lab_event_t event = {.node = node, .from = from, .n = (uint32_t)n, .frame = malloc(n)};
    assert_non_null(event.frame);
    memcpy(event.frame, frame, n);
    event.key.at = lab->now + (gp_usec_t)(way * (450 + below(lab, 300)) / 1000);
    push(lab, event);
}

/* A relay that changes what it carries signs its own frame rightly: only the claim is wrong. */
static void rewrite(gp_msg_t *msg)
{
    if (msg->kind == GP_MSG_ROUTE_BACK) {
        gp_slice_t *claim = &msg->u.route_back.claim;
        uint8_t *copy = malloc(claim->n);
        assert_non_null(copy);
        memcpy(copy, claim->p, claim->n);
        copy[claim->n - GP_SIGNATURE_BYTES - 1] ^= 1;
        claim->p = copy;
    }
}

static void carry_out(route_lab_t *lab, uint32_t node, const gp_action_t *action)
{
    if (action->type == GP_ACTION_SEND && lab->nodes[node].fault == ROUTE_LAB_REWRITES &&
        action->msg->kind == GP_MSG_ROUTE_BACK) {
        gp_msg_t copy;
        gp_msg_copy(&copy, action->msg);
        rewrite(&copy);
        send_one(lab, node, &action->peer, &copy);
        free((uint8_t *)(uintptr_t)copy.u.route_back.claim.p);
    } else if (action->type == GP_ACTION_SEND) {
        send_one(lab, node, &action->peer, action->msg);
    }
    for (uint32_t i = 0; i < action->target_count; i++) {
        send_one(lab, node, &action->targets[i], action->msg);
    }
}

/* ---- in place of discovery ------------------------------------------------------------------- */

static void step(route_lab_t *lab, uint32_t node, gp_event_t event);

static void command(route_lab_t *lab, uint32_t node, uint64_t token, const gp_msg_t *msg)
{
    step(lab, node,
         (gp_event_t){.type = GP_EVENT_COMMAND,
                      .room = GP_ROOM_ROUTE,
                      .token = token,
                      .ok = true,
                      .msg = msg});
}

static gp_msg_t *draft(route_lab_t *lab, gp_msg_kind_t kind)
{
    memset(&lab->msg, 0, gp_msg_size(kind));
    lab->msg.kind = kind;
    return &lab->msg;
}

static void summarize(route_lab_t *lab, route_lab_subgrid_t *s)
{
    static gp_summary_t summary;
    static gp_summary_t other;
    static gp_route_names_t names;
    memset(&names, 0, sizeof names);
    gp_summary_make(s->grid.records, lab_grid_lanes(&s->grid), &summary);
    for (uint32_t i = 0; i < lab->config.subgrids && s->lies; i++) {
        const lab_grid_t *grid = &lab->subgrids[i].grid;
        gp_summary_make(grid->records, lab_grid_lanes(grid), &other);
        gp_summary_join(&summary, &other);
    }
    for (uint32_t h = 0; h < LAB_HOSTS; h++) {
        gp_route_names_add(&names, gp_records_text(s->grid.records, h, GP_ATTR_NAME, NULL));
    }
    s->summary_n = (uint32_t)gp_summary_pack(&summary, s->summary);
    s->names_n = (uint32_t)gp_route_names_pack(&names, s->names);
    s->stale = false;
}

static void tell_own(route_lab_t *lab, uint32_t node)
{
    route_lab_subgrid_t *s = &lab->subgrids[lab->nodes[node].subgrid];
    if (s->stale) {
        summarize(lab, s);
    }
    gp_msg_t *msg = draft(lab, GP_MSG_ROUTE_OWN);
    msg->u.route_own.members = LAB_HOSTS;
    msg->u.route_own.partial = lab->nodes[node].fault == ROUTE_LAB_UNRECORDED;
    msg->u.route_own.summary = gp_slice(s->summary, s->summary_n);
    msg->u.route_own.names = gp_slice(s->names, s->names_n);
    command(lab, node, 0, msg);
}

typedef struct candidate {
    uint32_t host;
    uint32_t rtt_us;
} candidate_t;

/* By the rank that was asked for, else nearest first. */
static void add_candidate(const route_lab_t *lab, const route_lab_subgrid_t *s, bool ranked,
                          candidate_t *list, uint32_t *count, candidate_t c)
{
    uint32_t at = *count;
    while (at > 0) {
        const candidate_t *before = &list[at - 1];
        int order = ranked ? gp_rank_compare(&lab->rank, s->grid.records, c.host, s->grid.records,
                                             before->host)
                           : (c.rtt_us < before->rtt_us ? -1 : 1);
        if (order >= 0) {
            break;
        }
        list[at] = *before;
        at--;
    }
    list[at] = c;
    *count += 1;
}

static void answer_own(route_lab_t *lab, uint32_t node, uint64_t token,
                       const gp_msg_route_question_t *q)
{
    static char names[LAB_HOSTS][GP_NAME_MAX];
    const route_lab_node_t *n = &lab->nodes[node];
    const route_lab_subgrid_t *s = &lab->subgrids[n->subgrid];
    gp_query_error_t error;
    candidate_t list[LAB_HOSTS];
    uint32_t count = 0;
    gp_coordinate_t near;
    bool known = gp_coordinate_read(q->coordinate, &near) == GP_OK;
    assert_int_equal(gp_query_compile(q->query, &lab->query, &error), GP_OK);
    assert_int_equal(gp_rank_compile(q->rank, &lab->rank, &error), GP_OK);
    uint64_t match = gp_query_eval(&lab->query, s->grid.records, lab_grid_lanes(&s->grid));
    gp_msg_t *msg = draft(lab, GP_MSG_ROUTE_LOCAL);
    gp_msg_route_local_t *to = &msg->u.route_local;
    to->right = GP_RIGHT_QUORUM;
    to->partial = lab->nodes[n->subgrid].fault == ROUTE_LAB_UNRECORDED;
    to->error = lab->nodes[n->subgrid].fault == ROUTE_LAB_DEAD ? GP_E_TIMED_OUT : GP_OK;
    to->considered = LAB_HOSTS;
    to->matched = gp_count_bits(match);
    for (; match != 0 && to->error == GP_OK; match &= match - 1) {
        uint32_t host = gp_lowest_bit(match);
        uint32_t rtt = known ? gp_coordinate_distance_us(&near, &s->places[host].coordinate) : 0;
        add_candidate(lab, s, q->rank.n > 0, list, &count, (candidate_t){host, rtt});
    }
    uint32_t limit = q->limit == 0 ? GP_HITS_MAX : q->limit;
    for (uint32_t i = 0; i < count && i < limit; i++) {
        gp_slice_t name = gp_records_text(s->grid.records, list[i].host, GP_ATTR_NAME, NULL);
        memcpy(names[i], name.p, name.n);
        to->hits[i] = (gp_record_hit_t){.id = id_of(n->subgrid, list[i].host),
                                        .name = gp_slice(names[i], name.n),
                                        .rtt_us = list[i].rtt_us};
        to->hits_count += 1;
        for (uint32_t w = 0; w + 1 < q->want.n && to->values_count < GP_VALUES_MAX; w += 2) {
            uint16_t attr = (uint16_t)(q->want.p[w] << 8 | q->want.p[w + 1]);
            gp_record_attr_t is = {0};
            bool knows = gp_records_knows(s->grid.records, list[i].host, attr);
            is = knows ? gp_records_attr(s->grid.records, list[i].host, attr) : is;
            to->values[to->values_count] = (gp_record_value_t){.hit = (uint8_t)i,
                                                               .attr = attr,
                                                               .known = knows,
                                                               .number = is.number,
                                                               .text = is.text};
            to->values_count += 1;
        }
    }
    command(lab, node, token, msg);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void take_answer(route_lab_t *lab, const gp_msg_route_answer_t *from)
{
    route_lab_answer_t *to = &lab->answer;
    assert_false(to->there); /* one answer to each question */
    *to = (route_lab_answer_t){.there = true,
                               .partial = from->partial,
                               .error = from->error,
                               .hops = from->hops,
                               .asked = from->asked,
                               .answered = from->answered,
                               .matching = from->matching,
                               .absences = from->absences,
                               .absent_count = from->absent_count,
                               .hit_count = from->hits_count,
                               .after = lab->now - lab->asked_at};
    for (uint32_t i = 0; i < from->absent_count; i++) {
        to->why[i] = from->absent[i].why;
        to->absent[i] = from->absent[i].group;
    }
    for (uint32_t i = 0; i < from->hits_count; i++) {
        to->hits[i] = from->hits[i].id;
        for (uint32_t k = 0; k < i; k++) {
            assert_false(gp_id_equal(&to->hits[k], &to->hits[i]));
        }
    }
    if (from->hits_count > 0) {
        memcpy(to->region, from->hits[0].region.p, from->hits[0].region.n);
        memcpy(to->subgrid, from->hits[0].subgrid.p, from->hits[0].subgrid.n);
    }
}

typedef struct notice {
    gp_msg_kind_t kind;
    uint64_t token;
    gp_msg_route_question_t question;
    char text[2 * GP_QUERY_MAX];
    uint8_t bytes[128];
} notice_t;

static gp_slice_t kept(void *to, gp_slice_t from)
{
    if (from.n > 0) {
        memcpy(to, from.p, from.n);
    }
    return gp_slice(to, from.n);
}

/* Notices are answered after the step: the sheet is used again. */
static void keep_notice(route_lab_t *lab, const gp_action_t *action, notice_t *notices,
                        uint32_t *count)
{
    if (action->msg->kind == GP_MSG_ROUTE_ANSWER) {
        take_answer(lab, &action->msg->u.route_answer);
        return;
    }
    if (action->msg->kind != GP_MSG_ROUTE_QUESTION && action->msg->kind != GP_MSG_PLACE_DUE) {
        return;
    }
    assert_true(*count < 8);
    notice_t *to = &notices[*count];
    to->kind = action->msg->kind;
    to->token = action->token;
    if (to->kind == GP_MSG_ROUTE_QUESTION) {
        to->question = action->msg->u.route_question;
        gp_msg_route_question_t *q = &to->question;
        q->query = kept(to->text, q->query);
        q->rank = kept(to->text + GP_QUERY_MAX, q->rank);
        q->want = kept(to->bytes, q->want);
        q->coordinate = kept(to->bytes + 64, q->coordinate);
    }
    *count += 1;
}

static void step(route_lab_t *lab, uint32_t node, gp_event_t event)
{
    route_lab_node_t *n = &lab->nodes[node];
    notice_t *notices = calloc(8, sizeof *notices);
    uint32_t count = 0;
    assert_non_null(notices);
    event.now = lab->now;
    gp_out_reset(&lab->out);
    lab->out.room = GP_ROOM_ROUTE;
    gp_route_ops.step(n->core, &event, &lab->out);
    gp_route_ops.check(n->core);
    for (uint32_t i = 0; i < lab->out.count; i++) {
        if (lab->actions[i].type == GP_ACTION_NOTICE) {
            keep_notice(lab, &lab->actions[i], notices, &count);
        } else {
            carry_out(lab, node, &lab->actions[i]);
        }
    }
    want_wake(lab, node);
    for (uint32_t i = 0; i < count; i++) {
        if (notices[i].kind == GP_MSG_PLACE_DUE) {
            tell_own(lab, node);
        } else {
            answer_own(lab, node, notices[i].token, &notices[i].question);
        }
    }
    free(notices);
}

static void deliver(route_lab_t *lab, const route_lab_event_t *event)
{
    static gp_msg_t msg;
    gp_envelope_t envelope;
    const gp_id_t from = lab->nodes[event->from].id;
    const gp_route_checker_t checker = {.grid = {{GRID_ID}},
                                        .signer = &gp_signer_standin,
                                        .wall = ROUTE_LAB_WALL + lab->now / GP_MSEC};
    gp_slice_t frame = gp_slice(event->frame, event->n);
    assert_int_equal(gp_envelope_open(frame, &envelope), GP_OK);
    assert_int_equal(gp_msg_read(envelope.kind, envelope.body, true, &msg), GP_OK);
    msg.signed_bytes = frame;
    msg.sent_ms = envelope.sent_ms;
    if (gp_route_check(&msg, &from, &checker) != GP_OK) {
        lab->refused += 1;
        return;
    }
    step(lab, event->node, (gp_event_t){.type = GP_EVENT_MSG, .peer = from, .msg = &msg});
}

static void next(route_lab_t *lab)
{
    route_lab_event_t event;
    heap_pop(lab->events, &lab->event_count, sizeof event, &event);
    route_lab_node_t *n = &lab->nodes[event.node];
    lab->now = event.key.at > lab->now ? event.key.at : lab->now;
    if (event.frame != NULL && n->fault != ROUTE_LAB_DEAD) {
        deliver(lab, &event);
    } else if (event.frame == NULL && n->wake <= lab->now) {
        n->wake = GP_NEVER;
        step(lab, event.node, (gp_event_t){.type = GP_EVENT_WAKE});
    }
    free(event.frame);
}

void route_lab_run(route_lab_t *lab, gp_usec_t span)
{
    gp_usec_t end = lab->now + span;
    while (lab->event_count > 0 && lab->events[0].key.at <= end) {
        next(lab);
    }
    lab->now = end;
}

/* ---- who leads ------------------------------------------------------------------------------- */

static void lead(route_lab_t *lab, uint32_t node, gp_seat_t seat, uint64_t group, uint64_t term,
                 const gp_id_t pair[2])
{
    gp_msg_t *msg = draft(lab, GP_MSG_ROUTE_LEADER);
    msg->u.route_leader = (gp_msg_route_leader_t){.seat = (uint8_t)seat,
                                                  .group = group,
                                                  .term = term,
                                                  .leader = pair[0],
                                                  .deputy = pair[1],
                                                  .right = GP_RIGHT_QUORUM};
    command(lab, node, 0, msg);
}

static void member(route_lab_t *lab, uint32_t node, gp_seat_t seat, uint32_t who, bool gone)
{
    gp_msg_t *msg = draft(lab, GP_MSG_ROUTE_MEMBER);
    msg->u.route_member.seat = (uint8_t)seat;
    msg->u.route_member.id = lab->nodes[who].id;
    msg->u.route_member.gone = gone;
    command(lab, node, 0, msg);
}

static void lead_region(route_lab_t *lab, uint32_t region, uint64_t term)
{
    const uint32_t regions = lab->config.regions;
    const gp_id_t none[2] = {{{0}}};
    uint32_t leader = lab->leader[region];
    uint32_t deputy = leader + regions < lab->config.subgrids ? leader + regions : region;
    const gp_id_t pair[2] = {lab->nodes[leader].id, lab->nodes[deputy].id};
    for (uint32_t s = region; s < lab->config.subgrids; s += regions) {
        lead(lab, s, GP_SEAT_REGION, region_group(region), term, pair);
        lead(lab, s, GP_SEAT_GRID, s == leader ? GRID_GROUP : 0, 1, none);
    }
    for (uint32_t i = 0; i < regions; i++) {
        for (uint32_t k = 0; k < regions; k++) {
            member(lab, lab->leader[i], GP_SEAT_GRID, lab->leader[k], false);
        }
    }
    for (uint32_t s = region; s < lab->config.subgrids; s += regions) {
        member(lab, leader, GP_SEAT_REGION, s, false);
        member(lab, deputy, GP_SEAT_REGION, s, false);
    }
}

void route_lab_depose(route_lab_t *lab, uint32_t region)
{
    uint32_t before = lab->leader[region];
    lab->leader[region] += lab->config.regions;
    assert_true(lab->leader[region] < lab->config.subgrids);
    for (uint32_t i = 0; i < lab->config.regions; i++) {
        member(lab, lab->leader[i], GP_SEAT_GRID, before, true);
    }
    lead_region(lab, region, 3);
}

/* ---- the lab --------------------------------------------------------------------------------- */

static void add_node(route_lab_t *lab, uint32_t node, uint32_t subgrid, uint32_t host)
{
    char name[GP_NAME_MAX];
    char region[GP_NAME_MAX];
    uint8_t where[GP_COORDINATE_BYTES];
    route_lab_node_t *n = &lab->nodes[node];
    const route_lab_subgrid_t *s = &lab->subgrids[subgrid];
    (void)snprintf(name, sizeof name, "s%u", subgrid);
    (void)snprintf(region, sizeof region, "r%u", s->region);
    const gp_route_config_t config = {
        .groups = {subgrid_group(subgrid), region_group(s->region), GRID_GROUP},
        .subgrid = gp_text(name),
        .region = gp_text(region)};
    size_t size = (gp_route_ops.size(&config) + 4095) / 4096 * 4096;
    if (lab->memory == NULL) {
        lab->memory = calloc(lab->node_count, size); /* most of it is never touched */
        assert_non_null(lab->memory);
    }
    *n = (route_lab_node_t){.core = lab->memory + node * size,
                            .id = id_of(subgrid, host),
                            .subgrid = subgrid,
                            .host = host,
                            .wake = GP_NEVER};
    gp_route_ops.init(n->core, &config, n->id, node + lab->config.seed);
    gp_msg_t *msg = draft(lab, GP_MSG_ROUTE_SELF);
    gp_coordinate_pack(&s->places[host].coordinate, where);
    msg->u.route_self.coordinate = gp_slice(where, sizeof where);
    command(lab, node, 0, msg);
}

static void build_nodes(route_lab_t *lab)
{
    const gp_id_t nobody = {{0}};
    for (uint32_t s = 0; s < lab->config.subgrids; s++) {
        add_node(lab, s, s, 0);
    }
    for (uint32_t s = 0; s < lab->config.askers; s++) {
        add_node(lab, route_lab_asker(lab, s), s, 1);
    }
    for (uint32_t i = 0; i < lab->node_count; i++) {
        const uint32_t s = lab->nodes[i].subgrid;
        const gp_id_t pair[2] = {lab->nodes[s].id, nobody};
        lead(lab, i, GP_SEAT_SUBGRID, subgrid_group(s), 1, pair);
    }
    for (uint32_t r = 0; r < lab->config.regions; r++) {
        lab->leader[r] = r;
    }
    for (uint32_t r = 0; r < lab->config.regions; r++) {
        lead_region(lab, r, 2); /* who leads in the first term founded it: nobody else knew it */
    }
}

route_lab_t *route_lab_new(const route_lab_config_t *config)
{
    route_lab_t *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    assert_true(config->regions <= ROUTE_LAB_REGIONS_MAX && config->askers <= config->subgrids);
    lab->config = *config;
    lab->now = GP_SECOND;
    lab->node_count = config->subgrids + config->askers;
    lab->nodes = calloc(lab->node_count, sizeof *lab->nodes);
    lab->subgrids = calloc(config->subgrids, sizeof *lab->subgrids);
    lab->events = calloc(EVENTS, sizeof *lab->events);
    lab->arena = aligned_alloc(16, GP_ARENA_BYTES);
    assert_true(lab->nodes != NULL && lab->subgrids != NULL && lab->events != NULL &&
                lab->arena != NULL);
    lab->out = (gp_out_t){.actions = lab->actions,
                          .capacity = GP_ACTIONS_MAX,
                          .arena = lab->arena,
                          .size = GP_ARENA_BYTES};
    gp_random_init(&lab->random, config->seed);
    for (uint32_t s = 0; s < config->subgrids; s++) {
        lab_grid_init(&lab->subgrids[s].grid, s, config->mixed, &lab->random);
        lab->subgrids[s].region = s % config->regions;
        lab->subgrids[s].stale = true;
    }
    build_plane(lab);
    if (config->exact) {
        know_places(lab);
    } else {
        find_places(lab);
    }
    build_nodes(lab);
    route_lab_run(lab, SETTLE);
    return lab;
}

void route_lab_free(route_lab_t *lab)
{
    for (uint32_t i = 0; i < lab->event_count; i++) {
        free(lab->events[i].frame);
    }
    for (uint32_t s = 0; s < lab->config.subgrids; s++) {
        lab_grid_free(&lab->subgrids[s].grid);
    }
    free(lab->events);
    free(lab->nodes);
    free(lab->subgrids);
    free(lab->memory);
    free(lab->arena);
    free(lab);
}

const route_lab_answer_t *route_lab_ask(route_lab_t *lab, const route_lab_question_t *question)
{
    gp_msg_t *msg = draft(lab, GP_MSG_ROUTE_FIND);
    gp_msg_route_find_t *find = &msg->u.route_find;
    find->scope = question->scope;
    find->query = gp_text(question->query);
    find->rank = gp_text(question->rank != NULL ? question->rank : "");
    find->limit = question->limit;
    find->timeout_ms = question->timeout_ms != 0 ? question->timeout_ms : 5000;
    gp_usec_t end = lab->now + find->timeout_ms * GP_MSEC + GP_MSEC;
    lab->answer.there = false;
    lab->asked_at = lab->now;
    command(lab, question->node, 7, msg);
    while (!lab->answer.there && lab->event_count > 0 && lab->events[0].key.at <= end) {
        next(lab);
    }
    if (!lab->answer.there) {
        fail_msg("no answer in time: %s", question->query);
    }
    return &lab->answer;
}

uint64_t route_lab_matches(route_lab_t *lab, uint32_t subgrid, const char *query)
{
    gp_query_error_t error;
    const lab_grid_t *grid = &lab->subgrids[subgrid].grid;
    assert_int_equal(gp_query_compile(gp_text(query), &lab->query, &error), GP_OK);
    return gp_query_eval(&lab->query, grid->records, lab_grid_lanes(grid));
}
