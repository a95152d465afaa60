#include "tests/fuzz/core_programs.h"

#define PROGRAMS_MAX 16

typedef struct program {
    bool used;
    bool started;
    gp_id_t home;
    uint64_t job;
    uint32_t incarnation;
    uint64_t written;
    uint64_t until; /* output may be read up to here */
} program_t;

static program_t programs[PROGRAMS_MAX];

void fuzz_programs_reset(void)
{
    memset(programs, 0, sizeof programs);
}

static program_t *find(const gp_id_t *home, uint64_t job, uint32_t incarnation)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        program_t *program = &programs[i];
        if (program->used && program->job == job && program->incarnation == incarnation &&
            gp_id_equal(&program->home, home)) {
            return program;
        }
    }
    return NULL;
}

static void on_start(const gp_msg_job_start_t *order)
{
    FUZZ_CHECK(find(&order->home, order->job, order->incarnation) == NULL);
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        if (!programs[i].used) {
            programs[i] = (program_t){.used = true,
                                      .home = order->home,
                                      .job = order->job,
                                      .incarnation = order->incarnation};
            return;
        }
    }
    FUZZ_CHECK(false); /* more programs than the config lets run */
}

void fuzz_programs_notice(const gp_msg_t *notice)
{
    const gp_msg_job_read_t *read = &notice->u.job_read;
    if (notice->kind == GP_MSG_JOB_START) {
        on_start(&notice->u.job_start);
    } else if (notice->kind == GP_MSG_JOB_READ) {
        program_t *program = find(&read->home, read->job, read->incarnation);
        if (program != NULL) {
            FUZZ_CHECK(read->until >= program->until);
            program->until = read->until;
        }
    }
}

static void write_output(program_t *program, uint8_t choice, uint32_t n, gp_msg_t *command)
{
    static const uint8_t text[GP_OUTPUT_CHUNK_MAX];
    uint64_t room = program->until - program->written;
    n = n < room ? n : (uint32_t)room;
    n = n < sizeof text ? n : (uint32_t)sizeof text;
    command->kind = GP_MSG_WORK_OUTPUT;
    command->u.work_output = (gp_msg_work_output_t){.home = program->home,
                                                    .job = program->job,
                                                    .incarnation = program->incarnation,
                                                    .stream = (uint8_t)(1 + choice % 2),
                                                    .offset = program->written,
                                                    .bytes = gp_slice(text, n)};
    program->written += n;
}

bool fuzz_programs_report(fuzz_bytes_t *bytes, gp_msg_t *ret_command)
{
    uint8_t choice = fuzz_u8(bytes);
    uint8_t detail = fuzz_u8(bytes);
    program_t *program = &programs[choice / 4 % PROGRAMS_MAX];
    if (!program->used) {
        return false;
    }
    *ret_command = (gp_msg_t){.kind = GP_MSG_WORK_STARTED};
    if (!program->started) {
        program->started = choice % 4 != 3;
        program->used = program->started;
        ret_command->u.work_started = (gp_msg_work_started_t){.home = program->home,
                                                              .job = program->job,
                                                              .incarnation = program->incarnation,
                                                              .started = program->started,
                                                              .reason = detail % 32,
                                                              .code = detail,
                                                              .text = gp_text("why")};
    } else if (choice % 4 < 2) {
        write_output(program, choice, detail * (choice % 2 == 0 ? 1U : 1024U), ret_command);
    } else {
        ret_command->kind = GP_MSG_WORK_ENDED;
        ret_command->u.work_ended = (gp_msg_work_ended_t){.home = program->home,
                                                          .job = program->job,
                                                          .incarnation = program->incarnation,
                                                          .reason = (uint8_t)(1 + detail % 3),
                                                          .code = detail,
                                                          .output = program->written,
                                                          .text = gp_text("how")};
        program->used = false;
    }
    return true;
}
