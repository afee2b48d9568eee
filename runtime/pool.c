/* pool.c -- threads that share out the items of a job.
 *
 * Workers take the next item from an atomic counter until none is left. What an item computes may
 * depend on the item alone, never on the worker (which only names its scratch memory): so results
 * do not depend on the number of threads. Between jobs workers wait, first spinning (the next step
 * follows within microseconds), then asleep. */
#include "runtime/rt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SPINS = 2000 };

typedef struct Worker {
    RtPool *pool;
    pthread_t thread;
    int index;
} Worker;

struct RtPool {
    int threads;
    Worker *workers; /* 1..threads-1 */
    pthread_mutex_t mutex;
    pthread_cond_t begin, finished;
    atomic_uint job_number;
    atomic_int busy; /* workers that have not finished this job */
    atomic_llong next;
    bool stop;
    RtJob *job;
    void *context;
    int64_t items;
};

void rt_flush_denormals(void) {
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* flush results, and take operands as zero */
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    control |= UINT64_C(1) << 24;
    __asm__ volatile("msr fpcr, %0" : : "r"(control));
#endif
}

static void pause_briefly(void) {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

static void take_items(RtPool *pool, int worker) {
    for (;;) {
        int64_t item = atomic_fetch_add(&pool->next, 1);
        if (item >= pool->items) return;
        pool->job(pool->context, item, worker);
    }
}

static void wait_for_job(RtPool *pool, unsigned seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool->job_number) != seen) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->job_number) == seen) pthread_cond_wait(&pool->begin, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *argument) {
    Worker *worker = argument;
    RtPool *pool = worker->pool;
    rt_flush_denormals();
    for (unsigned seen = 0;;) {
        wait_for_job(pool, seen);
        seen = atomic_load(&pool->job_number);
        if (pool->stop) return NULL;
        take_items(pool, worker->index);
        if (atomic_fetch_sub(&pool->busy, 1) == 1) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

/* Where threads cannot be had the pool works with those it got. */
RtPool *rt_pool_new(RtMem *mem, int threads) {
    RtPool *pool = rt_alloc(mem, 1, sizeof *pool);
    pool->workers = rt_alloc(mem, threads, sizeof *pool->workers);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->begin, NULL);
    pthread_cond_init(&pool->finished, NULL);
    for (pool->threads = 1; pool->threads < threads; pool->threads++) {
        Worker *w = &pool->workers[pool->threads];
        *w = (Worker){.pool = pool, .index = pool->threads};
        if (pthread_create(&w->thread, NULL, work, w)) break;
    }
    return pool;
}

int rt_pool_threads(const RtPool *pool) {
    return pool->threads;
}

static void announce(RtPool *pool) {
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->busy, pool->threads - 1);
    atomic_fetch_add(&pool->job_number, 1);
    pthread_cond_broadcast(&pool->begin);
    pthread_mutex_unlock(&pool->mutex);
}

void rt_pool_run(RtPool *pool, RtJob *job, void *context, int64_t n) {
    if (pool->threads == 1 || n < 2) {
        for (int64_t i = 0; i < n; i++) job(context, i, 0);
        return;
    }
    pool->job = job;
    pool->context = context;
    pool->items = n;
    atomic_store(&pool->next, 0);
    announce(pool);
    take_items(pool, 0);
    for (int i = 0; i < SPINS && atomic_load(&pool->busy); i++) pause_briefly();
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->busy)) pthread_cond_wait(&pool->finished, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void rt_pool_free(RtPool *pool) {
    pool->stop = true;
    announce(pool);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->begin);
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->mutex);
}
