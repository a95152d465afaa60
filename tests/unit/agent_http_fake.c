#include "agent_http_fake.h"

#include <event2/event.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/http/address.h"

typedef struct job {
    void (*change)(void *context);
    void *context;
    sem_t done;
} job_t;

void fake_place(fake_t *fake)
{
    *fake = (fake_t){.directory = "/tmp/gp-test-XXXXXX"};
    assert(mkdtemp(fake->directory) != NULL);
    (void)snprintf(fake->node, sizeof fake->node, "%s/n1", fake->directory);
    (void)snprintf(fake->path, sizeof fake->path, "%s/%s", fake->node, GP_HTTP_SOCKET_NAME);
    int made = mkdir(fake->node, 0700);
    assert(made == 0);
    (void)made;
}

/* The loop reads jobs, by their address; the last one is none. */
static void pipe_ready(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    fake_t *fake = context;
    job_t *job = NULL;
    ssize_t n = read(fd, &job, sizeof job);
    assert(n == (ssize_t)sizeof job);
    if (n != (ssize_t)sizeof job || job == NULL) {
        (void)event_base_loopbreak(fake->base);
        return;
    }
    job->change(job->context);
    (void)sem_post(&job->done);
}

static void *loop_run(void *context)
{
    fake_t *fake = context;
    (void)event_base_dispatch(fake->base);
    return NULL;
}

void fake_start(fake_t *fake, const gp_http_route_t *routes, size_t count, void *context)
{
    fake->base = event_base_new();
    assert(fake->base != NULL);
    gp_http_config_t config = {.base = fake->base,
                               .socket_path = fake->path,
                               .routes = routes,
                               .route_count = count,
                               .guard = fake->guard,
                               .context = context};
    gp_error_t error = gp_http_server_new(&config, &fake->server);
    assert(error == GP_OK);
    int piped = pipe(fake->stop);
    assert(error == GP_OK && piped == 0);
    fake->ready = event_new(fake->base, fake->stop[0], EV_READ | EV_PERSIST, pipe_ready, fake);
    int added = event_add(fake->ready, NULL);
    int started = pthread_create(&fake->thread, NULL, loop_run, fake);
    assert(added == 0 && started == 0);
    (void)added;
    (void)started;
    fake->running = true;
    (void)error;
    (void)piped;
}

static void job_send(fake_t *fake, job_t *job)
{
    ssize_t n = write(fake->stop[1], &job, sizeof job);
    assert(n == (ssize_t)sizeof job);
    (void)n;
}

void fake_call(fake_t *fake, void (*change)(void *context), void *context)
{
    job_t job = {.change = change, .context = context};
    (void)sem_init(&job.done, 0, 0);
    job_send(fake, &job);
    while (sem_wait(&job.done) != 0) {
    }
    (void)sem_destroy(&job.done);
}

void fake_stop(fake_t *fake)
{
    if (!fake->running) {
        return;
    }
    job_send(fake, NULL);
    (void)pthread_join(fake->thread, NULL);
    event_free(fake->ready);
    gp_http_server_free(fake->server);
    event_base_free(fake->base);
    (void)close(fake->stop[0]);
    (void)close(fake->stop[1]);
    fake->running = false;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void fake_remove(fake_t *fake)
{
    fake_stop(fake);
    (void)nftw(fake->directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}
