#include "agent/store/fail.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void fail_format(gp_fail_t *fail, const char *format, va_list arguments)
{
    const int n = vsnprintf(fail->text, sizeof fail->text, format, arguments);
    assert(n >= 0);
}

gp_error_t gp_fail(gp_fail_t *fail, gp_error_t code, const char *format, ...)
{
    assert(code != GP_OK);
    if (fail != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fail->code = code;
        fail_format(fail, format, arguments);
        va_end(arguments);
    }
    return code;
}

static gp_error_t errno_code(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return GP_E_STATE_FULL;
    case EACCES:
    case EPERM:
        return GP_E_NOT_PERMITTED;
    case ENOMEM:
        return GP_E_MEMORY;
    case EMFILE:
    case ENFILE:
        return GP_E_SYSTEM;
    default:
        return GP_E_STATE_IO;
    }
}

gp_error_t gp_fail_errno(gp_fail_t *fail, int number, const char *format, ...)
{
    const gp_error_t code = errno_code(number);
    if (fail != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fail->code = code;
        fail_format(fail, format, arguments);
        va_end(arguments);
        const size_t used = strlen(fail->text);
        const char *reason = strerrordesc_np(number);
        (void)snprintf(fail->text + used, sizeof fail->text - used, ": %s",
                       reason != NULL ? reason : "unknown error");
    }
    return code;
}

const char *gp_fail_time(gp_wall_ms_t at_ms, char text[GP_FAIL_TIME_TEXT])
{
    /* Later than year 9999 is shown as its last second: a clock that lies, or a forged number. */
    const uint64_t last = UINT64_C(253402300799);
    const time_t seconds = (time_t)(at_ms / 1000 < last ? at_ms / 1000 : last);
    struct tm parts;
    const struct tm *broken = gmtime_r(&seconds, &parts);
    assert(broken != NULL);
    const size_t n = strftime(text, GP_FAIL_TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", broken);
    assert(n > 0);
    return text;
}
