#include "agent/store/ledger.h"

#include "agent/store/store_inside.h"
#include "proto/text.h"

/* ---- rows --------------------------------------------------------------------------------------
 */

static void invitation_sum(const gp_invitation_t *invitation, uint8_t ret_sum[GP_STORE_SUM])
{
    gp_store_sum_t sum;
    gp_store_sum_init(&sum, "invitations", GP_STORE_SUM);
    gp_store_sum_number(&sum, invitation->serial);
    gp_store_sum_bytes(&sum, gp_slice(invitation->key.b, sizeof invitation->key.b));
    gp_store_sum_bytes(&sum, gp_text(invitation->region));
    gp_store_sum_number(&sum, invitation->roles);
    gp_store_sum_number(&sum, invitation->expires_ms);
    gp_store_sum_number(&sum, invitation->uses);
    gp_store_sum_number(&sum, invitation->used);
    gp_store_sum_end(&sum, ret_sum, GP_STORE_SUM);
}

static void admission_sum(const gp_admission_t *admission, uint8_t ret_sum[GP_STORE_SUM])
{
    gp_store_sum_t sum;
    gp_store_sum_init(&sum, "admissions", GP_STORE_SUM);
    gp_store_sum_number(&sum, admission->serial);
    gp_store_sum_number(&sum, admission->invitation);
    gp_store_sum_bytes(&sum, gp_slice(admission->node.b, sizeof admission->node.b));
    gp_store_sum_bytes(&sum, gp_text(admission->name));
    gp_store_sum_number(&sum, admission->at_ms);
    gp_store_sum_number(&sum, admission->expires_ms);
    gp_store_sum_bytes(&sum, gp_slice(admission->cert, admission->cert_n));
    gp_store_sum_end(&sum, ret_sum, GP_STORE_SUM);
}

static bool copy_id(gp_id_t *to, gp_slice_t from)
{
    if (from.n != sizeof to->b) {
        return false;
    }
    memcpy(to->b, from.p, sizeof to->b);
    return true;
}

/* False: the row is damaged. */
static bool invitation_row(sqlite3_stmt *row, gp_invitation_t *ret_invitation)
{
    uint8_t sum[GP_STORE_SUM];
    gp_invitation_t invitation = {.serial = gp_store_number(row, 0),
                                  .roles = (uint16_t)gp_store_number(row, 3),
                                  .expires_ms = gp_store_number(row, 4),
                                  .uses = (uint32_t)gp_store_number(row, 5),
                                  .used = (uint32_t)gp_store_number(row, 6)};
    if (!copy_id(&invitation.key, gp_store_blob(row, 1)) ||
        !gp_text_copy(invitation.region, sizeof invitation.region, gp_store_blob(row, 2))) {
        return false;
    }
    invitation_sum(&invitation, sum);
    if (!gp_slice_equal(gp_store_blob(row, 7), gp_slice(sum, sizeof sum))) {
        return false;
    }
    *ret_invitation = invitation;
    return true;
}

static bool admission_row(sqlite3_stmt *row, gp_admission_t *ret_admission)
{
    uint8_t sum[GP_STORE_SUM];
    const gp_slice_t cert = gp_store_blob(row, 6);
    gp_admission_t *admission = ret_admission;
    *admission = (gp_admission_t){.serial = gp_store_number(row, 0),
                                  .invitation = gp_store_number(row, 1),
                                  .at_ms = gp_store_number(row, 4),
                                  .expires_ms = gp_store_number(row, 5),
                                  .cert_n = cert.n};
    if (!copy_id(&admission->node, gp_store_blob(row, 2)) ||
        !gp_text_copy(admission->name, sizeof admission->name, gp_store_blob(row, 3)) ||
        cert.n > sizeof admission->cert) {
        return false;
    }
    memcpy(admission->cert, cert.p, cert.n);
    admission_sum(admission, sum);
    return gp_slice_equal(gp_store_blob(row, 7), gp_slice(sum, sizeof sum));
}

static sqlite3_stmt *rows_after(gp_store_t *store, gp_store_sql_t sql, uint64_t after,
                                uint64_t limit)
{
    sqlite3_stmt *statement = gp_store_statement(store, sql);
    if (statement != NULL) {
        gp_store_bind_number(statement, 1, after);
        gp_store_bind_number(statement, 2, limit);
    }
    return statement;
}

bool gp_store_ledger_verify(gp_store_t *store, gp_store_head_t *rows)
{
    uint8_t sum[GP_STORE_SUM];
    gp_invitation_t invitation;
    gp_admission_t admission;
    sqlite3_stmt *row = rows_after(store, GP_SQL_INVITATION_ALL, 0, INT64_MAX);
    while (gp_store_row(store, row)) {
        if (!invitation_row(row, &invitation)) {
            (void)sqlite3_reset(row);
            return false;
        }
        invitation_sum(&invitation, sum);
        gp_store_rows_toggle(rows, sum);
    }
    row = rows_after(store, GP_SQL_ADMISSION_ALL, 0, INT64_MAX);
    while (gp_store_row(store, row)) {
        if (!admission_row(row, &admission)) {
            (void)sqlite3_reset(row);
            return false;
        }
        admission_sum(&admission, sum);
        gp_store_rows_toggle(rows, sum);
    }
    return store->broken == GP_OK;
}

/* A row whose sum was right at start and is not now: the disk changed under us. */
static gp_error_t row_damaged(gp_store_t *store, sqlite3_stmt *row)
{
    (void)sqlite3_reset(row);
    store->broken = GP_E_STATE_DAMAGED;
    return GP_E_STATE_DAMAGED;
}

static uint64_t count_of(gp_store_t *store, gp_store_sql_t sql)
{
    sqlite3_stmt *row = gp_store_statement(store, sql);
    uint64_t count = 0;
    if (gp_store_row(store, row)) {
        count = gp_store_number(row, 0);
        (void)sqlite3_reset(row);
    }
    return count;
}

static gp_error_t row_remove(gp_store_t *store, gp_store_sql_t sql, uint64_t serial,
                             const uint8_t sum[GP_STORE_SUM])
{
    sqlite3_stmt *statement = gp_store_statement(store, sql);
    if (statement == NULL) {
        return store->broken;
    }
    gp_store_bind_number(statement, 1, serial);
    gp_store_rows_toggle(&store->head, sum);
    store->dirty = true;
    return gp_store_finish(store, statement) ? GP_OK : store->broken;
}

uint64_t gp_ledger_serial(gp_store_t *store)
{
    store->dirty = true;
    return ++store->head.serial;
}

/* ---- invitations -------------------------------------------------------------------------------
 */

gp_error_t gp_ledger_invitation(gp_store_t *store, uint64_t serial, gp_invitation_t *ret_invitation)
{
    sqlite3_stmt *row = gp_store_statement(store, GP_SQL_INVITATION_GET);
    if (row == NULL) {
        return store->broken;
    }
    gp_store_bind_number(row, 1, serial);
    if (!gp_store_row(store, row)) {
        return store->broken != GP_OK ? store->broken : GP_E_TOKEN_UNKNOWN;
    }
    if (!invitation_row(row, ret_invitation)) {
        return row_damaged(store, row);
    }
    (void)sqlite3_reset(row);
    return GP_OK;
}

static gp_error_t invitation_remove(gp_store_t *store, const gp_invitation_t *invitation)
{
    uint8_t sum[GP_STORE_SUM];
    invitation_sum(invitation, sum);
    return row_remove(store, GP_SQL_INVITATION_REMOVE, invitation->serial, sum);
}

/* Removes one invitation that has expired, else the oldest that is used up. */
static gp_error_t invitation_make_room(gp_store_t *store, gp_wall_ms_t now_ms)
{
    gp_invitation_t spent;
    sqlite3_stmt *row = gp_store_statement(store, GP_SQL_INVITATION_SPENT);
    if (row == NULL) {
        return store->broken;
    }
    gp_store_bind_number(row, 1, now_ms);
    if (!gp_store_row(store, row)) {
        return store->broken != GP_OK ? store->broken : GP_E_INVITE_LIMIT;
    }
    if (!invitation_row(row, &spent)) {
        return row_damaged(store, row);
    }
    (void)sqlite3_reset(row);
    return invitation_remove(store, &spent);
}

gp_error_t gp_ledger_invite(gp_store_t *store, const gp_invitation_t *invitation,
                            gp_wall_ms_t now_ms)
{
    uint8_t sum[GP_STORE_SUM];
    gp_invitation_t before;
    assert(invitation->serial > 0 && invitation->used <= invitation->uses);
    gp_error_t error = gp_ledger_invitation(store, invitation->serial, &before);
    if (error == GP_OK) {
        error = invitation_remove(store, &before);
    } else if (error == GP_E_TOKEN_UNKNOWN) {
        error = count_of(store, GP_SQL_INVITATION_COUNT) < GP_INVITATIONS_MAX
                    ? store->broken
                    : invitation_make_room(store, now_ms);
    }
    if (error != GP_OK) {
        return error;
    }
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_INVITATION_PUT);
    if (statement == NULL) {
        return store->broken;
    }
    invitation_sum(invitation, sum);
    gp_store_bind_number(statement, 1, invitation->serial);
    gp_store_bind_blob(statement, 2, invitation->key.b, sizeof invitation->key.b);
    gp_store_bind_text(statement, 3, gp_text(invitation->region));
    gp_store_bind_number(statement, 4, invitation->roles);
    gp_store_bind_number(statement, 5, invitation->expires_ms);
    gp_store_bind_number(statement, 6, invitation->uses);
    gp_store_bind_number(statement, 7, invitation->used);
    gp_store_bind_blob(statement, 8, sum, sizeof sum);
    gp_store_rows_toggle(&store->head, sum);
    store->dirty = true;
    return gp_store_finish(store, statement) ? GP_OK : store->broken;
}

gp_error_t gp_ledger_invitations(gp_store_t *store, uint64_t after, uint32_t limit,
                                 gp_ledger_each_fn *each, void *context)
{
    sqlite3_stmt *row = rows_after(store, GP_SQL_INVITATION_ALL, after, limit);
    while (gp_store_row(store, row)) {
        gp_invitation_t invitation;
        if (!invitation_row(row, &invitation)) {
            return row_damaged(store, row);
        }
        each(context, &invitation);
    }
    return store->broken;
}

/* ---- admissions --------------------------------------------------------------------------------
 */

static gp_error_t admission_remove(gp_store_t *store, const gp_admission_t *admission)
{
    uint8_t sum[GP_STORE_SUM];
    admission_sum(admission, sum);
    return row_remove(store, GP_SQL_ADMISSION_REMOVE, admission->serial, sum);
}

static gp_error_t admission_make_room(gp_store_t *store, gp_wall_ms_t now_ms)
{
    gp_admission_t expired;
    sqlite3_stmt *row = gp_store_statement(store, GP_SQL_ADMISSION_EXPIRED);
    if (row == NULL) {
        return store->broken;
    }
    gp_store_bind_number(row, 1, now_ms);
    if (!gp_store_row(store, row)) {
        return store->broken != GP_OK ? store->broken : GP_E_GROUP_FULL;
    }
    if (!admission_row(row, &expired)) {
        return row_damaged(store, row);
    }
    (void)sqlite3_reset(row);
    return admission_remove(store, &expired);
}

gp_error_t gp_ledger_admit(gp_store_t *store, const gp_admission_t *admission, gp_wall_ms_t now_ms)
{
    uint8_t sum[GP_STORE_SUM];
    assert(admission->serial > 0 && admission->serial <= store->head.serial);
    const bool room = count_of(store, GP_SQL_ADMISSION_COUNT) < GP_ADMISSIONS_MAX;
    const gp_error_t error = room ? store->broken : admission_make_room(store, now_ms);
    if (error != GP_OK) {
        return error;
    }
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_ADMISSION_PUT);
    if (statement == NULL) {
        return store->broken;
    }
    admission_sum(admission, sum);
    gp_store_bind_number(statement, 1, admission->serial);
    gp_store_bind_number(statement, 2, admission->invitation);
    gp_store_bind_blob(statement, 3, admission->node.b, sizeof admission->node.b);
    gp_store_bind_text(statement, 4, gp_text(admission->name));
    gp_store_bind_number(statement, 5, admission->at_ms);
    gp_store_bind_number(statement, 6, admission->expires_ms);
    gp_store_bind_blob(statement, 7, admission->cert, admission->cert_n);
    gp_store_bind_blob(statement, 8, sum, sizeof sum);
    gp_store_rows_toggle(&store->head, sum);
    store->dirty = true;
    return gp_store_finish(store, statement) ? GP_OK : store->broken;
}

gp_error_t gp_ledger_by_node(gp_store_t *store, const gp_id_t *node, gp_admission_t *ret_admission)
{
    bool found = false;
    sqlite3_stmt *row = gp_store_statement(store, GP_SQL_ADMISSION_NODE);
    if (row != NULL) {
        gp_store_bind_blob(row, 1, node->b, sizeof node->b);
    }
    while (gp_store_row(store, row)) {
        if (!admission_row(row, ret_admission)) {
            return row_damaged(store, row);
        }
        found = true;
    }
    if (store->broken != GP_OK) {
        return store->broken;
    }
    return found ? GP_OK : GP_E_NODE_UNKNOWN;
}

gp_error_t gp_ledger_by_name(gp_store_t *store, gp_slice_t name, const gp_id_t *node,
                             gp_wall_ms_t now_ms, gp_admission_t *ret_admission)
{
    bool found = false;
    gp_admission_t admission;
    sqlite3_stmt *row = gp_store_statement(store, GP_SQL_ADMISSION_NAME);
    if (row != NULL) {
        gp_store_bind_text(row, 1, name);
    }
    while (gp_store_row(store, row)) {
        if (!admission_row(row, &admission)) {
            return row_damaged(store, row);
        }
        if (!gp_id_equal(&admission.node, node) && admission.expires_ms > now_ms) {
            *ret_admission = admission;
            found = true;
        }
    }
    if (store->broken != GP_OK) {
        return store->broken;
    }
    return found ? GP_OK : GP_E_NODE_UNKNOWN;
}

gp_error_t gp_ledger_newest(gp_store_t *store, uint64_t serials, gp_ledger_member_fn *each,
                            void *context)
{
    const uint64_t last = store->head.serial;
    const uint64_t after = last > serials ? last - serials : 0;
    sqlite3_stmt *row = rows_after(store, GP_SQL_ADMISSION_ALL, after, serials);
    while (gp_store_row(store, row)) {
        gp_admission_t admission;
        if (!admission_row(row, &admission)) {
            return row_damaged(store, row);
        }
        each(context, &admission);
    }
    return store->broken;
}

gp_error_t gp_ledger_forget(gp_store_t *store, const gp_id_t *node)
{
    gp_admission_t admission;
    gp_error_t error = gp_ledger_by_node(store, node, &admission);
    while (error == GP_OK) {
        error = admission_remove(store, &admission);
        if (error == GP_OK) {
            error = gp_ledger_by_node(store, node, &admission);
        }
    }
    return error == GP_E_NODE_UNKNOWN ? GP_OK : error;
}
