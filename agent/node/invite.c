/* Invitations: the token, and its row in the ledger. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/node/issuer_inside.h"
#include "proto/text.h"

typedef struct invite_job {
    gp_issuer_facts_t self;
    gp_invite_params_t params;
    gp_invite_result_t result;
    gp_invite_done_fn *done;
    void *context;
} invite_job_t;

static gp_error_t invite_check(const gp_issuer_facts_t *self, const gp_invite_params_t *params,
                               gp_fail_t *fail)
{
    char roles[128];
    if (!gp_issuer_may_admit(self)) {
        return gp_fail(fail, GP_E_JOIN_NOT_ISSUER, "%s has no certificate with the role admit",
                       self->cert.name);
    }
    if (params->uses == 0 || params->uses > GP_TOKEN_USES_MAX) {
        return gp_fail(fail, GP_E_USAGE, "--uses must be 1 to %d", GP_TOKEN_USES_MAX);
    }
    if (params->valid_ms < GP_MINUTE_MS || params->valid_ms > GP_CERT_DAYS * GP_DAY_MS) {
        return gp_fail(fail, GP_E_USAGE, "--expires must be 1m to %dd", GP_CERT_DAYS);
    }
    if ((params->roles & GP_ROLE_MEMBER) == 0 || (params->roles & ~self->cert.roles) != 0 ||
        ((params->roles & GP_ROLE_ADMIT) != 0 && self->root == NULL)) {
        gp_roles_text(self->root != NULL ? self->cert.roles
                                         : (uint16_t)(self->cert.roles & ~(unsigned)GP_ROLE_ADMIT),
                      roles, sizeof roles);
        return gp_fail(fail, GP_E_CERT_ROLE, "this machine can give member and any of: %s", roles);
    }
    if (params->seed_count == 0 || params->seed_count > GP_TOKEN_SEEDS_MAX) {
        return gp_fail(fail, GP_E_USAGE, "a token names 1 to %d addresses", GP_TOKEN_SEEDS_MAX);
    }
    for (uint32_t i = 0; i < params->seed_count; i++) {
        if (!gp_issuer_dialable(gp_text(params->seeds[i].address))) {
            return gp_fail(fail, GP_E_ADDRESS,
                           "others cannot dial \"%s\": set advertise in "
                           "gridpeer.ini",
                           params->seeds[i].address);
        }
    }
    return GP_OK;
}

static void find_first(void *context, const gp_invitation_t *invitation)
{
    gp_wall_ms_t *first_ms = context;
    *first_ms = invitation->expires_ms < *first_ms ? invitation->expires_ms : *first_ms;
}

/* Says when there will be room. */
static void limit_text(gp_store_t *store, invite_job_t *job)
{
    char time[GP_FAIL_TIME_TEXT];
    gp_wall_ms_t first_ms = UINT64_MAX;
    const gp_error_t error =
        gp_ledger_invitations(store, 0, GP_INVITATIONS_MAX, find_first, &first_ms);
    if (error == GP_OK) {
        (void)snprintf(job->result.why, sizeof job->result.why,
                       "%d of %d are open, and the next one expires at %s", GP_INVITATIONS_MAX,
                       GP_INVITATIONS_MAX, gp_fail_time(first_ms, time));
    }
}

static gp_error_t invite_run(gp_store_t *store, void *context)
{
    invite_job_t *job = context;
    const gp_issuer_facts_t *self = &job->self;
    const gp_invite_params_t *params = &job->params;
    char detail[GP_LOG_TEXT_MAX];
    char roles[128];
    gp_token_t token = {.grid = self->cert.grid,
                        .root = self->root_id,
                        .roles = params->roles,
                        .expires_ms = self->now_ms + params->valid_ms,
                        .uses = params->uses,
                        .serial = gp_ledger_serial(store),
                        .seed_count = params->seed_count};
    memcpy(token.region, self->cert.region, sizeof token.region);
    for (uint32_t i = 0; i < params->seed_count; i++) {
        memcpy(token.seeds[i].address, params->seeds[i].address, sizeof token.seeds[i].address);
        token.seeds[i].id = params->seeds[i].id;
    }
    gp_error_t error = gp_token_issue(&token, self->node, gp_slice(self->cert_bytes, self->cert_n),
                                      job->result.text);
    if (error != GP_OK) {
        return error;
    }
    gp_invitation_t invitation = {.serial = token.serial,
                                  .key = token.key,
                                  .roles = token.roles,
                                  .expires_ms = token.expires_ms,
                                  .uses = token.uses};
    memcpy(invitation.region, token.region, sizeof invitation.region);
    error = gp_ledger_invite(store, &invitation, self->now_ms);
    if (error == GP_E_INVITE_LIMIT) {
        limit_text(store, job);
    }
    if (error != GP_OK) {
        return error;
    }
    job->result.serial = token.serial;
    job->result.key = token.key;
    job->result.expires_ms = token.expires_ms;
    gp_roles_text(token.roles, roles, sizeof roles);
    (void)snprintf(detail, sizeof detail, "invitation %llu: %u uses, roles %s",
                   (unsigned long long)token.serial, (unsigned)token.uses, roles);
    return gp_issuer_log(store, self, "invite", token.region, detail);
}

/* The token is a secret: it leaves no copy behind. */
static void invite_free(invite_job_t *job)
{
    sodium_memzero(job, sizeof *job);
    free(job);
}

static gp_error_t invite_new(gp_issuer_t *issuer, const gp_invite_params_t *params,
                             gp_wall_ms_t now_ms, invite_job_t **ret_job, gp_fail_t *fail)
{
    invite_job_t *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot make a token");
    }
    job->self = gp_issuer_facts(issuer, now_ms);
    job->params = *params;
    const gp_error_t error = invite_check(&job->self, params, fail);
    if (error != GP_OK) {
        invite_free(job);
        return error;
    }
    *ret_job = job;
    return GP_OK;
}

gp_error_t gp_invite_now(gp_issuer_t *issuer, const gp_invite_params_t *params, gp_wall_ms_t now_ms,
                         gp_invite_result_t *ret_result, gp_fail_t *fail)
{
    invite_job_t *job = NULL;
    gp_error_t error = invite_new(issuer, params, now_ms, &job, fail);
    if (error != GP_OK) {
        return error;
    }
    error = gp_store_run_now(issuer->store, invite_run, job, fail);
    if (job->result.why[0] != '\0') {
        error = gp_fail(fail, error, "%s", job->result.why);
    }
    if (error == GP_OK) {
        *ret_result = job->result;
    }
    invite_free(job);
    return error;
}

static void invite_done(void *context, gp_error_t result)
{
    invite_job_t *job = context;
    job->result.error = result;
    if (result != GP_OK) {
        sodium_memzero(job->result.text, sizeof job->result.text);
    }
    job->done(job->context, &job->result);
    invite_free(job);
}

gp_error_t gp_invite(gp_issuer_t *issuer, const gp_invite_params_t *params, gp_wall_ms_t now_ms,
                     gp_invite_done_fn *done, void *context, gp_fail_t *fail)
{
    invite_job_t *job = NULL;
    const gp_error_t error = invite_new(issuer, params, now_ms, &job, fail);
    if (error == GP_OK) {
        job->done = done;
        job->context = context;
        gp_store_run(issuer->store, invite_run, invite_done, job);
    }
    return error;
}
