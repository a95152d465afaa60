/* A launcher with real programs: what a test starts, and what it is told of it. */
#ifndef AGENT_WORK_RIG_H
#define AGENT_WORK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "agent/work/launcher.h"

#define RUNS_MAX 64
#define LIMIT_MS 20000

typedef struct outcome {
    bool answered; /* WORK_STARTED came */
    bool started;
    bool ended;
    gp_reason_t reason;
    uint32_t code;
    char text[GP_REASON_TEXT_MAX + 1];
    uint64_t offset;
    uint64_t told; /* as WORK_ENDED says */
    uint64_t wall_us;
    uint64_t cpu_us;
    uint64_t peak_bytes;
    uint64_t stream_bytes[3];
    uint64_t sum; /* of stdout */
    char out[3][4096];
} outcome_t;

typedef struct rig {
    struct event_base *base;
    gp_launcher_t *launcher;
    char dir[128];
    outcome_t runs[RUNS_MAX];
    uint64_t window;   /* credit beyond what was read; 0: unlimited */
    uint64_t withhold; /* no credit beyond this offset; 0: none withheld */
    gp_id_t home;
    const char *again; /* started under the same number the moment that an end is told */
    bool no_cgroups;
    bool memory_cgroup;
} rig_t;

extern bool rig_without_cgroups; /* the second round of tests */
extern gp_msg_t rig_message;     /* to be filled in */

void rig_open_launcher(rig_t *rig);
int rig_setup(void **state);
int rig_teardown(void **state);
void rig_loop_until(rig_t *rig, bool (*done)(rig_t *rig, uint64_t job), uint64_t job);
bool rig_is_over(rig_t *rig, uint64_t job);
bool rig_is_started(rig_t *rig, uint64_t job);
bool rig_is_quiet(rig_t *rig, uint64_t job);
bool rig_has_line(rig_t *rig, uint64_t job);
void rig_start_words(rig_t *rig, uint64_t job, const char *const *args, const char *const *env);
void rig_start_shell(rig_t *rig, uint64_t job, const char *script);
outcome_t *rig_run_words(rig_t *rig, const char *const *args);
outcome_t *rig_run_shell(rig_t *rig, const char *script);
void rig_stop(rig_t *rig, uint64_t job, gp_reason_t reason);
pid_t rig_pid_written(const outcome_t *run);
bool rig_is_dead(pid_t pid);
void rig_loop_for(rig_t *rig, int ms);
uint64_t rig_now_ms(void);
void rig_credit(rig_t *rig, uint64_t job, uint64_t until);
void rig_on_message(void *context, const gp_msg_t *msg);

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

#endif
