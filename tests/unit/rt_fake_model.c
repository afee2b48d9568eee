/* A compiled model written by hand, to run the runtime against: what generated code would hold.
 *
 *   hyper s_a = 0.5; hyper s_x = 1; hyper shift[2] = [0, 1];
 *   latent mu ~ normal(0, 1);
 *   plate group(4) { latent a ~ normal(mu, s_a);
 *     plate obs(5) { observed x[2] ~ normal(a + shift, s_x); } }
 *   quantity offset = a - mu;
 *
 * Guide: mu ~ normal(loc0 + loc1 m, exp scale); a ~ normal(w0 + w1 m_g + w2 mu, exp group.scale),
 * where m_g is the mean of (x - shift - median) / mad in a group and m the mean of all m_g. The
 * exact posterior is in this family. A set whose first u:mu exceeds `fake_overflow` gets an
 * infinite loss; derivatives by a are off by the factor `fake_derivative`. */
#include "rt_fake_model.h"

#include "runtime/abi.h"
#include "runtime/random.h"

#include <math.h>
#include <stddef.h>

float fake_overflow = INFINITY, fake_derivative = 1;

const char adavic_manifest[] =
    "adavic-manifest 1\n"
    "model fake source-hash 00c0ffee00c0ffee real f32\nfamily structured target \"by "
    "\\\"hand\\\"\"\n"
    "plate group parent - size 4 exchangeable 1 \"no use of its index\"\n"
    "plate obs parent group size 5 exchangeable 1 \"no use of its index\"\n"
    "hyper s_a dims values 0.5\nhyper s_x dims values 1\nhyper shift dims 2 values 0 1\n"
    "latent mu plates dims\nlatent a plates group dims\nobserved x plates group obs dims 2\n"
    "quantity offset plates group dims\n"
    "weight loc dims 2 init uniform 0.1\nweight scale dims init constant -1\n"
    "weight group.W dims 3 init normal 0.1\nweight group.scale dims init constant -1\n"
    "text analysis \"two lines,\\nboth shown\"\n"
    "program simulate lane data lanes 1 chunk 3\n"
    " axis data kind data parent - extent 0 copy -\n"
    " axis group kind plate parent - extent 4 copy -\n"
    " axis obs kind plate parent group extent 5 copy -\n"
    " axis d kind event parent - extent 2 copy -\n"
    " input s_a role hyper axes\n input s_x role hyper axes\n input shift role hyper axes d\n"
    " input sim:mu role random axes data\n input sim:a role random axes data group\n"
    " input sim:x role random axes data group obs d\n"
    " output mu reduced 0 axes data\n output a reduced 0 axes data group\n"
    " output x reduced 0 axes data group obs d\nend\n"
    "program prepare lane data lanes 1 chunk 3\n"
    " axis data kind data parent - extent 0 copy -\n"
    " axis group kind plate parent - extent 4 copy -\n"
    " axis obs kind plate parent group extent 5 copy -\n"
    " axis d kind event parent - extent 2 copy -\n"
    " input s_a role hyper axes\n input s_x role hyper axes\n input shift role hyper axes d\n"
    " output x reduced 0 axes data group obs d\nend\n"
    "program step lane data lanes 1 chunk 3\n"
    " axis data kind data parent - extent 0 copy -\n axis draw kind draw parent - extent 0 copy -\n"
    " axis group kind plate parent - extent 4 copy -\n axis group' kind plate parent - extent 4 "
    "copy group\n"
    " axis obs kind plate parent group extent 5 copy -\n"
    " axis d kind event parent - extent 2 copy -\n axis k2 kind event parent - extent 2 copy -\n"
    " axis k3 kind event parent - extent 3 copy -\n"
    " input loc role weight axes k2\n input scale role weight axes\n"
    " input group.W role weight axes k3\n input group.scale role weight axes\n"
    " input s_a role hyper axes\n input s_x role hyper axes\n input shift role hyper axes d\n"
    " input x:median role stat axes d\n input x:mad role stat axes d\n"
    " input entropy_weight role control axes\n input x role random axes data group obs d\n"
    " output loss reduced 1 axes\n output set_loss reduced 0 axes data\n"
    " output grad:loc reduced 1 axes k2\n output grad:scale reduced 1 axes\n"
    " output grad:group.W reduced 1 axes k3\n output grad:group.scale reduced 1 axes\n"
    " flop 7 axes\n flop 20 axes data group obs\n flop 10 axes data draw group\n"
    " functions 3 axes data draw group\nend\n"
    "program posterior lane draw lanes 1 chunk 1\n"
    " axis data kind data parent - extent 0 copy -\n axis draw kind draw parent - extent 0 copy -\n"
    " axis group kind plate parent - extent 4 copy -\n"
    " axis obs kind plate parent group extent 5 copy -\n"
    " axis d kind event parent - extent 2 copy -\n axis k2 kind event parent - extent 2 copy -\n"
    " axis k3 kind event parent - extent 3 copy -\n"
    " input loc role weight axes k2\n input scale role weight axes\n"
    " input group.W role weight axes k3\n input group.scale role weight axes\n"
    " input s_a role hyper axes\n input s_x role hyper axes\n input shift role hyper axes d\n"
    " input x:median role stat axes d\n input x:mad role stat axes d\n input x role data axes data "
    "group obs d\n"
    " output mu reduced 0 axes data draw\n output a reduced 0 axes data draw group\n"
    " output offset reduced 0 axes data draw group\n"
    " output log_q reduced 0 axes data draw\n output log_prior reduced 0 axes data draw\n"
    " output log_likelihood reduced 0 axes data draw\nend\n"
    "program logjoint lane draw lanes 1 chunk 1\n"
    " axis data kind data parent - extent 0 copy -\n axis draw kind draw parent - extent 0 copy -\n"
    " axis group kind plate parent - extent 4 copy -\n"
    " axis obs kind plate parent group extent 5 copy -\n"
    " axis d kind event parent - extent 2 copy -\n"
    " input s_a role hyper axes\n input s_x role hyper axes\n input shift role hyper axes d\n"
    " input x role data axes data group obs d\n"
    " input mu role latent axes data draw\n input a role latent axes data draw group\n"
    " output log_prior reduced 0 axes data draw\n"
    " output log_likelihood reduced 0 axes data draw\n"
    " output d:mu reduced 0 axes data draw\n output d:a reduced 0 axes data draw group\nend\n";

static void fill(const av_call *c, uint32_t site, int64_t n_draw, int64_t n_inst, float *out) {
    av_random r = {.key = {c->key[0], c->key[1]},
                   .step = c->step,
                   .data0 = c->data0,
                   .site = site,
                   .kind = AV_NORMAL,
                   .n_data = c->extent[0],
                   .n_draw = n_draw,
                   .n_inst = n_inst,
                   .s_data = n_draw * n_inst,
                   .s_draw = n_inst,
                   .s_inst = 1};
    av_fill_f32(&r, out);
}

/* hypers: s_a, s_x, shift[2]; sizes: groups, obs. Yields mu [n], a [n, G], x [n, G, N, 2]. */
static void draw_data(const av_call *c, const float *s_a, const float *s_x, const float *shift,
                      int64_t G, int64_t N, float *mu, float *a, float *x) {
    int64_t n = c->extent[0];
    fill(c, 101, 1, 1, mu);
    fill(c, 102, 1, G, a);
    fill(c, 103, 1, G * N * 2, x);
    for (int64_t i = 0; i < n; i++)
        for (int64_t g = 0; g < G; g++) {
            float *ag = &a[i * G + g];
            *ag = mu[i] + *s_a * *ag;
            for (int64_t k = 0; k < N * 2; k++) {
                float *xk = &x[(i * G + g) * N * 2 + k];
                *xk = *ag + shift[k % 2] + *s_x * *xk;
            }
        }
}

static int64_t simulate_scratch(const int64_t *e) {
    return 4 * e[0] * (1 + e[1] + e[1] * e[2] * 2);
}

static void run_simulate(const av_call *c) {
    int64_t n = c->extent[0], G = c->extent[1], N = c->extent[2], wide = n * G * N * 2;
    float *mu = (float *)c->scratch, *a = mu + n, *x = a + n * G;
    draw_data(c, c->in[0], c->in[1], c->in[2], G, N, mu, a, x);
    const float *from[3] = {mu, a, x};
    const int64_t size[3] = {n, n * G, wide};
    for (int o = 0; o < 3; o++)
        for (int64_t k = 0; c->out[o] && k < size[o]; k++) ((float *)c->out[o])[k] = from[o][k];
}

static void run_prepare(const av_call *c) {
    int64_t n = c->extent[0], G = c->extent[1], N = c->extent[2], wide = n * G * N * 2;
    float *mu = (float *)c->scratch, *a = mu + n, *x = a + n * G;
    draw_data(c, c->in[0], c->in[1], c->in[2], G, N, mu, a, x);
    for (int64_t k = 0; c->out[0] && k < wide; k++) ((float *)c->out[0])[k] = x[k];
}

/* in[0..8]: loc scale group.W group.scale s_a s_x shift median mad */
typedef struct Guide {
    const float *loc, *scale, *w, *group_scale, *s_a, *s_x, *shift, *median, *mad;
} Guide;

static Guide guide_of(const void *const *in) {
    return (Guide){in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], in[8]};
}

/* m_g of each group of one data set; returns their mean. */
static double encode(const Guide *q, const float *x, int64_t G, int64_t N, double *m) {
    double all = 0;
    for (int64_t g = 0; g < G; g++) {
        m[g] = 0;
        for (int64_t k = 0; k < N * 2; k++)
            m[g] += ((double)x[g * N * 2 + k] - q->shift[k % 2] - q->median[k % 2]) /
                    q->mad[k % 2] / (double)(N * 2);
        all += m[g] / (double)G;
    }
    return all;
}

static double log_normal(double x, double mean, double sd) {
    double z = (x - mean) / sd;
    return -0.5 * z * z - log(sd) - 0.91893853320467274;
}

/* log p(x, a | mu) of one group, and its derivative by a. */
static double log_lik(const Guide *q, const float *x, int64_t N, double a, double *d_a) {
    double sum = 0;
    *d_a = 0;
    for (int64_t k = 0; k < N * 2; k++) {
        sum += log_normal(x[k], a + q->shift[k % 2], *q->s_x);
        *d_a += (x[k] - a - q->shift[k % 2]) / ((double)*q->s_x * *q->s_x);
    }
    return sum;
}

static int64_t step_scratch(const int64_t *e) {
    int64_t n = e[0], S = e[1], G = e[2], N = e[4];
    return 4 * n * (1 + G + G * N * 2 + S + S * G) + 64 + 8 * G;
}

/* Loss of one draw times `share`; adds to the gradient (loc0 loc1 scale w0 w1 w2 group.scale). */
static double one_draw(const Guide *q, double entropy, const float *x, const double *m, double all,
                       int64_t G, int64_t N, double u, const float *ug, double share,
                       double *grad) {
    double sd = exp(*q->scale), sg = exp(*q->group_scale);
    double mu = q->loc[0] + q->loc[1] * all + sd * u, loss = -log_normal(mu, 0, 1), d_mu = mu;
    loss += entropy * (-0.5 * u * u - *q->scale - 0.91893853320467274);
    for (int64_t g = 0; g < G; g++) {
        double a = q->w[0] + q->w[1] * m[g] + q->w[2] * mu + sg * ug[g], d_a,
               s2 = (double)*q->s_a * *q->s_a;
        loss -= log_lik(q, x + g * N * 2, N, a, &d_a) + log_normal(a, mu, *q->s_a);
        loss += entropy * (-0.5 * (double)ug[g] * ug[g] - *q->group_scale - 0.91893853320467274);
        double by_a = -d_a + (a - mu) / s2;
        d_mu += -(a - mu) / s2 + by_a * q->w[2];
        grad[3] += share * by_a;
        grad[4] += share * by_a * m[g];
        grad[5] += share * by_a * mu;
        grad[6] += share * (by_a * sg * ug[g] - entropy);
    }
    grad[0] += share * d_mu;
    grad[1] += share * d_mu * all;
    grad[2] += share * (d_mu * sd * u - entropy);
    return loss * share;
}

static void run_step(const av_call *c) {
    int64_t n = c->extent[0], S = c->extent[1], G = c->extent[2], N = c->extent[4];
    float *mu = (float *)c->scratch, *a = mu + n, *x = a + n * G, *u = x + n * G * N * 2,
          *ug = u + n * S;
    double *m = (double *)(c->scratch + (4 * n * (1 + G + G * N * 2 + S + S * G) + 63) / 64 * 64);
    Guide q = guide_of(c->in);
    double grad[7] = {0}, loss = 0, entropy = *(const float *)c->in[9];
    double share = 1.0 / (double)(c->total[0] * S);
    draw_data(c, q.s_a, q.s_x, q.shift, G, N, mu, a, x);
    for (int64_t k = 0; c->in[10] && k < n * G * N * 2; k++) x[k] = ((const float *)c->in[10])[k];
    fill(c, 201, S, 1, u);
    fill(c, 202, S, G, ug);
    for (int64_t i = 0; i < n; i++) {
        double all = encode(&q, x + i * G * N * 2, G, N, m), set = 0;
        for (int64_t j = 0; j < S; j++)
            set += one_draw(&q, entropy, x + i * G * N * 2, m, all, G, N, u[i * S + j],
                            ug + (i * S + j) * G, share, grad);
        if (u[i * S] > fake_overflow) set = INFINITY;
        loss += set;
        if (c->out[1]) ((float *)c->out[1])[i] = (float)(set * (double)c->total[0]);
    }
    if (c->out[0]) *(float *)c->out[0] = (float)loss;
    for (int k = 0; k < 7; k++) {
        static const struct {
            int output, at;
        } where[7] = {{2, 0}, {2, 1}, {3, 0}, {4, 0}, {4, 1}, {4, 2}, {5, 0}};
        float *to = c->out[where[k].output];
        if (to) to[where[k].at] = (float)grad[k];
    }
}

static int64_t posterior_scratch(const int64_t *e) {
    return 4 * e[0] * e[1] * (1 + e[2]) + 64 + 8 * e[2];
}

static void run_posterior(const av_call *c) {
    int64_t n = c->extent[0], S = c->extent[1], G = c->extent[2], N = c->extent[3];
    float *u = (float *)c->scratch, *ug = u + n * S;
    double *m = (double *)(c->scratch + (4 * n * S * (1 + G) + 63) / 64 * 64), unused;
    Guide q = guide_of(c->in);
    const float *x = c->in[9];
    fill(c, 201, S, 1, u);
    fill(c, 202, S, G, ug);
    for (int64_t i = 0; i < n; i++, x += G * N * 2) {
        double all = encode(&q, x, G, N, m);
        for (int64_t at = i * S; at < (i + 1) * S; at++) {
            double mu = q.loc[0] + q.loc[1] * all + exp(*q.scale) * u[at];
            double log_q = log_normal(u[at], 0, 1) - *q.scale, prior = log_normal(mu, 0, 1),
                   lik = 0;
            if (c->out[0]) ((float *)c->out[0])[at] = (float)mu;
            for (int64_t g = 0; g < G; g++) {
                double v = ug[at * G + g],
                       a = q.w[0] + q.w[1] * m[g] + q.w[2] * mu + exp(*q.group_scale) * v;
                log_q += log_normal(v, 0, 1) - *q.group_scale;
                prior += log_normal(a, mu, *q.s_a);
                lik += log_lik(&q, x + g * N * 2, N, a, &unused);
                if (c->out[1]) ((float *)c->out[1])[at * G + g] = (float)a;
                if (c->out[2]) ((float *)c->out[2])[at * G + g] = (float)(a - mu);
            }
            const double logs[3] = {log_q, prior, lik};
            for (int o = 0; o < 3; o++)
                if (c->out[3 + o]) ((float *)c->out[3 + o])[at] = (float)logs[o];
        }
    }
}

static int64_t no_scratch(const int64_t *e) {
    (void)e;
    return 0;
}

static void run_logjoint(const av_call *c) {
    int64_t n = c->extent[0], S = c->extent[1], G = c->extent[2], N = c->extent[3];
    Guide q = {.s_a = c->in[0], .s_x = c->in[1], .shift = c->in[2]};
    const float *x = c->in[3], *mu = c->in[4], *a = c->in[5];
    double s2 = (double)*q.s_a * *q.s_a;
    for (int64_t at = 0; at < n * S; at++) {
        double prior = log_normal(mu[at], 0, 1), lik = 0, d_mu = -mu[at], d_a;
        for (int64_t g = 0; g < G; g++) {
            double away = (double)a[at * G + g] - mu[at];
            prior += log_normal(away, 0, *q.s_a);
            lik += log_lik(&q, x + (at / S * G + g) * N * 2, N, a[at * G + g], &d_a);
            d_mu += away / s2;
            if (c->out[3])
                ((float *)c->out[3])[at * G + g] = fake_derivative * (float)(d_a - away / s2);
        }
        const double values[3] = {prior, lik, d_mu};
        for (int o = 0; o < 3; o++)
            if (c->out[o]) ((float *)c->out[o])[at] = (float)values[o];
    }
}

const av_entry adavic_entries[] = {{"simulate", run_simulate, simulate_scratch},
                                   {"prepare", run_prepare, simulate_scratch},
                                   {"step", run_step, step_scratch},
                                   {"posterior", run_posterior, posterior_scratch},
                                   {"logjoint", run_logjoint, no_scratch}};
const int64_t adavic_entry_count = 5;
