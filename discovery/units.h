/*
 * Quantities: "1.5GiB", "50%", "10min" to whole numbers in base units, and back for people.
 *
 * Exact: a value between two whole base units is told as the lower one and `between`, so that a
 * comparison with it is still right. No floating point.
 */
#ifndef GP_DISCOVERY_UNITS_H
#define GP_DISCOVERY_UNITS_H

#include "discovery/attributes.h"

typedef enum gp_quantity_error {
    GP_QUANTITY_OK = 0,
    GP_QUANTITY_NO_NUMBER, /* does not begin with a digit, or has two dots */
    GP_QUANTITY_NO_UNIT,   /* a number, but this type needs a unit */
    GP_QUANTITY_UNIT,      /* a known unit of another family, or of none */
    GP_QUANTITY_RANGE      /* more than 2^64-1 base units, or more than 9 decimals */
} gp_quantity_error_t;

typedef struct gp_quantity {
    uint64_t number; /* base units, rounded down */
    bool between;    /* the exact value is more than number, less than number + 1 */
} gp_quantity_t;

/* Whether this word is a unit of any family: "GiB". Case matters: Mbit is not mbit. */
bool gp_unit_known(gp_slice_t word);

/* The type that this unit measures, 0 if none. */
uint32_t gp_unit_type(gp_slice_t word);

/* The unit of the type that this word spells in another case, begins or goes on; NULL: none. */
const char *gp_unit_suggest(gp_slice_t word, gp_type_t type);

/*
 * Reads number and unit (unit.n == 0: none) as a value of `type` (a number type, not BOOL); `bare`
 * multiplies a number without a unit (0: not allowed, except for zero). *ret untouched on error.
 */
gp_quantity_error_t gp_quantity_parse(gp_slice_t number, gp_slice_t unit, gp_type_t type,
                                      uint64_t bare, gp_quantity_t *ret);

/* Bytes at the start of `text` that are the number (digits and dots); the rest is its unit. */
uint32_t gp_quantity_split(gp_slice_t text);

#define GP_QUANTITY_TEXT_MAX 40

/* Writes a value for people: "3.1GiB", "50%", "1.50", "true". Returns its bytes. */
uint32_t gp_quantity_print(uint64_t number, gp_type_t type, char text[GP_QUANTITY_TEXT_MAX]);

#endif
