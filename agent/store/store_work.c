/* The worker thread, the queue that it works on, and the news that it sends to the loop. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/store/store_inside.h"

/* Small: a thread's stack is memory that each agent pays for. Sanitizers need more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_STACK 1048576
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define WORKER_STACK 1048576
#endif
#endif
#ifndef WORKER_STACK
#define WORKER_STACK 131072
#endif

/* ---- jobs --------------------------------------------------------------------------------------
 */

static gp_store_job_t *job_new(gp_store_job_type_t type, size_t bytes)
{
    gp_store_job_t *job = calloc(1, sizeof *job + bytes);
    if (job == NULL) {
        abort(); /* nothing is left to even say that it failed; what is durable stays durable */
    }
    job->type = type;
    job->n = (uint32_t)bytes;
    return job;
}

static void list_add(gp_store_list_t *list, gp_store_job_t *job)
{
    job->next = NULL;
    if (list->last != NULL) {
        list->last->next = job;
    } else {
        list->first = job;
    }
    list->last = job;
}

/* ---- the worker --------------------------------------------------------------------------------
 */

static void tell_loop(gp_store_t *store)
{
    const uint64_t one = 1;
    /* Fails only when the counter is at its end, and then the loop has been told already. */
    const ssize_t n = write(store->event_fd, &one, sizeof one);
    assert(n == (ssize_t)sizeof one || errno == EAGAIN);
}

/* Hands a finished batch over: to blocking callers, and to the loop. */
static void hand_over(gp_store_t *store, gp_store_job_t *first)
{
    (void)pthread_mutex_lock(&store->lock);
    for (gp_store_job_t *job = first; job != NULL;) {
        gp_store_job_t *next = job->next;
        if (job->waited_for) {
            job->finished = true;
        } else {
            list_add(&store->completed, job);
        }
        job = next;
    }
    (void)pthread_cond_broadcast(&store->finished);
    (void)pthread_mutex_unlock(&store->lock);
    tell_loop(store);
}

static void *worker_main(void *context)
{
    gp_store_t *store = context;
    (void)pthread_mutex_lock(&store->lock);
    for (;;) {
        while (store->waiting.first == NULL && !store->stopping) {
            (void)pthread_cond_wait(&store->work, &store->lock);
        }
        gp_store_job_t *first = store->waiting.first;
        if (first == NULL) {
            break;
        }
        store->waiting = (gp_store_list_t){.first = NULL};
        store->waiting_count = 0;
        store->waiting_bytes = 0;
        (void)pthread_mutex_unlock(&store->lock);
        gp_store_transact(store, first);
        hand_over(store, first);
        gp_store_checkpoint(store);
        (void)pthread_mutex_lock(&store->lock);
    }
    (void)pthread_mutex_unlock(&store->lock);
    return NULL;
}

static void on_news(evutil_socket_t fd, short what, void *context)
{
    gp_store_t *store = context;
    assert(fd == store->event_fd && (what & EV_READ) != 0);
    gp_store_deliver(store);
}

/* All signals stay with the loop's thread. Returns 0 or errno. */
static int worker_create(gp_store_t *store)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int number = pthread_attr_init(&attributes);
    if (number != 0) {
        return number;
    }
    (void)pthread_attr_setstacksize(&attributes, WORKER_STACK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    number = pthread_create(&store->worker, &attributes, worker_main, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return number;
}

gp_error_t gp_store_start(gp_store_t *store, struct event_base *base, gp_store_stored_fn *stored,
                          void *context, gp_fail_t *fail)
{
    assert(!store->started && stored != NULL);
    store->stored = stored;
    store->stored_context = context;
    store->stopping = false;
    store->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (store->event_fd < 0) {
        return gp_fail_errno(fail, errno, "cannot make an eventfd");
    }
    int number = 0;
    if (base != NULL) {
        store->event = event_new(base, store->event_fd, EV_READ | EV_PERSIST, on_news, store);
        number = store->event == NULL || event_add(store->event, NULL) != 0 ? ENOMEM : 0;
    }
    if (number == 0) {
        number = worker_create(store);
    }
    if (number != 0) {
        if (store->event != NULL) {
            event_free(store->event);
            store->event = NULL;
        }
        (void)close(store->event_fd);
        store->event_fd = -1;
        return gp_fail_errno(fail, number, "cannot start the thread that writes to the disk");
    }
    store->started = true;
    return GP_OK;
}

int gp_store_fd(const gp_store_t *store)
{
    return store->event_fd;
}

void gp_store_deliver(gp_store_t *store)
{
    uint64_t count = 0;
    const ssize_t n = read(store->event_fd, &count, sizeof count);
    assert(n == (ssize_t)sizeof count || errno == EAGAIN || errno == EINTR);
    (void)pthread_mutex_lock(&store->lock);
    gp_store_job_t *job = store->completed.first;
    store->completed = (gp_store_list_t){.first = NULL};
    (void)pthread_mutex_unlock(&store->lock);
    while (job != NULL) {
        gp_store_job_t *next = job->next;
        if (job->type == GP_STORE_JOB_PUT) {
            store->stored(store->stored_context, job->room, job->token, job->result == GP_OK);
        } else if (job->type == GP_STORE_JOB_RUN && job->done != NULL) {
            job->done(job->context, job->result);
        }
        free(job);
        job = next;
    }
}

void gp_store_stop(gp_store_t *store)
{
    assert(store->started);
    (void)pthread_mutex_lock(&store->lock);
    store->stopping = true;
    (void)pthread_cond_signal(&store->work);
    (void)pthread_mutex_unlock(&store->lock);
    const int number = pthread_join(store->worker, NULL);
    assert(number == 0);
    store->started = false;
    gp_store_deliver(store);
    if (store->event != NULL) {
        event_free(store->event);
        store->event = NULL;
    }
    (void)close(store->event_fd);
    store->event_fd = -1;
}

/* ---- queueing ----------------------------------------------------------------------------------
 */

/* What comes while the store stops, from a callback say, is neither written nor called durable. */
static void refuse_late(gp_store_job_t *job)
{
    if (job->type == GP_STORE_JOB_RUN && job->done != NULL) {
        job->done(job->context, GP_E_BUSY);
    }
    free(job);
}

/*
 * There is no room: who waits for an answer is refused in its turn, so that answers stay in order,
 * and nothing else of the job is kept. An entry of the log is lost, and counted.
 */
static gp_store_job_t *refused(gp_store_job_t *job)
{
    if (job->type == GP_STORE_JOB_LOG) {
        free(job);
        return NULL;
    }
    gp_store_job_t *rest = realloc(job, sizeof *job);
    rest = rest != NULL ? rest : job;
    rest->n = 0;
    rest->result = GP_E_BUSY;
    return rest;
}

static void enqueue(gp_store_t *store, gp_store_job_t *job)
{
    assert(store->started || store->stopping);
    if (store->stopping) {
        refuse_late(job);
        return;
    }
    (void)pthread_mutex_lock(&store->lock);
    if (store->waiting_count >= GP_STORE_QUEUE_MAX ||
        store->waiting_bytes + job->n > GP_STORE_QUEUE_BYTES) {
        store->failures++;
        job = refused(job);
    } else {
        store->waiting_bytes += job->n;
    }
    if (job != NULL) {
        store->waiting_count++;
        list_add(&store->waiting, job);
        (void)pthread_cond_signal(&store->work);
    }
    (void)pthread_mutex_unlock(&store->lock);
}

static gp_store_job_t *put_new(gp_store_job_type_t type, const gp_store_record_t *record)
{
    assert(record->bytes.n <= GP_MESSAGE_MAX);
    gp_store_job_t *job = job_new(type, record->bytes.n);
    job->room = record->room;
    job->kind = record->kind;
    job->key = record->key;
    if (record->bytes.n > 0) {
        memcpy(job->bytes, record->bytes.p, record->bytes.n);
    }
    return job;
}

void gp_store_put(gp_store_t *store, const gp_store_record_t *record, uint64_t token)
{
    gp_store_job_t *job = put_new(GP_STORE_JOB_PUT, record);
    job->token = token;
    enqueue(store, job);
}

void gp_store_remove(gp_store_t *store, gp_room_t room, gp_msg_kind_t kind, uint64_t key)
{
    const gp_store_record_t record = {
        .room = room, .kind = kind, .key = key, .bytes = gp_slice("", 0)};
    enqueue(store, put_new(GP_STORE_JOB_REMOVE, &record));
}

void gp_store_log(gp_store_t *store, const gp_log_entry_t *entry)
{
    const gp_slice_t texts[4] = {entry->actor, entry->what, entry->object, entry->detail};
    uint32_t lengths[4];
    size_t bytes = 0;
    for (size_t i = 0; i < 4; i++) {
        lengths[i] = texts[i].n < GP_LOG_TEXT_MAX ? texts[i].n : GP_LOG_TEXT_MAX;
        bytes += lengths[i];
    }
    gp_store_job_t *job = job_new(GP_STORE_JOB_LOG, bytes);
    uint8_t *at = job->bytes;
    for (size_t i = 0; i < 4; i++) {
        if (lengths[i] > 0) {
            memcpy(at, texts[i].p, lengths[i]);
        }
        at += lengths[i];
        job->lengths[i] = lengths[i];
    }
    job->at = entry->at;
    enqueue(store, job);
}

void gp_store_run(gp_store_t *store, gp_store_run_fn *run, gp_store_done_fn *done, void *context)
{
    gp_store_job_t *job = job_new(GP_STORE_JOB_RUN, 0);
    job->run = run;
    job->done = done;
    job->context = context;
    enqueue(store, job);
}

/* Waits for the worker, or does the job itself if there is none. */
static gp_error_t do_now(gp_store_t *store, gp_store_job_t *job, gp_fail_t *fail)
{
    if (store->started) {
        job->waited_for = true;
        enqueue(store, job);
        (void)pthread_mutex_lock(&store->lock);
        while (!job->finished) {
            (void)pthread_cond_wait(&store->finished, &store->lock);
        }
        (void)pthread_mutex_unlock(&store->lock);
    } else {
        gp_store_transact(store, job);
        gp_store_checkpoint(store);
    }
    const gp_error_t result = job->result;
    free(job);
    if (result != GP_OK && fail != NULL) {
        gp_fail_t failure;
        if (gp_store_failure(store, &failure) == result) {
            *fail = failure;
        } else {
            *fail = (gp_fail_t){.code = result};
        }
    }
    return result;
}

gp_error_t gp_store_run_now(gp_store_t *store, gp_store_run_fn *run, void *context, gp_fail_t *fail)
{
    gp_store_job_t *job = job_new(GP_STORE_JOB_RUN, 0);
    job->run = run;
    job->context = context;
    return do_now(store, job, fail);
}

gp_error_t gp_store_put_now(gp_store_t *store, const gp_store_record_t *record, gp_fail_t *fail)
{
    return do_now(store, put_new(GP_STORE_JOB_PUT, record), fail);
}

gp_error_t gp_store_failure(gp_store_t *store, gp_fail_t *ret_fail)
{
    (void)pthread_mutex_lock(&store->lock);
    const gp_error_t code = store->failure.code;
    if (ret_fail != NULL) {
        *ret_fail = store->failure;
    }
    (void)pthread_mutex_unlock(&store->lock);
    return code;
}

bool gp_store_given_up(gp_store_t *store)
{
    (void)pthread_mutex_lock(&store->lock);
    const bool given_up = store->given_up;
    (void)pthread_mutex_unlock(&store->lock);
    return given_up;
}

gp_store_stats_t gp_store_stats(gp_store_t *store)
{
    (void)pthread_mutex_lock(&store->lock);
    const gp_store_stats_t stats = {.commits = store->committed.commits,
                                    .failures = store->failures,
                                    .waiting = store->waiting_count};
    (void)pthread_mutex_unlock(&store->lock);
    return stats;
}
