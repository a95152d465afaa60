/* cmocka with the headers that it wants before it. */
#ifndef GP_TESTS_PROTO_CMOCKA_H
#define GP_TESTS_PROTO_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
