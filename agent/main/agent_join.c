/* Letting others in: invitations, their guests, admissions, and certificates that renew themselves.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/main/agent_state.h"
#include "agent/node/setup.h"

#define RENEW_CHECK_S  60
#define NEWEST_SERIALS (2 * GP_MEMBERS_MAX)

/*
 * A group tells of its members again and again, each time with their certificates; two signatures
 * to verify for each would be most of what a joining machine does. What was verified once is known
 * again by its bytes, until it expires.
 */
bool agent_cert_valid(agent_t *agent, gp_slice_t bytes, const gp_id_t *id)
{
    uint8_t sum[AGENT_SUM_BYTES];
    gp_cert_t cert;
    gp_wall_ms_t now = agent_wall();
    crypto_generichash(sum, sizeof sum, bytes.p, bytes.n, id->b, sizeof id->b);
    known_cert_t *place = &agent->certs[id->b[0] % AGENT_CERTS];
    if (memcmp(place->sum, sum, sizeof sum) == 0 && now < place->until_ms) {
        return true;
    }
    if (gp_cert_verify(bytes, &agent->identity.root_id, now, &cert) != GP_OK ||
        !gp_id_equal(&cert.node, id)) {
        return false;
    }
    memcpy(place->sum, sum, sizeof sum);
    place->until_ms = cert.not_after_ms;
    return true;
}

bool agent_certified(void *context, gp_seat_t seat, gp_slice_t bytes, const gp_id_t *id,
                     gp_slice_t name)
{
    agent_t *agent = context;
    gp_cert_t cert;
    return gp_cert_read(bytes, &cert) == GP_OK &&
           (name.n == 0 || gp_slice_equal(gp_text(cert.name), name)) &&
           (seat >= GP_SEAT_GRID || strcmp(cert.region, agent->identity.region) == 0) &&
           agent_cert_valid(agent, bytes, id);
}

/* Whoever is of another region is met in the grid's group alone, so it is known from there. */
bool agent_foreign(void *context, const gp_id_t *id)
{
    const agent_t *agent = context;
    const void *grid = gp_peer_seat_group(gp_runner_core(agent->runner), GP_SEAT_GRID);
    const gp_group_member_t *member = grid != NULL ? gp_group_member(grid, id) : NULL;
    gp_cert_t cert;
    return member != NULL && gp_cert_read(member->cert, &cert) == GP_OK &&
           strcmp(cert.region, agent->identity.region) != 0;
}

/* ---- invitations ----------------------------------------------------------------------------- */

typedef struct inviting {
    agent_t *agent;
    gp_http_call_t *call;
    uint32_t uses;
} inviting_t;

static void inviter_gone(void *context)
{
    inviting_t *inviting = context;
    inviting->call = NULL;
}

static void invited(void *context, const gp_invite_result_t *result)
{
    inviting_t *inviting = context;
    agent_t *agent = inviting->agent;
    gp_error_t error = result->error;
    if (error == GP_OK) {
        error = agent_guest_add(agent, &result->key, result->expires_ms);
    }
    if (inviting->call != NULL && error != GP_OK) {
        gp_http_call_error(inviting->call, error, result->why);
    } else if (inviting->call != NULL) {
        char expires[GP_DOCUMENT_TIME_TEXT];
        gp_document_time(result->expires_ms, expires);
        json_t *document = gp_document_new("invitation", agent_wall(), false);
        gp_document_add(document,
                        json_pack("{s:s,s:s,s:i,s:s,s:I}", "token", result->text, "region",
                                  agent->identity.region, "uses", (int)inviting->uses, "expires",
                                  expires, "serial", (json_int_t)result->serial));
        gp_http_call_answer(inviting->call, document);
    }
    free(inviting);
}

static bool parse_roles(const char *text, uint16_t *ret_roles)
{
    static const struct {
        const char *name;
        uint16_t role;
    } roles[] = {{"member", GP_ROLE_MEMBER},   {"lend", GP_ROLE_LEND},
                 {"submit", GP_ROLE_SUBMIT},   {"admit", GP_ROLE_ADMIT},
                 {"operate", GP_ROLE_OPERATE}, {"audit", GP_ROLE_AUDIT}};
    uint16_t bits = GP_ROLE_MEMBER;
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        bool known = false;
        for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
            if (strlen(roles[i].name) == n && strncmp(text, roles[i].name, n) == 0) {
                bits |= roles[i].role;
                known = true;
            }
        }
        if (!known) {
            return false;
        }
        text += n + (text[n] == ',' ? 1 : 0);
    }
    *ret_roles = bits;
    return true;
}

void agent_invite(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    const char *roles = NULL;
    int uses = 1;
    json_int_t expires_ms = (json_int_t)GP_INVITE_VALID_MS;
    if (!gp_http_call_unpack(call, "{s?i,s?I,s?s !}", "uses", &uses, "expires_ms", &expires_ms,
                             "roles", &roles)) {
        return;
    }
    gp_invite_params_t params = {.uses = (uint32_t)(uses < 0 ? 0 : uses),
                                 .valid_ms = (uint64_t)(expires_ms < 0 ? 0 : expires_ms),
                                 .roles = GP_INVITE_ROLES,
                                 .seed_count = 1};
    if (roles != NULL && !parse_roles(roles, &params.roles)) {
        gp_http_call_error(call, GP_E_USAGE, "no such role");
        return;
    }
    snprintf(params.seeds[0].address, sizeof params.seeds[0].address, "%s", agent->address);
    params.seeds[0].id = agent->identity.id;
    inviting_t *inviting = calloc(1, sizeof *inviting);
    if (inviting == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, NULL);
        return;
    }
    *inviting = (inviting_t){.agent = agent, .call = call, .uses = params.uses};
    gp_fail_t fail = {0};
    gp_error_t error = gp_invite(&agent->issuer, &params, agent_wall(), invited, inviting, &fail);
    if (error != GP_OK) {
        gp_http_call_error(call, error, fail.text);
        free(inviting);
        return;
    }
    gp_http_call_wait(call, inviter_gone, inviting);
}

static void admit_again(void *context, const gp_admission_t *admission)
{
    agent_t *agent = context;
    if (admission->expires_ms > agent_wall()) {
        agent_admit_member(agent, &admission->node, "",
                           gp_slice(admission->cert, admission->cert_n));
    }
}

/* ---- admissions ------------------------------------------------------------------------------ */

static void add_members(agent_t *agent, gp_msg_join_ok_t *ok)
{
    const void *group = agent_group(agent);
    ok->leader = gp_election_leader(agent_election(agent));
    for (uint32_t i = 0; i < gp_group_count(group) && ok->entries_count < GP_MEMBERS_MAX; i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        if (member->state != GP_MEMBER_ALIVE || member->cert.n == 0) {
            continue;
        }
        gp_record_member_t *entry = &ok->entries[ok->entries_count++];
        entry->id = member->id;
        entry->incarnation = member->incarnation;
        entry->state = GP_MEMBER_UNKNOWN;
        entry->name = gp_text(member->name);
        entry->address = gp_text(member->address);
        entry->cert = member->cert;
    }
}

/* The group hears of the new machine, so that every member lets it in. */
static void introduce(asking_t *asking, const gp_admit_result_t *result)
{
    agent_t *agent = asking->agent;
    gp_slice_t cert = gp_slice(result->cert, result->cert_n);
    agent_admit_member(agent, &asking->node, asking->address, cert);
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_GROUP_INTRODUCE);
    gp_record_member_t *entry = &msg->u.group_introduce.entries[0];
    msg->u.group_introduce.entries_count = 1;
    entry->id = asking->node;
    entry->state = GP_MEMBER_UNKNOWN;
    entry->cause = GP_CAUSE_JOINED;
    entry->name = gp_text(asking->name);
    entry->address = gp_text(asking->address);
    entry->cert = cert;
    agent_command(agent, 0, msg);
}

static void send_answer(agent_t *agent, const asking_t *asking, const gp_msg_t *msg)
{
    gp_slice_t frame = gp_runner_seal(agent->runner, &asking->node, msg);
    gp_error_t error = asking->way != 0
                           ? gp_net_answer(agent->net, &asking->reply_to, asking->way, frame)
                           : gp_net_send(agent->net, &asking->reply_to, frame, GP_CLASS_CONTROL);
    (void)error; /* it asks again: the answer is the same, and no further use is counted */
}

static void keep_record(agent_t *agent, const char *what, const char *object, const char *detail)
{
    gp_log_entry_t entry = {.at = agent_wall(),
                            .actor = gp_text("agent"),
                            .what = gp_text(what),
                            .object = gp_text(object),
                            .detail = gp_text(detail)};
    gp_store_log(agent->store, &entry);
}

/* Whoever holds a token could fill the log: of many refusals some are told, and their number. */
static void record_missed(agent_t *agent)
{
    char text[GP_LOG_TEXT_MAX];
    uint64_t missed = gp_refusals_missed(&agent->refusals, agent_now());
    if (missed > 0) {
        snprintf(text, sizeof text, "%llu more refused asks for admission were not written here",
                 (unsigned long long)missed);
        keep_record(agent, "refuse", agent->dir.name, text);
    }
}

static void record_refusal(agent_t *agent, const asking_t *asking, gp_error_t error)
{
    record_missed(agent);
    if (gp_refusals_take(&agent->refusals, agent_now())) {
        keep_record(agent, "refuse", asking->name, gp_error_text(error));
    }
}

void agent_join_answer(asking_t *asking, const gp_msg_form_answer_t *ok)
{
    static gp_msg_t msg; /* large; its slices point into the asking and the group */
    agent_t *agent = asking->agent;
    memset(&msg, 0, gp_msg_size(GP_MSG_JOIN_OK));
    gp_admit_answer(&asking->admission, &agent->identity, &msg);
    gp_msg_join_ok_t *answer = &msg.u.join_ok;
    if (ok == NULL) {
        introduce(asking, &asking->admission);
        add_members(agent, answer);
    } else {
        answer->group = ok->chosen;
        answer->found = ok->found;
        answer->leader = ok->entries_count > 0 ? ok->entries[0].id : (gp_id_t){{0}};
        answer->entries_count = ok->entries_count;
        memcpy(answer->entries, ok->entries, ok->entries_count * sizeof ok->entries[0]);
        answer->above_count = ok->above_count;
        memcpy(answer->above, ok->above, ok->above_count * sizeof ok->above[0]);
        answer->places_count = ok->places_count;
        memcpy(answer->places, ok->places, ok->places_count * sizeof ok->places[0]);
    }
    send_answer(agent, asking, &msg);
    free(asking);
}

void agent_join_refuse(asking_t *asking, gp_error_t error)
{
    gp_msg_t msg = {.kind = GP_MSG_JOIN_NO};
    msg.u.join_no.error = (uint16_t)error;
    send_answer(asking->agent, asking, &msg);
    free(asking);
}

static void admitted(void *context, const gp_admit_result_t *result)
{
    asking_t *asking = context;
    agent_t *agent = asking->agent;
    if (result->used_up) {
        gp_guests_used(&agent->guests, &asking->reply_to, agent_wall());
    }
    if (result->error == GP_OK) { /* the ledger has written it into the log */
        asking->admission = *result;
        agent_place(asking);
        return;
    }
    gp_msg_t msg;
    record_refusal(agent, asking, result->error);
    gp_admit_answer(result, &agent->identity, &msg);
    send_answer(agent, asking, &msg);
    free(asking);
}

static bool name_is_taken(const agent_t *agent, gp_slice_t name, const gp_id_t *node)
{
    const gp_group_member_t *member = gp_group_member_named(agent_group(agent), name);
    return member != NULL && !gp_id_equal(&member->id, node) && member->cause != GP_CAUSE_LEFT;
}

static asking_t *asking_new(agent_t *agent, const gp_id_t *reply_to, const gp_id_t *node)
{
    asking_t *asking = calloc(1, sizeof *asking);
    if (asking != NULL) {
        *asking = (asking_t){.agent = agent, .reply_to = *reply_to, .node = *node};
    }
    return asking;
}

void agent_guest_frame(agent_t *agent, const gp_id_t *key, gp_slice_t frame)
{
    static gp_msg_t msg; /* large; used until gp_admit has copied what it needs */
    gp_envelope_t envelope;
    if (!gp_guests_may_ask(&agent->guests, key, agent_now())) {
        agent->refused[GP_E_MESSAGE_RATE]++; /* before a signature is verified */
        return;
    }
    if (gp_envelope_open(frame, &envelope) != GP_OK || !envelope.is_signed ||
        envelope.kind != GP_MSG_JOIN_ASK ||
        memcmp(envelope.grid.b, agent->identity.grid.b, sizeof envelope.grid.b) != 0 ||
        !gp_id_equal(&envelope.destination, &agent->identity.id) ||
        !gp_envelope_verify(&envelope, &gp_signer_ed25519) ||
        gp_msg_read(envelope.kind, envelope.body, true, &msg) != GP_OK ||
        msg.u.join_ask.found > GP_FOUNDS_REGION) {
        agent->refused[0]++;
        return;
    }
    const gp_msg_join_ask_t *ask = &msg.u.join_ask;
    asking_t *asking = asking_new(agent, key, &envelope.source);
    if (asking == NULL) {
        return; /* it asks again */
    }
    asking->way = gp_net_way(agent->net);
    gp_text_copy(asking->name, sizeof asking->name, ask->name);
    gp_text_copy(asking->address, sizeof asking->address, ask->address);
    asking->found = ask->found;
    asking->chosen = ask->found == GP_FOUNDS_REGION
                         ? gp_group_id(&agent->identity.grid, ask->region, GP_SEAT_REGION, 0)
                         : ask->chosen;
    gp_admit_ask_t facts = {.peer = {.signer = envelope.source, .guest = *key},
                            .msg = ask,
                            .name_taken = name_is_taken(agent, ask->name, &envelope.source)};
    gp_admit(&agent->issuer, &facts, agent_wall(), admitted, asking);
}

/* ---- renewal --------------------------------------------------------------------------------- */

static void renewed(void *context, const gp_admit_result_t *result)
{
    asking_t *asking = context;
    gp_msg_t msg = {.kind = GP_MSG_CERT_RENEWED};
    if (result->error == GP_OK) {
        msg.u.cert_renewed.cert = gp_slice(result->cert, result->cert_n);
        send_answer(asking->agent, asking, &msg);
    }
    free(asking);
}

static void take_certificate(agent_t *agent, gp_slice_t cert)
{
    gp_fail_t fail = {0};
    gp_error_t error = gp_identity_renew(&agent->dir, &agent->identity, cert, agent_wall(), &fail);
    if (error != GP_OK) {
        agent->renew_failures++;
        return;
    }
    agent->renew_failures = 0;
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_GROUP_CERT);
    msg->u.group_cert.cert = gp_identity_cert(&agent->identity);
    agent_command(agent, 0, msg);
}

void agent_letter(agent_t *agent, const gp_id_t *peer, const gp_msg_t *msg)
{
    if (msg->kind == GP_MSG_CERT_RENEWED) {
        agent->renewed_n = msg->u.cert_renewed.cert.n;
        memcpy(agent->renewed, msg->u.cert_renewed.cert.p, agent->renewed_n);
        evtimer_del(agent->renew);
        event_active(agent->renew, EV_TIMEOUT, 0);
        return;
    }
    if (msg->kind == GP_MSG_VISIT) {
        agent_visited(agent, peer, &msg->u.visit);
        return;
    }
    asking_t *asking = msg->kind == GP_MSG_CERT_RENEW ? asking_new(agent, peer, peer) : NULL;
    if (asking != NULL) {
        gp_renew_ask_t facts = {.signer = *peer, .msg = &msg->u.cert_renew};
        gp_renew(&agent->issuer, &facts, agent_wall(), renewed, asking);
    }
}

/*
 * Only the root's holder renews a certificate with the role admit. That of who founded a region is
 * elsewhere: whoever admitted this machine knows it, or is it. False: nobody is to be asked so.
 */
static bool ask_afar(const agent_t *agent, gp_id_t *ret_id, const char **ret_address)
{
    const gp_identity_t *identity = &agent->identity;
    bool wanted = identity->root == NULL && (identity->cert.roles & GP_ROLE_ADMIT) != 0 &&
                  agent->renew_failures % 2 == 0 && identity->seed_count > 0;
    if (wanted) {
        const gp_seed_t *seed =
            &identity->seeds[agent->renew_failures / 2 % identity->seed_count];
        *ret_id = seed->id;
        *ret_address = seed->address;
    }
    return wanted;
}

/* Asks the living machines that may admit, one after the other from try to try. */
static void ask_for_renewal(agent_t *agent)
{
    const void *group = agent_group(agent);
    gp_id_t chosen = {0};
    uint32_t issuers = 0;
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        gp_cert_t cert;
        if (member->state == GP_MEMBER_ALIVE && gp_cert_read(member->cert, &cert) == GP_OK &&
            (cert.roles & GP_ROLE_ADMIT) != 0 && issuers++ <= agent->renew_failures) {
            chosen = member->id;
        }
    }
    const char *address = NULL;
    if (ask_afar(agent, &chosen, &address)) {
        agent_visit(agent, &chosen, address);
        issuers++;
    }
    agent->renew_failures++;
    if (issuers == 0) {
        return;
    }
    gp_msg_t msg = {.kind = GP_MSG_CERT_RENEW};
    msg.u.cert_renew.cert = gp_identity_cert(&agent->identity);
    gp_slice_t frame = gp_runner_seal(agent->runner, &chosen, &msg);
    gp_error_t error = gp_net_send(agent->net, &chosen, frame, GP_CLASS_CONTROL);
    (void)error; /* the next try comes with the timer */
}

static void on_renew(evutil_socket_t fd, short what, void *context)
{
    agent_t *agent = context;
    (void)fd;
    (void)what;
    agent_guests_sweep(agent);
    agent_book_sweep(agent);
    record_missed(agent);
    if (agent->renewed_n > 0) {
        take_certificate(agent, gp_slice(agent->renewed, agent->renewed_n));
        agent->renewed_n = 0;
    }
    const gp_cert_t *cert = &agent->identity.cert;
    uint64_t spread = gp_hash(agent->identity.id.b, sizeof agent->identity.id.b, 0);
    gp_wall_ms_t at =
        gp_renew_at(cert->not_before_ms, cert->not_after_ms, spread, agent->renew_failures);
    if (agent_wall() >= at) {
        ask_for_renewal(agent);
    }
    struct timeval period = {.tv_sec = RENEW_CHECK_S};
    evtimer_add(agent->renew, &period);
}

gp_error_t agent_join_open(agent_t *agent, gp_fail_t *fail)
{
    agent->issuer = (gp_issuer_t){.store = agent->store, .identity = &agent->identity};
    agent->renew = evtimer_new(agent->base, on_renew, agent);
    if (agent->renew == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "no timers");
    }
    struct timeval period = {.tv_sec = RENEW_CHECK_S};
    evtimer_add(agent->renew, &period);
    /* The group writes its members down a while after they joined: whom this machine admitted just
     * before a crash is let in by the ledger, which was written first. */
    gp_error_t error = gp_ledger_newest(agent->store, NEWEST_SERIALS, admit_again, agent);
    if (error == GP_OK) {
        error = agent_guests_read(agent);
    }
    return error == GP_OK ? GP_OK : gp_fail(fail, error, "the ledger of invitations");
}
