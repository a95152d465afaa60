/* The launcher of a fuzzed core: programs that start, write and end when the input says so. */
#ifndef GP_TESTS_FUZZ_CORE_PROGRAMS_H
#define GP_TESTS_FUZZ_CORE_PROGRAMS_H

#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

/* The process of the agent is gone, and with it all programs. */
void fuzz_programs_reset(void);

/* An order of the core. Checks that nothing is started that runs. */
void fuzz_programs_notice(const gp_msg_t *notice);

/* What a program does next, as a command for the core. False: nothing runs. */
bool fuzz_programs_report(fuzz_bytes_t *bytes, gp_msg_t *ret_command);

#endif
