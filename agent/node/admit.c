#include "agent/node/admit.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/node/issuer_inside.h"
#include "agent/node/setup.h"
#include "proto/core.h"
#include "proto/text.h"

/* Signed by the root where it is here: only such a certificate lets its holder admit others. */
static gp_error_t cert_issue(const gp_issuer_facts_t *self, const gp_cert_t *cert,
                             gp_admission_t *admission, gp_cert_t *ret_cert)
{
    size_t n = 0;
    const gp_slice_t own = gp_slice(self->cert_bytes, self->cert_n);
    gp_error_t error = self->root != NULL
                           ? gp_cert_issue(cert, self->root, gp_slice(NULL, 0), admission->cert, &n)
                           : gp_cert_issue(cert, self->node, own, admission->cert, &n);
    if (error == GP_OK) {
        error = gp_cert_read(gp_slice(admission->cert, n), ret_cert);
    }
    if (error == GP_OK) {
        admission->cert_n = (uint32_t)n;
        admission->expires_ms = ret_cert->not_after_ms;
    }
    return error;
}

static void cert_times(gp_cert_t *cert, gp_wall_ms_t now_ms)
{
    cert->not_before_ms = now_ms;
    cert->not_after_ms = now_ms + GP_CERT_DAYS * GP_DAY_MS;
}

/* ---- admission ---------------------------------------------------------------------------------
 */

typedef struct admit_job {
    gp_issuer_t *issuer;
    gp_issuer_facts_t self;
    gp_admit_peer_t peer;
    bool name_taken;
    uint32_t invitation_n;
    uint32_t cert_n;
    uint8_t invitation[GP_TOKEN_MAX];
    uint8_t proof[GP_SIGNATURE_BYTES];
    bool proof_whole;
    char name[GP_NAME_MAX + 1];
    char region[GP_NAME_MAX + 1];
    bool adds; /* it founds that region */
    char address[GP_ADDRESS_MAX + 1];
    uint8_t cert[GP_CERT_MAX]; /* CERT_RENEW: the one that was shown */
    gp_admit_result_t result;
    gp_admit_done_fn *done;
    void *context;
} admit_job_t;

/* Looks up what the ledger knows about the invitation and the machine. */
static gp_error_t ledger_facts(gp_store_t *store, const admit_job_t *job, const gp_token_t *token,
                               gp_invitation_t *invitation, gp_admission_t *before,
                               gp_admit_facts_t *facts)
{
    gp_admission_t other;
    gp_cert_t cert;
    gp_error_t error = gp_ledger_invitation(store, token->serial, invitation);
    if (error == GP_E_TOKEN_UNKNOWN) {
        return GP_OK;
    }
    if (error != GP_OK) {
        return error;
    }
    facts->issued_here = gp_id_equal(&token->issuer.node, &job->self.id) &&
                         gp_id_equal(&token->key, &invitation->key);
    facts->uses = invitation->uses;
    facts->used = invitation->used;
    error = gp_ledger_by_node(store, &job->peer.signer, before);
    if (error == GP_OK && before->invitation == token->serial &&
        before->expires_ms > job->self.now_ms) {
        facts->admitted = true;
        const gp_slice_t bytes = gp_slice(before->cert, before->cert_n);
        facts->admitted_name = strcmp(before->name, job->name) == 0 &&
                               gp_cert_read(bytes, &cert) == GP_OK &&
                               strcmp(cert.region, job->region) == 0;
    }
    if (error != GP_OK && error != GP_E_NODE_UNKNOWN) {
        return error;
    }
    error =
        gp_ledger_by_name(store, gp_text(job->name), &job->peer.signer, job->self.now_ms, &other);
    facts->name_taken = job->name_taken || error == GP_OK ||
                        (strcmp(job->name, job->self.cert.name) == 0 &&
                         !gp_id_equal(&job->peer.signer, &job->self.id));
    return error == GP_E_NODE_UNKNOWN ? GP_OK : error;
}

static void refusal_text(admit_job_t *job, gp_error_t error, const gp_invitation_t *invitation)
{
    char *text = job->result.text;
    const size_t size = sizeof job->result.text;
    switch (error) {
    case GP_E_TOKEN_USED:
        (void)snprintf(text, size, "it was good for %u machine%s", (unsigned)invitation->uses,
                       invitation->uses == 1 ? "" : "s");
        break;
    case GP_E_JOIN_NAME:
        (void)snprintf(text, size, "the name %s belongs to another machine", job->name);
        break;
    case GP_E_TOKEN_REGION:
        (void)snprintf(text, size, "the token is for the region %s", job->self.cert.region);
        break;
    default: /* the table's text says it, and strangers learn no more */
        break;
    }
}

/* Counts the use, issues the certificate, writes the admission. */
static gp_error_t admit_new(gp_store_t *store, admit_job_t *job, gp_invitation_t *invitation)
{
    char detail[GP_LOG_TEXT_MAX];
    char roles[128];
    gp_admission_t admission = {.serial = gp_ledger_serial(store),
                                .invitation = invitation->serial,
                                .node = job->peer.signer,
                                .at_ms = job->self.now_ms};
    gp_cert_t cert = {.grid = job->self.cert.grid,
                      .node = job->peer.signer,
                      .roles = invitation->roles,
                      .serial = admission.serial};
    memcpy(admission.name, job->name, sizeof admission.name);
    memcpy(cert.name, job->name, sizeof cert.name);
    memcpy(cert.region, job->region, sizeof cert.region);
    cert_times(&cert, job->self.now_ms);
    gp_error_t error = cert_issue(&job->self, &cert, &admission, &job->result.facts);
    if (error != GP_OK) {
        return error;
    }
    invitation->used++;
    error = gp_ledger_invite(store, invitation, job->self.now_ms);
    if (error == GP_OK) {
        error = gp_ledger_admit(store, &admission, job->self.now_ms);
    }
    if (error != GP_OK) {
        return error;
    }
    memcpy(job->result.cert, admission.cert, admission.cert_n);
    job->result.cert_n = admission.cert_n;
    job->result.used_up = invitation->used == invitation->uses;
    gp_roles_text(cert.roles, roles, sizeof roles);
    (void)snprintf(detail, sizeof detail, "invitation %llu, use %u of %u, roles %s",
                   (unsigned long long)invitation->serial, (unsigned)invitation->used,
                   (unsigned)invitation->uses, roles);
    return gp_issuer_log(store, &job->self, "admit", job->name, detail);
}

static gp_error_t admit_again(admit_job_t *job, const gp_admission_t *before)
{
    memcpy(job->result.cert, before->cert, before->cert_n);
    job->result.cert_n = before->cert_n;
    job->result.again = true;
    return gp_cert_read(gp_slice(before->cert, before->cert_n), &job->result.facts);
}

static gp_error_t admit_run(gp_store_t *store, void *context)
{
    admit_job_t *job = context;
    gp_token_t token;
    gp_invitation_t invitation = {.serial = 0};
    gp_admission_t before;
    gp_error_t error = GP_OK;
    gp_admit_facts_t facts = {
        .invitation = gp_invitation_read(gp_slice(job->invitation, job->invitation_n),
                                         &job->self.root_id, job->self.now_ms, &token),
        .name_valid = gp_name_check(gp_text(job->name)) == GP_OK &&
                      gp_name_check(gp_text(job->region)) == GP_OK,
        .address_valid = job->address[0] == '\0' || gp_issuer_dialable(gp_text(job->address)),
        .may_admit = gp_issuer_may_admit(&job->self)};
    if (facts.invitation == GP_OK) {
        facts.guest = gp_id_equal(&job->peer.guest, &token.key);
        facts.proven = job->proof_whole && gp_token_proven(&token.key, &job->peer.signer,
                                                           gp_text(job->name), job->proof);
        facts.region_same = (job->adds || strcmp(job->region, token.region) == 0) &&
                            strcmp(token.region, job->self.cert.region) == 0;
        facts.adds = job->adds;
        facts.region_new = strcmp(job->region, job->self.cert.region) != 0;
        facts.may_add = (token.roles & GP_ROLE_ADMIT) != 0;
        error = ledger_facts(store, job, &token, &invitation, &before, &facts);
    }
    if (error != GP_OK) {
        return error;
    }
    const gp_admit_verdict_t verdict = gp_admit_decide(&facts, &error);
    switch (verdict) {
    case GP_ADMIT_NEW:
        return admit_new(store, job, &invitation);
    case GP_ADMIT_AGAIN:
        return admit_again(job, &before);
    case GP_ADMIT_REFUSE:
        refusal_text(job, error, &invitation);
        break;
    }
    return error;
}

/* ---- renewal -----------------------------------------------------------------------------------
 */

static gp_error_t renew_new(gp_store_t *store, admit_job_t *job, const gp_cert_t *shown,
                            uint16_t roles)
{
    gp_admission_t before;
    gp_admission_t admission = {.node = shown->node, .at_ms = job->self.now_ms};
    gp_error_t error = gp_ledger_by_node(store, &shown->node, &before);
    if (error == GP_OK) {
        admission.invitation = before.invitation;
        admission.at_ms = before.at_ms;
        error = gp_ledger_forget(store, &shown->node);
    }
    if (error != GP_OK && error != GP_E_NODE_UNKNOWN) {
        return error;
    }
    gp_cert_t cert = *shown;
    cert.roles = roles;
    cert.serial = gp_ledger_serial(store);
    cert_times(&cert, job->self.now_ms);
    admission.serial = cert.serial;
    memcpy(admission.name, cert.name, sizeof admission.name);
    error = cert_issue(&job->self, &cert, &admission, &job->result.facts);
    if (error == GP_OK) {
        error = gp_ledger_admit(store, &admission, job->self.now_ms);
    }
    if (error != GP_OK) {
        return error;
    }
    memcpy(job->result.cert, admission.cert, admission.cert_n);
    job->result.cert_n = admission.cert_n;
    return gp_issuer_log(store, &job->self, "renew", cert.name, "");
}

static gp_error_t renew_run(gp_store_t *store, void *context)
{
    admit_job_t *job = context;
    gp_cert_t shown = {.serial = 0};
    uint16_t roles = 0;
    gp_error_t error = GP_OK;
    const gp_slice_t bytes = gp_slice(job->cert, job->cert_n);
    gp_renew_facts_t facts = {
        .cert = gp_cert_verify(bytes, &job->self.root_id, job->self.now_ms, &shown),
        .may_admit = gp_issuer_may_admit(&job->self),
        .has_root = job->self.root != NULL,
        .own_roles = job->self.cert.roles,
        .now_ms = job->self.now_ms};
    facts.own = gp_id_equal(&shown.node, &job->peer.signer);
    facts.region_same = facts.has_root || strcmp(shown.region, job->self.cert.region) == 0;
    facts.roles = shown.roles;
    facts.not_before_ms = shown.not_before_ms;
    facts.not_after_ms = shown.not_after_ms;
    switch (gp_renew_decide(&facts, &roles, &error)) {
    case GP_ADMIT_NEW:
        return renew_new(store, job, &shown, roles);
    case GP_ADMIT_AGAIN:
        memcpy(job->result.cert, job->cert, job->cert_n);
        job->result.cert_n = job->cert_n;
        job->result.facts = shown;
        job->result.again = true;
        return GP_OK;
    case GP_ADMIT_REFUSE:
        break;
    }
    return error;
}

/* ---- both --------------------------------------------------------------------------------------
 */

static admit_job_t *job_new(gp_issuer_t *issuer, const gp_admit_peer_t *peer, gp_wall_ms_t now_ms)
{
    admit_job_t *job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->issuer = issuer;
        job->self = gp_issuer_facts(issuer, now_ms);
        job->peer = *peer;
        job->result.node = peer->signer;
    }
    return job;
}

static admit_job_t *admit_job_new(gp_issuer_t *issuer, const gp_admit_ask_t *from,
                                  gp_wall_ms_t now_ms)
{
    const gp_msg_join_ask_t *ask = from->msg;
    admit_job_t *job = job_new(issuer, &from->peer, now_ms);
    if (job == NULL) {
        return NULL;
    }
    /* The reader has bounded every field. */
    assert(ask->invitation.n <= sizeof job->invitation && ask->proof.n <= sizeof job->proof);
    memcpy(job->invitation, ask->invitation.p, ask->invitation.n);
    job->invitation_n = ask->invitation.n;
    memcpy(job->proof, ask->proof.p, ask->proof.n);
    job->proof_whole = ask->proof.n == sizeof job->proof;
    (void)gp_text_copy(job->name, sizeof job->name, ask->name);
    (void)gp_text_copy(job->region, sizeof job->region, ask->region);
    job->adds = ask->found == GP_FOUNDS_REGION;
    (void)gp_text_copy(job->address, sizeof job->address, ask->address);
    job->name_taken = from->name_taken;
    return job;
}

static admit_job_t *renew_job_new(gp_issuer_t *issuer, const gp_renew_ask_t *from,
                                  gp_wall_ms_t now_ms)
{
    const gp_msg_cert_renew_t *ask = from->msg;
    const gp_admit_peer_t peer = {.signer = from->signer};
    admit_job_t *job = job_new(issuer, &peer, now_ms);
    if (job != NULL) {
        assert(ask->cert.n <= sizeof job->cert);
        memcpy(job->cert, ask->cert.p, ask->cert.n);
        job->cert_n = ask->cert.n;
    }
    return job;
}

static void job_done(void *context, gp_error_t result)
{
    admit_job_t *job = context;
    assert(job->issuer->pending > 0);
    job->issuer->pending--;
    job->result.error = result;
    job->done(job->context, &job->result);
    free(job);
}

/* Starts the job, or refuses when too many are under way. */
static void job_start(gp_issuer_t *issuer, admit_job_t *job, gp_store_run_fn *run,
                      gp_admit_done_fn *done, void *context)
{
    if (job == NULL || issuer->pending >= GP_JOINS_MAX) {
        const gp_admit_result_t busy = {.error = job == NULL ? GP_E_MEMORY : GP_E_BUSY};
        free(job);
        done(context, &busy);
        return;
    }
    issuer->pending++;
    job->done = done;
    job->context = context;
    gp_store_run(issuer->store, run, job_done, job);
}

static void job_now(gp_issuer_t *issuer, admit_job_t *job, gp_store_run_fn *run,
                    gp_admit_result_t *ret_result)
{
    if (job == NULL) {
        *ret_result = (gp_admit_result_t){.error = GP_E_MEMORY};
        return;
    }
    job->result.error = gp_store_run_now(issuer->store, run, job, NULL);
    *ret_result = job->result;
    free(job);
}

void gp_admit(gp_issuer_t *issuer, const gp_admit_ask_t *ask, gp_wall_ms_t now_ms,
              gp_admit_done_fn *done, void *context)
{
    job_start(issuer, admit_job_new(issuer, ask, now_ms), admit_run, done, context);
}

void gp_admit_now(gp_issuer_t *issuer, const gp_admit_ask_t *ask, gp_wall_ms_t now_ms,
                  gp_admit_result_t *ret_result)
{
    job_now(issuer, admit_job_new(issuer, ask, now_ms), admit_run, ret_result);
}

void gp_renew(gp_issuer_t *issuer, const gp_renew_ask_t *ask, gp_wall_ms_t now_ms,
              gp_admit_done_fn *done, void *context)
{
    job_start(issuer, renew_job_new(issuer, ask, now_ms), renew_run, done, context);
}

void gp_renew_now(gp_issuer_t *issuer, const gp_renew_ask_t *ask, gp_wall_ms_t now_ms,
                  gp_admit_result_t *ret_result)
{
    job_now(issuer, renew_job_new(issuer, ask, now_ms), renew_run, ret_result);
}

void gp_admit_answer(const gp_admit_result_t *result, const gp_identity_t *identity,
                     gp_msg_t *ret_msg)
{
    if (result->error != GP_OK) {
        ret_msg->kind = GP_MSG_JOIN_NO;
        ret_msg->u.join_no =
            (gp_msg_join_no_t){.error = (uint16_t)result->error, .text = gp_text(result->text)};
        return;
    }
    ret_msg->kind = GP_MSG_JOIN_OK;
    gp_msg_join_ok_t *ok = &ret_msg->u.join_ok;
    ok->cert = gp_slice(result->cert, result->cert_n);
    ok->root = identity->root_id;
    ok->region = gp_text(result->facts.region);
    ok->group = identity->group;
    ok->region_group = strcmp(result->facts.region, identity->region) == 0
                           ? identity->region_group
                           : gp_group_id(&identity->grid, gp_text(result->facts.region),
                                         GP_SEAT_REGION, 0);
    ok->grid_group = identity->grid_group;
    ok->leader = (gp_id_t){{0}};
    ok->entries_count = 0;
}

static gp_error_t forget_run(gp_store_t *store, void *context)
{
    return gp_ledger_forget(store, context);
}

static void forget_done(void *context, gp_error_t result)
{
    (void)result; /* the name stays taken until the certificate expires: harmless */
    free(context);
}

void gp_admit_forget(gp_issuer_t *issuer, const gp_id_t *node)
{
    gp_id_t *own = malloc(sizeof *own);
    if (own != NULL) {
        *own = *node;
        gp_store_run(issuer->store, forget_run, forget_done, own);
    }
}
