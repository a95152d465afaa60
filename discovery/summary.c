#include "discovery/summary_inside.h"

#include "discovery/match.h"

/* ---- from records ---------------------------------------------------------------------------- */

/*
 * A word of the machine in this lane: into its class, or, as long as there is no class, its hashes
 * into the summary.
 */
static void take_word(gp_summary_t *s, const gp_summary_text_t *text, gp_slice_t word,
                      gp_summary_class_t *class)
{
    uint32_t bit = gp_summary_word_find(text, word);
    uint32_t hashes[2];
    uint32_t n = 0;
    if (bit == (uint32_t)text->first + text->count && text->hashed) {
        n = gp_summary_hash(text->attr, word, hashes);
    }
    if (class != NULL) {
        gp_summary_bit_set(class->words, bit);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (class != NULL) {
            gp_summary_bit_set(class->hashed, gp_summary_hash_find(s, hashes[i]));
        } else {
            gp_summary_hash_add(s, hashes[i]);
        }
    }
}

static void take_words(gp_summary_t *s, const gp_records_t *r, uint32_t lane,
                       gp_summary_class_t *class)
{
    for (uint32_t i = 0; i < gp_summary_text_count; i++) {
        const gp_summary_text_t *text = &gp_summary_texts[i];
        if (!gp_records_knows(r, lane, text->attr)) {
            continue;
        }
        gp_slice_t words = gp_records_text(r, lane, text->attr, NULL);
        if (gp_attribute(text->attr)->type != GP_TYPE_WORDS) {
            take_word(s, text, words, class);
            continue;
        }
        uint32_t at = 0;
        gp_slice_t word;
        while (gp_words_next(words, &at, &word)) {
            take_word(s, text, word, class);
        }
    }
}

static uint32_t code_of(const gp_records_t *r, uint32_t lane, uint32_t index)
{
    uint32_t attr = gp_summary_numbers[index].attr;
    if (gp_summary_numbers[index].scale == GP_SCALE_VERSION) {
        return gp_version_code(gp_records_text(r, lane, attr, NULL));
    }
    return gp_summary_code(index, gp_records_number(r, lane, attr));
}

/* Extends a range, which is empty if it is the first. */
static void extend(gp_summary_t *s, uint32_t index, uint32_t low, uint32_t high, bool first)
{
    if (first || low < s->low[index]) {
        s->low[index] = (uint16_t)low;
    }
    if (first || high > s->high[index]) {
        s->high[index] = (uint16_t)high;
    }
}

static void take_numbers(gp_summary_t *s, const gp_records_t *r, uint64_t lanes, uint32_t index)
{
    uint64_t known = r->known[gp_summary_numbers[index].attr] & lanes;
    bool first = true;
    while (known != 0) {
        uint32_t code = code_of(r, gp_lowest_bit(known), index);
        extend(s, index, code, code, first);
        first = false;
        known &= known - 1;
    }
}

static void take_class(gp_summary_t *s, const gp_records_t *r, uint32_t lane)
{
    gp_summary_class_t class = {0};
    take_words(s, r, lane, &class);
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        if (gp_records_knows(r, lane, gp_summary_numbers[i].attr)) {
            class.most[i] = gp_summary_most(i, code_of(r, lane, i));
        }
    }
    gp_summary_add(s, &class);
}

/* All that the lanes offer, before it has to fit. */
static void take_all(const gp_records_t *r, uint64_t lanes, gp_summary_t *s)
{
    uint64_t told = 0;
    *s = (gp_summary_t){0};
    lanes &= r->width == 64 ? UINT64_MAX : (UINT64_C(1) << r->width) - 1;
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        uint64_t known = r->known[attr] & lanes;
        if (gp_attribute(attr) != NULL && gp_attribute(attr)->source != GP_SOURCE_GIVEN) {
            told |= known;
        }
        if (attr < GP_SUMMARY_ATTRS && known != 0) {
            s->known[attr] = known == lanes ? GP_SUMMARY_ALL : GP_SUMMARY_SOME;
        }
    }
    s->machines = gp_count_bits(lanes);
    s->recorded = gp_count_bits(told);
    for (uint32_t i = 0; i < GP_SUMMARY_NUMBERS_COUNT; i++) {
        take_numbers(s, r, lanes, i);
    }
    for (uint64_t left = lanes; left != 0; left &= left - 1) {
        take_words(s, r, gp_lowest_bit(left), NULL);
    }
    for (uint64_t left = lanes; left != 0; left &= left - 1) {
        take_class(s, r, gp_lowest_bit(left));
    }
}

void gp_summary_make(const gp_records_t *records, uint64_t lanes, gp_summary_t *ret_summary)
{
    take_all(records, lanes, ret_summary);
    gp_summary_fit(ret_summary);
}

/* ---- hysteresis ------------------------------------------------------------------------------ */

/* How many codes a bound may lie beyond what is offered: one, where small moves are not told. */
static uint32_t slack_of(uint32_t index)
{
    const gp_attribute_t *attribute = gp_attribute(gp_summary_numbers[index].attr);
    return attribute->band > 0 || attribute->band_permille > 0 ? 1 : 0;
}

/* Whether the class promises no more than this one offers, but for the slack. */
static bool is_near(const gp_summary_class_t *class, const gp_summary_class_t *offered)
{
    gp_summary_class_t most = *offered;
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        uint32_t slack = most.most[i] > 0 ? slack_of(i) : 0;
        most.most[i] =
            (uint8_t)(most.most[i] + slack < UINT8_MAX ? most.most[i] + slack : UINT8_MAX);
    }
    return gp_summary_class_within(class, &most);
}

/*
 * Raises what is offered to what was promised before, where that is still near: each promise raises
 * the nearest class. None is raised by more than the slack.
 */
static void keep_classes(gp_summary_t *to, const gp_summary_t *held)
{
    gp_summary_t raised = *to;
    raised.class_count = 0;
    gp_summary_class_t classes[GP_SUMMARY_CLASSES_MAX];
    memcpy(classes, to->classes, sizeof classes);
    for (uint32_t h = 0; h < held->class_count; h++) {
        uint32_t nearest = UINT32_MAX;
        uint32_t at = 0;
        for (uint32_t i = 0; i < to->class_count; i++) {
            if (is_near(&held->classes[h], &to->classes[i])) {
                uint32_t apart =
                    gp_summary_class_apart(&held->classes[h], &to->classes[i], nearest);
                at = apart < nearest ? i : at;
                nearest = apart < nearest ? apart : nearest;
            }
        }
        if (nearest < UINT32_MAX) {
            gp_summary_class_raise(&classes[at], &held->classes[h]);
        }
    }
    for (uint32_t i = 0; i < to->class_count; i++) {
        gp_summary_add(&raised, &classes[i]);
    }
    *to = raised;
}

/* Hashes with as many bits as another summary's; false if they have fewer, or are others. */
static bool same_hashes(gp_summary_t *s, const gp_summary_t *as)
{
    while (s->hash_count > 0 && s->hash_dropped < as->hash_dropped) {
        gp_summary_hash_drop(s);
    }
    return s->hash_count == as->hash_count && s->hash_dropped == as->hash_dropped &&
           memcmp(s->hashes, as->hashes, sizeof s->hashes) == 0;
}

/* An end of a range stays where it was, if it still lies beyond, by no more than the slack. */
static void keep_range(gp_summary_t *to, const gp_summary_t *held, uint32_t index)
{
    uint32_t slack = slack_of(index);
    if (held->low[index] < to->low[index] && held->low[index] + slack >= to->low[index]) {
        to->low[index] = held->low[index];
    }
    if (held->high[index] > to->high[index] && held->high[index] <= to->high[index] + slack) {
        to->high[index] = held->high[index];
    }
}

/* The end of a joint range that its classes tell. */
static void place_range(gp_summary_t *s, uint32_t index)
{
    uint32_t told = gp_summary_best(s, index);
    if (told != GP_SUMMARY_NO_CODE) {
        uint16_t *end = gp_summary_more(index) ? &s->high[index] : &s->low[index];
        *end = (uint16_t)told;
    }
}

/* What is offered now, with what was promised before where it is still near. */
static void keep(gp_summary_t *now, const gp_summary_t *held)
{
    keep_classes(now, held);
    for (uint32_t i = 0; i < GP_SUMMARY_NUMBERS_COUNT; i++) {
        if (now->known[gp_summary_numbers[i].attr] != GP_SUMMARY_NONE) {
            keep_range(now, held, i);
        }
    }
    if (gp_summary_bits(now) > GP_SUMMARY_MAX * 8) {
        gp_summary_fit(now);
        if (same_hashes(now, held)) {
            keep_classes(now, held);
        }
    }
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        place_range(now, i);
    }
}

static bool covers(const gp_summary_t *held, const gp_summary_class_t *class)
{
    for (uint32_t i = 0; i < held->class_count; i++) {
        if (gp_summary_class_within(class, &held->classes[i])) {
            return true;
        }
    }
    return false;
}

static bool any_near(const gp_summary_class_t *class, const gp_summary_t *offered)
{
    for (uint32_t i = 0; i < offered->class_count; i++) {
        if (is_near(class, &offered->classes[i])) {
            return true;
        }
    }
    return false;
}

/* The upper bound of those offers that a promise covers. */
static gp_summary_class_t bound_of(const gp_summary_class_t *promise, const gp_summary_t *offered)
{
    gp_summary_class_t bound = {0};
    for (uint32_t i = 0; i < offered->class_count; i++) {
        if (gp_summary_class_within(&offered->classes[i], promise)) {
            gp_summary_class_raise(&bound, &offered->classes[i]);
        }
    }
    return bound;
}

/*
 * Whether what was promised covers what is offered now, and all of it is still near: each class to
 * one that is offered or, if those have no room, to the upper bound of some.
 */
static bool still_holds(const gp_summary_t *held, const gp_summary_t *now)
{
    for (uint32_t i = 0; i < GP_SUMMARY_NUMBERS_COUNT; i++) {
        uint32_t slack = slack_of(i);
        if (held->low[i] > now->low[i] || held->low[i] + slack < now->low[i] ||
            held->high[i] < now->high[i] || held->high[i] > now->high[i] + slack) {
            return false;
        }
    }
    for (uint32_t i = 0; i < now->class_count; i++) {
        if (!covers(held, &now->classes[i])) {
            return false;
        }
    }
    bool fits = gp_summary_bits(now) <= GP_SUMMARY_MAX * 8;
    for (uint32_t i = 0; i < held->class_count; i++) {
        gp_summary_class_t bound = bound_of(&held->classes[i], now);
        if (!any_near(&held->classes[i], now) && (fits || !is_near(&held->classes[i], &bound))) {
            return false;
        }
    }
    return true;
}

bool gp_summary_renew(gp_summary_t *summary, const gp_records_t *records, uint64_t lanes)
{
    gp_summary_t now;
    take_all(records, lanes, &now);
    if (memcmp(now.known, summary->known, sizeof now.known) == 0 && same_hashes(&now, summary)) {
        if (now.machines == summary->machines && now.recorded == summary->recorded &&
            still_holds(summary, &now)) {
            return false;
        }
        keep(&now, summary);
    }
    gp_summary_fit(&now);
    uint8_t before[GP_SUMMARY_MAX];
    uint8_t after[GP_SUMMARY_MAX];
    (void)gp_summary_pack(summary, before);
    (void)gp_summary_pack(&now, after);
    *summary = now;
    return memcmp(before, after, sizeof after) != 0;
}

/* ---- join ------------------------------------------------------------------------------------ */

static uint32_t add_counts(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - 1 - b ? UINT32_MAX - 1 : a + b;
}

/* Both with hashes of as many bits, and with the same ones. */
static void join_hashes(gp_summary_t *a, gp_summary_t *b)
{
    while (a->hash_dropped < b->hash_dropped) {
        gp_summary_hash_drop(a);
    }
    while (b->hash_dropped < a->hash_dropped) {
        gp_summary_hash_drop(b);
    }
    while (!gp_summary_hash_unite(a, b)) {
        gp_summary_hash_drop(a);
        gp_summary_hash_drop(b);
    }
}

void gp_summary_join(gp_summary_t *into, const gp_summary_t *from)
{
    if (into->machines == 0 || from->machines == 0) {
        *into = into->machines == 0 ? *from : *into;
        return;
    }
    gp_summary_t other = *from;
    join_hashes(into, &other);
    for (uint32_t i = 0; i < GP_SUMMARY_NUMBERS_COUNT; i++) {
        uint32_t attr = gp_summary_numbers[i].attr;
        if (other.known[attr] != GP_SUMMARY_NONE) {
            extend(into, i, other.low[i], other.high[i], into->known[attr] == GP_SUMMARY_NONE);
        }
    }
    for (uint32_t attr = 0; attr < GP_SUMMARY_ATTRS; attr++) {
        if (into->known[attr] != other.known[attr]) {
            into->known[attr] = GP_SUMMARY_SOME;
        }
    }
    into->machines = add_counts(into->machines, other.machines);
    into->recorded = add_counts(into->recorded, other.recorded);
    for (uint32_t i = 0; i < other.class_count; i++) {
        gp_summary_add(into, &other.classes[i]);
    }
    gp_summary_fit(into);
}
