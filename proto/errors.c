#include "proto/errors.h"

const char *gp_error_name(gp_error_t error)
{
    switch (error) {
    case GP_OK:
        return "OK";
#define GP_E(NAME, code, exit, text, action)                                                       \
    case GP_E_##NAME:                                                                              \
        return "E_" #NAME;
        GP_ERRORS(GP_E)
#undef GP_E
    default:
        return "E_UNKNOWN";
    }
}

const char *gp_error_text(gp_error_t error)
{
    switch (error) {
    case GP_OK:
        return "done";
#define GP_E(NAME, code, exit, text, action)                                                       \
    case GP_E_##NAME:                                                                              \
        return text;
        GP_ERRORS(GP_E)
#undef GP_E
    default:
        return "an error that this version does not know";
    }
}

const char *gp_error_action(gp_error_t error)
{
    switch (error) {
    case GP_OK:
        return "none";
#define GP_E(NAME, code, exit, text, action)                                                       \
    case GP_E_##NAME:                                                                              \
        return action;
        GP_ERRORS(GP_E)
#undef GP_E
    default:
        return "upgrade the older agent";
    }
}

int gp_error_exit(gp_error_t error)
{
    switch (error) {
    case GP_OK:
        return GP_EXIT_DONE;
#define GP_E(NAME, code, exit, text, action)                                                       \
    case GP_E_##NAME:                                                                              \
        return exit;
        GP_ERRORS(GP_E)
#undef GP_E
    default:
        return GP_EXIT_FAILED;
    }
}
