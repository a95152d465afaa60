#include "agent/node/join.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/tiers/forming.h"
#include "proto/text.h"

/* ---- asking ------------------------------------------------------------------------------------
 */

static gp_error_t params_check(const gp_join_params_t *params, gp_fail_t *fail)
{
    char shown[120];
    const char *address = params->address;
    if (gp_name_check(gp_text(params->region)) != GP_OK) {
        (void)gp_text_escape(shown, sizeof shown, gp_text(params->region));
        return gp_fail(fail, GP_E_NAME, "\"%s\" cannot name a region", shown);
    }
    if (gp_name_check(gp_text(params->name)) != GP_OK) {
        (void)gp_text_escape(shown, sizeof shown, gp_text(params->name));
        return gp_fail(fail, GP_E_NAME, "\"%s\" cannot name a machine: give one with --name NAME",
                       shown);
    }
    if (address != NULL && address[0] != '\0' &&
        (gp_address_check(gp_text(address), false) != GP_OK || strchr(address, '*') != NULL)) {
        (void)gp_text_escape(shown, sizeof shown, gp_text(address));
        return gp_fail(fail, GP_E_ADDRESS, "others cannot dial \"%s\"", shown);
    }
    return gp_setup_check_listen(params->listen, fail);
}

/* Says why a token is no good; never the token. */
static gp_error_t token_fail(gp_error_t error, const gp_join_params_t *params, gp_fail_t *fail)
{
    const size_t length = strlen(params->token);
    if (error == GP_E_TOKEN_FORMAT) {
        return gp_fail(fail, error, "what was given has %zu characters", length);
    }
    if (error == GP_E_TOKEN_EXPIRED || error == GP_E_CERT_NOT_YET) {
        char now[GP_FAIL_TIME_TEXT];
        return gp_fail(fail, error, "this machine's clock says %s: is it right?",
                       gp_fail_time(params->now_ms, now));
    }
    return gp_fail(fail, error, "%s", "");
}

static gp_error_t keys_make(gp_join_t *join, const gp_join_params_t *params, gp_fail_t *fail)
{
    gp_error_t error = gp_token_parse(params->token, params->now_ms, join->token_bytes,
                                      &join->token, &join->one_time);
    if (error != GP_OK) {
        return token_fail(error, params, fail);
    }
    if (params->adds && strcmp(join->token.region, params->region) == 0) {
        return gp_fail(fail, GP_E_REGION_EXISTS, "the token is from %s", params->region);
    }
    if (params->adds && (join->token.roles & GP_ROLE_ADMIT) == 0) {
        return gp_fail(fail, GP_E_TOKEN_ADMIT, "%s", "");
    }
    if (!params->adds && strcmp(join->token.region, params->region) != 0) {
        return gp_fail(fail, GP_E_TOKEN_REGION,
                       "it is for %s, not for %s: gridpeer join %s "
                       "--token T",
                       join->token.region, params->region, join->token.region);
    }
    error = gp_secret_new(&join->node);
    if (error != GP_OK) {
        return gp_fail(fail, error, "cannot make a key: is `ulimit -l` too small?");
    }
    join->id = gp_secret_id(join->node);
    gp_token_prove(join->one_time, &join->id, gp_text(join->name), join->proof);
    return GP_OK;
}

static void copy_optional(char *to, size_t size, const char *from)
{
    (void)gp_text_copy(to, size, gp_text(from != NULL ? from : ""));
}

gp_error_t gp_join_prepare(const gp_join_params_t *params, gp_join_t *ret_join, gp_fail_t *fail)
{
    gp_join_t *join = ret_join; /* too large to copy, and its slices point into it */
    memset(join, 0, sizeof *join);
    join->dir = (gp_state_dir_t){.root_fd = -1, .fd = -1, .lock_fd = -1};
    gp_error_t error = params_check(params, fail);
    if (error == GP_OK) {
        copy_optional(join->name, sizeof join->name, params->name);
        copy_optional(join->address, sizeof join->address, params->address);
        copy_optional(join->listen, sizeof join->listen, params->listen);
        copy_optional(join->region, sizeof join->region, params->region);
        join->adds = params->adds;
        join->found = params->adds ? GP_FOUNDS_REGION : GP_FOUNDS_NOTHING;
        error = keys_make(join, params, fail);
    }
    if (error == GP_OK) {
        error = gp_state_begin(params->root, params->name, &join->dir, fail);
    }
    if (error == GP_OK && params->sim) {
        error = gp_state_mark_sim(&join->dir, fail);
    }
    if (error != GP_OK) {
        gp_join_close(join);
    }
    return error;
}

void gp_join_ask(const gp_join_t *join, gp_msg_t *ret_msg)
{
    ret_msg->kind = GP_MSG_JOIN_ASK;
    ret_msg->u.join_ask = (gp_msg_join_ask_t){.invitation = join->token.invitation,
                                              .proof = gp_slice(join->proof, sizeof join->proof),
                                              .name = gp_text(join->name),
                                              .region = gp_text(join->region),
                                              .address = gp_text(join->address),
                                              .chosen = join->chosen,
                                              .found = join->found};
}

/* ---- believing ---------------------------------------------------------------------------------
 */

/* A refusal carries one of our codes and words of the other side, which may be anything. */
static gp_error_t refused(const gp_msg_join_no_t *no, gp_fail_t *fail)
{
    char shown[GP_REASON_TEXT_MAX + 1];
    const gp_error_t error = (gp_error_t)no->error;
    const bool known = no->error != 0 && strcmp(gp_error_name(error), "E_UNKNOWN") != 0;
    (void)gp_text_escape(shown, sizeof shown, no->text);
    return gp_fail(fail, known ? error : GP_E_JOIN_REFUSED, "the machine that was asked says: %s",
                   shown[0] != '\0' ? shown : gp_error_text(known ? error : GP_E_JOIN_REFUSED));
}

/* A grid has either none above its sub-Grids or one of each tier. */
static bool are_groups(const gp_msg_join_ok_t *ok)
{
    bool lone = ok->region_group == 0 && ok->grid_group == 0;
    return ok->group != 0 && gp_group_tier(ok->group) == 0 &&
           (lone || (gp_group_tier(ok->region_group) == 1 && gp_group_tier(ok->grid_group) == 2));
}

static gp_error_t cert_check(const gp_join_t *join, const gp_msg_join_ok_t *ok, gp_wall_ms_t now_ms,
                             gp_fail_t *fail)
{
    gp_cert_t cert;
    const gp_error_t error = gp_cert_verify(ok->cert, &join->token.root, now_ms, &cert);
    if (error != GP_OK) {
        return gp_fail(fail, error, "the certificate that was sent was not accepted");
    }
    if (!gp_id_equal(&cert.node, &join->id) || strcmp(cert.name, join->name) != 0 ||
        strcmp(cert.region, join->region) != 0 ||
        !gp_id_equal(&ok->root, &join->token.root) ||
        !gp_slice_equal(ok->region, gp_text(join->region))) {
        return gp_fail(fail, GP_E_CERT_SIGNATURE,
                       "the certificate that was sent is not for this machine");
    }
    if ((cert.roles & ~join->token.roles) != 0 || !are_groups(ok) ||
        (ok->found > 0 && ok->above_count == 0) || (join->adds && ok->found != join->found)) {
        return gp_fail(fail, GP_E_CERT_ROLE,
                       "the certificate that was sent says more than the token");
    }
    return GP_OK;
}

/* Where to look for others: the token's machines first, then members that were named. */
static void seeds_fill(const gp_join_t *join, const gp_msg_join_ok_t *ok, gp_identity_t *identity)
{
    for (uint32_t i = 0; i < join->token.seed_count; i++) {
        gp_seed_t *seed = &identity->seeds[identity->seed_count++];
        memcpy(seed->address, join->token.seeds[i].address, sizeof seed->address);
        seed->id = join->token.seeds[i].id;
    }
    uint32_t count = ok->found > 0 ? ok->above_count : ok->entries_count;
    for (uint32_t i = 0; i < count; i++) {
        const gp_record_member_t *member = ok->found > 0 ? &ok->above[i] : &ok->entries[i];
        bool known = identity->seed_count == GP_TOKEN_SEEDS_MAX ||
                     gp_address_check(member->address, false) != GP_OK;
        for (uint32_t k = 0; k < identity->seed_count; k++) {
            known = known || gp_id_equal(&identity->seeds[k].id, &member->id);
        }
        if (!known) {
            gp_seed_t *seed = &identity->seeds[identity->seed_count++];
            (void)gp_text_copy(seed->address, sizeof seed->address, member->address);
            seed->id = member->id;
        }
    }
}

static void identity_fill(const gp_join_t *join, const gp_msg_join_ok_t *ok,
                          gp_identity_t *identity)
{
    assert(ok->cert.n <= sizeof identity->cert_bytes);
    identity->node = join->node;
    identity->root_id = join->token.root;
    identity->group = ok->group;
    identity->region_group = ok->region_group;
    identity->grid_group = ok->grid_group;
    identity->cert_n = ok->cert.n;
    memcpy(identity->cert_bytes, ok->cert.p, ok->cert.n);
    memcpy(identity->region, join->region, sizeof identity->region);
    seeds_fill(join, ok, identity);
}

/* Whom it turns to. NULL: out of memory. */
static gp_msg_t *first_record(const gp_msg_join_ok_t *ok)
{
    gp_msg_kind_t kind = ok->found > 0 ? GP_MSG_FORM_STATE : GP_MSG_GROUP_STATE;
    gp_msg_t *record = calloc(1, gp_msg_size(kind));
    if (record == NULL) {
        return NULL;
    }
    record->kind = kind;
    if (ok->found > 0) {
        record->u.form_state.subgrid = ok->group;
        record->u.form_state.found = ok->found;
        record->u.form_state.above_count = ok->above_count;
        memcpy(record->u.form_state.above, ok->above, ok->above_count * sizeof ok->above[0]);
    } else {
        record->u.group_state.group = ok->group;
        record->u.group_state.leader = ok->leader;
        record->u.group_state.entries_count = ok->entries_count;
        memcpy(record->u.group_state.entries, ok->entries,
               ok->entries_count * sizeof ok->entries[0]);
    }
    return record;
}

gp_error_t gp_join_finish(gp_join_t *join, const gp_msg_t *answer, gp_wall_ms_t now_ms,
                          gp_setup_result_t *ret_result, gp_fail_t *fail)
{
    if (answer->kind == GP_MSG_JOIN_NO) {
        return refused(&answer->u.join_no, fail);
    }
    if (answer->kind != GP_MSG_JOIN_OK) {
        return gp_fail(fail, GP_E_MESSAGE_KIND,
                       "the machine that was asked answered something else");
    }
    const gp_msg_join_ok_t *ok = &answer->u.join_ok;
    if (ok->group == 0 && ok->places_count > 0) {
        return gp_fail(fail, GP_E_GROUP_FULL,
                       "others took each place that was free in %u sub-Grids: try again",
                       ok->places_count);
    }
    gp_error_t error = cert_check(join, ok, now_ms, fail);
    if (error != GP_OK) {
        return error;
    }
    gp_identity_t identity = {.node = NULL};
    identity_fill(join, ok, &identity);
    gp_msg_t *record = first_record(ok);
    if (record == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot write the first record");
    }
    const gp_setup_first_t first = {.now_ms = now_ms, .what = "join", .record = record};
    error = gp_setup_write(&join->dir, &identity, join->listen, &first, fail);
    if (error == GP_OK) {
        gp_setup_result(&join->dir, &identity, join->listen, ret_result);
    }
    free(record);
    return error; /* the keys stay join's */
}

void gp_join_close(gp_join_t *join)
{
    gp_secret_free(join->one_time);
    gp_secret_free(join->node);
    join->one_time = NULL;
    join->node = NULL;
    gp_state_close(&join->dir);
    sodium_memzero(join->token_bytes, sizeof join->token_bytes);
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static bool decides(const gp_msg_t *answer)
{
    return answer->kind != GP_MSG_JOIN_NO || answer->u.join_no.error != GP_E_TOKEN_UNKNOWN;
}

/* Does `error` tell more than what is known so far? Silence tells least, a word most. */
static bool tells_more(gp_error_t error, gp_error_t known)
{
    return known == GP_OK || known == GP_E_JOIN_UNREACHABLE || error == GP_E_TOKEN_UNKNOWN;
}

/* Asks one machine after the other; GP_OK: *reply decides. */
static gp_error_t ask_all(gp_join_t *join, gp_join_exchange_fn *exchange, void *context,
                          gp_join_reply_t *reply, gp_fail_t *fail)
{
    gp_msg_t *ask = calloc(1, gp_msg_size(GP_MSG_JOIN_ASK));
    if (ask == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot ask to be admitted");
    }
    gp_join_ask(join, ask);
    gp_fail_t worst = {.code = GP_OK};
    gp_error_t error = GP_E_JOIN_UNREACHABLE;
    for (uint32_t i = 0; i < join->token.seed_count; i++) {
        gp_seed_t seed = {.id = join->token.seeds[i].id};
        gp_fail_t one = {.code = GP_OK};
        memcpy(seed.address, join->token.seeds[i].address, sizeof seed.address);
        error = exchange(context, join, &seed, ask, reply, &one);
        if (error == GP_OK && decides(&reply->msg)) {
            free(ask);
            return GP_OK;
        }
        if (error == GP_OK) {
            error = gp_fail(&one, GP_E_TOKEN_UNKNOWN, "%s did not issue it", seed.address);
        }
        if (tells_more(error, worst.code)) {
            worst = one;
            worst.code = error;
        }
    }
    free(ask);
    if (fail != NULL) {
        *fail = worst;
    }
    return worst.code;
}

/* ---- which sub-Grid ----------------------------------------------------------------------------
 */

#define CHOICES_MAX 120 /* the region changes while a newcomer chooses: how often it tries again   \
                         */
#define AGAIN_MS 250

static void choose(gp_join_t *join, const gp_join_params_t *params, const gp_msg_join_ok_t *ok)
{
    gp_seed_t seeds[GP_MEMBERS_MAX] = {{.address = ""}};
    uint32_t rtt_us[GP_MEMBERS_MAX] = {0};
    gp_forming_offer_t offers[GP_MEMBERS_MAX];
    for (uint32_t i = 0; i < ok->places_count; i++) {
        (void)gp_text_copy(seeds[i].address, sizeof seeds[i].address, ok->places[i].address);
        seeds[i].id = ok->places[i].leader;
    }
    if (params->measure != NULL) {
        params->measure(seeds, ok->places_count, rtt_us);
    }
    for (uint32_t i = 0; i < ok->places_count; i++) {
        offers[i] = (gp_forming_offer_t){.members = ok->places[i].members,
                                         .rtt_us = params->measure != NULL ? rtt_us[i] : 1,
                                         .full = ok->places[i].full};
    }
    uint32_t best = gp_forming_choose(offers, ok->places_count);
    bool found = best == ok->places_count;
    join->found = found ? GP_FOUNDS_SUBGRID : GP_FOUNDS_NOTHING;
    join->chosen = found ? 0 : ok->places[best].group;
}

/* Another one took the last place, another sub-Grid is just being founded, a leader changed. */
static bool may_pass(gp_error_t error)
{
    return error == GP_E_GROUP_FULL || error == GP_E_BUSY || error == GP_E_NO_LEADER ||
           error == GP_E_TIMED_OUT || error == GP_E_NODE_UNKNOWN || error == GP_E_FENCED;
}

/* Asks until it has been let in, or refused for good. */
static gp_error_t ask_until(gp_join_t *join, const gp_join_params_t *params,
                            gp_join_exchange_fn *exchange, void *context, gp_join_reply_t *reply,
                            gp_fail_t *fail)
{
    const gp_msg_t *msg = &reply->msg;
    gp_error_t error = ask_all(join, exchange, context, reply, fail);
    for (int i = 0; error == GP_OK && i < CHOICES_MAX; i++) {
        bool chose = join->chosen != 0 || join->found > 0;
        if (msg->kind == GP_MSG_JOIN_OK && msg->u.join_ok.group == 0 &&
            msg->u.join_ok.places_count > 0 && !chose) {
            choose(join, params, &msg->u.join_ok);
        } else if (msg->kind == GP_MSG_JOIN_NO && may_pass((gp_error_t)msg->u.join_no.error)) {
            join->chosen = 0;
            join->found = join->adds ? GP_FOUNDS_REGION : GP_FOUNDS_NOTHING;
            (void)poll(NULL, 0, AGAIN_MS);
        } else {
            break;
        }
        error = ask_all(join, exchange, context, reply, fail);
    }
    return error;
}

gp_error_t gp_join(const gp_join_params_t *params, gp_join_exchange_fn *exchange, void *context,
                   gp_setup_result_t *ret_result, gp_fail_t *fail)
{
    gp_join_t *join = calloc(1, sizeof *join);
    gp_join_reply_t *reply = calloc(1, sizeof *reply);
    if (join == NULL || reply == NULL) {
        free(join);
        free(reply);
        return gp_fail(fail, GP_E_MEMORY, "cannot join");
    }
    gp_error_t error = gp_join_prepare(params, join, fail);
    if (error == GP_OK) {
        error = ask_until(join, params, exchange, context, reply, fail);
        if (error == GP_OK) {
            error = gp_join_finish(join, &reply->msg, params->now_ms, ret_result, fail);
        }
        gp_join_close(join);
    }
    free(reply);
    free(join);
    return error;
}
