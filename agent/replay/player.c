#include "agent/replay/player.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/replay/mask.h"
#include "agent/replay/recorder.h"
#include "agent/replay/ring.h"
#include "agent/replay/start.h"
#include "agent/shell/story.h"
#include "proto/text.h"

#define TOLD_MAX 1024 /* bytes of one line */

typedef struct player {
    const gp_play_t *play;
    gp_played_t *played;
    gp_fail_t *fail;
    gp_ring_file_t file;
    gp_start_t start;
    void *core; /* NULL: the recording has not begun */
    bool tail;
    bool complete; /* END was read: nothing of the run is missing behind it */
    gp_peers_t peers;
    uint64_t number;     /* of the last event that was stepped */
    char described[200]; /* that event, in words */
    gp_event_t event;
    gp_msg_t msg;
    gp_digest_t digest;
    gp_action_t actions[GP_ACTIONS_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
} player_t;

static const char *const type_names[] = {
    [GP_EVENT_LOAD] = "load",     [GP_EVENT_START] = "start",     [GP_EVENT_WAKE] = "wake",
    [GP_EVENT_MSG] = "msg",       [GP_EVENT_LINK] = "link",       [GP_EVENT_DIALED] = "dialed",
    [GP_EVENT_STORED] = "stored", [GP_EVENT_COMMAND] = "command",
};

/* As the agent names machines: by what its group calls them, else by the beginning of their id. */
static const char *name_of(void *context, const gp_id_t *id)
{
    static char texts[4][GP_ID_SHORT_TEXT];
    static unsigned next;
    const player_t *player = context;
    const gp_group_member_t *member = gp_group_member(gp_peer_group(player->core), id);
    if (member != NULL && member->name[0] != '\0') {
        return member->name;
    }
    char *text = texts[next++ % 4];
    gp_id_short(id, text);
    return text;
}

/* ---- an assertion that fails ends the step, not the program ---------------------------------- */

static sigjmp_buf way_out;

static void on_abort(int number)
{
    (void)number;
    siglongjmp(way_out, 1); /* abort() allows it, and nothing of the step is used any more */
}

static void init_core(player_t *player, gp_out_t *out)
{
    (void)out;
    const gp_start_t *start = &player->start;
    size_t size = gp_peer_ops.size(&start->config);
    player->core = size > 0 ? calloc(1, size) : NULL;
    if (player->core != NULL) {
        gp_peer_ops.init(player->core, &start->config, start->self, start->seed);
    }
}

static void step_core(player_t *player, gp_out_t *out)
{
    gp_peer_ops.step(player->core, &player->event, out);
}

/* false: an assertion failed. */
static bool guarded(player_t *player, void (*run)(player_t *, gp_out_t *), gp_out_t *out)
{
    struct sigaction before;
    struct sigaction during = {.sa_handler = on_abort};
    if (sigsetjmp(way_out, 1) != 0) {
        (void)signal(SIGABRT, SIG_DFL);
        return false;
    }
    (void)sigaction(SIGABRT, &during, &before);
    run(player, out);
    (void)sigaction(SIGABRT, &before, NULL);
    return true;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(player_t *player, gp_usec_t now, const char *what, const char *text, bool event)
{
    gp_usec_t after = now > player->start.now ? now - player->start.now : 0;
    gp_told_t told = {.after = after,
                      .wall_ms = player->start.wall_ms + after / GP_MSEC,
                      .what = what,
                      .text = text,
                      .event = event,
                      .kept = player->tail};
    player->played->told++;
    player->play->tell(player->play->context, &told);
}

static void tell_notice(player_t *player, gp_usec_t now, const gp_msg_t *notice)
{
    char text[TOLD_MAX];
    if (gp_story_tell(notice, name_of, player, text, sizeof text)) {
        tell(player, now, gp_msg_name(notice->kind), text, false);
    }
}

/* "msg from n2: beat sequence=7 ..." */
static void describe(player_t *player, const gp_event_t *event, char *text, size_t size)
{
    bool peer = !gp_id_is_none(&event->peer);
    size_t used =
        (size_t)snprintf(text, size, "%s%s%s%s", type_names[event->type], peer ? " from " : "",
                         peer ? name_of(player, &event->peer) : "", event->msg != NULL ? ": " : "");
    if (event->msg != NULL && used < size) {
        (void)gp_msg_print(event->msg, name_of, player, text + used, size - used);
    } else if (event->msg == NULL && event->type > GP_EVENT_WAKE && used < size) {
        (void)snprintf(text + used, size - used, " %s", event->ok ? "ok" : "not ok");
    }
}

static void tell_event(player_t *player, const gp_event_t *event)
{
    char text[TOLD_MAX];
    describe(player, event, text, sizeof text);
    tell(player, event->now, type_names[event->type], text, true);
}

/* ---- records --------------------------------------------------------------------------------- */

static gp_error_t damaged(player_t *player, const gp_ring_record_t *record)
{
    return gp_fail(player->fail, GP_E_REPLAY_DAMAGED, "record %llu of %s makes no sense",
                   (unsigned long long)record->number, player->play->path);
}

static gp_error_t asserted(player_t *player)
{
    return gp_fail(player->fail, GP_E_REPLAY_ASSERT, "at event %llu, %s",
                   (unsigned long long)player->number, player->described);
}

static gp_error_t play_start(player_t *player, gp_get_t *get, const gp_ring_record_t *record)
{
    gp_start_t *start = &player->start;
    gp_error_t error = player->core == NULL ? gp_start_get(get, start) : GP_E_REPLAY_DAMAGED;
    gp_played_t *played = player->played;
    if (error != GP_E_REPLAY_DAMAGED) {
        (void)gp_text_escape(played->version, sizeof played->version, start->version);
    }
    if (error == GP_E_REPLAY_VERSION) {
        return gp_fail(player->fail, error, "%s was written by gridpeer %s", player->play->path,
                       played->version);
    }
    if (error != GP_OK) {
        return damaged(player, record);
    }
    (void)gp_text_copy(played->node, sizeof played->node, start->config.group.name);
    played->began_ms = start->wall_ms;
    (void)snprintf(player->described, sizeof player->described, "the beginning");
    if (!guarded(player, init_core, NULL)) {
        return asserted(player);
    }
    return player->core != NULL
               ? GP_OK
               : gp_fail(player->fail, GP_E_MEMORY, "cannot make cores of the size of %s",
                         player->play->path);
}

static gp_error_t check_hash(player_t *player, gp_get_t *get, const gp_ring_record_t *record)
{
    gp_slice_t hash = gp_get_raw(get, 8);
    if (hash.n != 8) {
        return damaged(player, record);
    }
    if (!player->tail && gp_bytes_get64(hash.p) != player->digest.hash) {
        return gp_fail(player->fail, GP_E_REPLAY_DIVERGED, "first at event %llu, %s",
                       (unsigned long long)player->number, player->described);
    }
    return GP_OK;
}

/* Whom it came from: the whole id, which is remembered, or its place among those. */
static bool read_peer(player_t *player, gp_get_t *get, bool whole)
{
    if (whole) {
        player->event.peer = gp_get_id(get);
        if (!player->tail && player->peers.count < GP_MEMBERS_MAX) {
            gp_peers_add(&player->peers, &player->event.peer);
        }
        return !gp_id_is_none(&player->event.peer);
    }
    uint64_t place = gp_get_number(get);
    if (place >= player->peers.count) {
        return false;
    }
    player->event.peer = player->peers.ids[place];
    return true;
}

static bool read_event(player_t *player, gp_get_t *get)
{
    gp_event_t *event = &player->event;
    uint64_t type = gp_get_number(get);
    uint64_t place = gp_get_number(get);
    uint64_t room = place % GP_RECORDED_SEAT;
    uint64_t seat = place / GP_RECORDED_SEAT;
    uint64_t has = gp_get_number(get);
    if (get->over || type < GP_EVENT_LOAD || type > GP_EVENT_COMMAND || room == GP_ROOM_JOIN ||
        room >= GP_ROOM_COUNT || seat >= GP_SEAT_COUNT) {
        return false;
    }
    *event = (gp_event_t){.type = (gp_event_type_t)type,
                          .room = (gp_room_t)room,
                          .seat = (gp_seat_t)seat,
                          .now = player->start.now + gp_get_number(get),
                          .ok = (has & GP_RECORDED_OK) != 0};
    if ((has & GP_RECORDED_PEER) != 0 && !read_peer(player, get, (has & GP_RECORDED_NEW) != 0)) {
        return false;
    }
    if ((has & GP_RECORDED_TOKEN) != 0) {
        event->token = gp_get_number(get);
    }
    if ((has & GP_RECORDED_MSG) != 0) {
        if (gp_mask_get(get, &player->msg) != GP_OK) {
            return false;
        }
        event->msg = &player->msg;
    }
    bool roomless = type == GP_EVENT_START || type == GP_EVENT_WAKE || type == GP_EVENT_MSG ||
                    type == GP_EVENT_LINK;
    bool speaks = type == GP_EVENT_LOAD || type == GP_EVENT_MSG || type == GP_EVENT_COMMAND;
    return !get->over && (roomless || room != 0) && speaks == (event->msg != NULL);
}

static gp_error_t step(player_t *player)
{
    gp_out_t out = {.actions = player->actions,
                    .capacity = GP_ACTIONS_MAX,
                    .arena = player->arena,
                    .size = sizeof player->arena};
    if (!guarded(player, step_core, &out)) {
        return asserted(player);
    }
    gp_digest_actions(&player->digest, &out);
    for (uint32_t i = 0; i < out.count; i++) {
        if (out.actions[i].type == GP_ACTION_NOTICE) {
            tell_notice(player, player->event.now, out.actions[i].msg);
        }
    }
    return GP_OK;
}

static gp_error_t play_event(player_t *player, gp_get_t *get, const gp_ring_record_t *record)
{
    gp_error_t error = check_hash(player, get, record);
    if (error != GP_OK) {
        return error;
    }
    if (!read_event(player, get)) {
        return damaged(player, record);
    }
    const gp_event_t *event = &player->event;
    gp_usec_t after = event->now > player->start.now ? event->now - player->start.now : 0;
    player->played->length = after;
    if (player->play->events) {
        tell_event(player, event);
    }
    if (player->tail) {
        player->played->kept++;
        return GP_OK;
    }
    player->number = record->number;
    size_t n = (size_t)snprintf(player->described, sizeof player->described, "at %llu.%06llu s, ",
                                (unsigned long long)(after / GP_SECOND),
                                (unsigned long long)(after % GP_SECOND));
    describe(player, event, player->described + n, sizeof player->described - n);
    player->played->replayed++;
    return step(player);
}

static gp_error_t play_notice(player_t *player, gp_get_t *get, const gp_ring_record_t *record)
{
    gp_usec_t now = player->start.now + gp_get_number(get);
    if (!player->tail || gp_mask_get(get, &player->msg) != GP_OK) {
        return damaged(player, record);
    }
    tell_notice(player, now, &player->msg);
    return GP_OK;
}

static gp_error_t play_record(player_t *player, const gp_ring_record_t *record)
{
    gp_get_t get = {.from = record->bytes};
    uint64_t type = gp_get_number(&get);
    player->tail = record->tail;
    player->played->lost = player->played->lost || record->gap;
    if ((player->core == NULL) != (type == GP_RECORDED_START)) {
        return damaged(player, record);
    }
    switch (type) {
    case GP_RECORDED_START:
        return play_start(player, &get, record);
    case GP_RECORDED_EVENT:
        return play_event(player, &get, record);
    case GP_RECORDED_NOTICE:
        return play_notice(player, &get, record);
    case GP_RECORDED_END:
        player->complete = true;
        return check_hash(player, &get, record);
    default:
        return damaged(player, record);
    }
}

static gp_error_t play_all(player_t *player)
{
    gp_ring_record_t record;
    bool some = true;
    gp_error_t error = GP_OK;
    while (error == GP_OK && some) {
        error = gp_ring_next(&player->file, &record, &some, player->fail);
        if (error == GP_OK && some) {
            error = play_record(player, &record);
        }
    }
    player->played->torn = player->file.torn;
    /* The file is closed in good order even if the disk failed before and no END is in it. */
    player->played->ended = player->file.closed && player->complete;
    player->played->stopped = player->file.closed && !player->complete && error == GP_OK;
    if (error == GP_OK && player->core == NULL) {
        error = gp_fail(player->fail, GP_E_REPLAY_DAMAGED, "%s holds nothing", player->play->path);
    }
    return error;
}

gp_error_t gp_replay_play(const gp_play_t *play, gp_played_t *ret_played, gp_fail_t *fail)
{
    *ret_played = (gp_played_t){0};
    player_t *player = calloc(1, sizeof *player);
    if (player == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot play %s", play->path);
    }
    player->play = play;
    player->played = ret_played;
    player->fail = fail;
    gp_error_t error = gp_ring_open(play->path, &player->file, fail);
    if (error == GP_OK) {
        error = play_all(player);
        gp_ring_free(&player->file);
    }
    free(player->core);
    free(player);
    return error;
}
