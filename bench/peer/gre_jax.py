#!/usr/bin/env python3
"""The published experiment on Gaussian random effects as one jitted JAX training step: the peer of `make bench`.

Reference implementation of the published architecture in JAX, written for this project by its founders; bench/README.md
says what it computes and how it is timed. It takes commands on standard input, so that another program can be timed in
turns with it:

    python gre_jax.py --groups 3 --threads 1 --steps 100
    {"ready": ...}          once it is compiled, on standard output
    run                     on standard input: `--steps` training steps
    {"ms": 7.9, ...}        milliseconds per step

What makes it fast on a CPU:
  * the encoder runs once per data set; the draws share its encodings;
  * activations are batch-minor, [feature, set element, batch], so that the small feature reductions (width 8, head size 4)
    are vectors along the batch;
  * backward passes of layers are written by hand; sums over all but the first axis are matrix-vector products;
  * the autoregressive flow is sampled in one pass of blocks, and log q comes from the same pass;
  * what the flow's layers add for the context is computed per encoding, not per draw;
  * parameters are one flat vector, so that Adam is one fused kernel;
  * simulation, loss, gradient and Adam run in one lax.scan over steps.
"""
import argparse
import json
import math
import os
import sys
import time

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--groups", type=int, default=3)
ap.add_argument("--steps", type=int, default=100, help="per run")
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--batch", type=int, default=32, help="data sets per step")
ap.add_argument("--draws", type=int, default=32)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--seed", type=int, default=0)
ap.add_argument("--xla", default="--xla_cpu_enable_fast_math=true --xla_cpu_prefer_vector_width=512", help="XLA_FLAGS")
args = ap.parse_args()

# before JAX is imported: its threads follow from these
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: args.threads]))
os.environ["XLA_FLAGS"] = args.xla
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_default_prng_impl", "unsafe_rbg")

D, N, E, HEADS, IND, HID = 2, 50, 8, 2, 8, (32, 32, 32)
KD = E // HEADS
S_MU, S_G, S_X = 0.5, 0.5, 0.1
LN_EPS, BOUND = 1e-3, 8.0        # layer-norm epsilon; |log scale| <= BOUND via BOUND*tanh(raw/BOUND)
LOG2PI = math.log(2 * math.pi)
DEG = np.ceil(np.linspace(1, max(D - 1, 1), HID[0])).astype(int)   # MADE degree of each hidden unit

# ---------------------------------------------------------------- parameters
def specs():
    """Ordered (name, shape, fan): fan 0 = zeros, -1 = ones, -2 = N(0, .05^2), else Glorot uniform."""
    out = []
    def dense(n, i, o, gain=1): out.extend([(n + ".W", (i, o), gain), (n + ".b", (o,), 0)])
    def mab(n):
        for k in "qkvo": dense(f"{n}.{k}", E, E)
        out.extend([(n + ".ln1.g", (E,), -1), (n + ".ln1.b", (E,), 0)])
        dense(n + ".ff", E, E)
        out.extend([(n + ".ln2.g", (E,), -1), (n + ".ln2.b", (E,), 0)])
    for st, i in (("st0", D), ("st1", E)):
        dense(st + ".embed", i, E)
        for b in range(2):
            out.append((f"{st}.isab{b}.I", (IND, E), -2))
            mab(f"{st}.isab{b}.mab0"); mab(f"{st}.isab{b}.mab1")
        out.append((st + ".pma.S", (1, E), -2)); dense(st + ".pma.ff", E, E); mab(st + ".pma.mab")
        mab(st + ".sab"); dense(st + ".out", E, E)
    for rv in ("mu_g", "mu"):
        for part, o in (("shift", D), ("scale", D * (D + 1) // 2)):
            dense(f"{rv}.affine.{part}.0", E, E); dense(f"{rv}.affine.{part}.1", E, o, 0.1)
        i = D
        for l, h in enumerate(HID + (2 * D,)):
            g = 1 if l < len(HID) else 0.1
            out.extend([(f"{rv}.maf.{l}.W", (i, h), g), (f"{rv}.maf.{l}.C", (E, h), g), (f"{rv}.maf.{l}.b", (h,), 0)])
            i = h
    return out

SPECS = specs()
SIZES = [int(np.prod(s)) for _, s, _ in SPECS]
OFFS = np.concatenate([[0], np.cumsum(SIZES)])
N_PARAMS = int(OFFS[-1])

def init_flat(seed):
    r, parts = np.random.default_rng(seed), []
    for _, s, f in SPECS:
        if f == 0: a = np.zeros(s)
        elif f == -1: a = np.ones(s)
        elif f == -2: a = r.normal(0, .05, s)
        else: a = r.uniform(-1, 1, s) * f * math.sqrt(6 / sum(s))
        parts.append(a.ravel())
    return np.concatenate(parts).astype(np.float32)

def unflatten(v):
    return {n: jax.lax.slice(v, (int(o),), (int(o) + k,)).reshape(s) for (n, s, _), o, k in zip(SPECS, OFFS, SIZES)}

def flatten(p):
    return jnp.concatenate([p[n].ravel() for n, _, _ in SPECS])

# ------------------------------------------------- layers, arrays [feature, set, batch]
def mm(W, x):
    """[i,j], [i,...] -> [j,...]"""
    return jnp.dot(W.T, x.reshape(x.shape[0], -1)).reshape((W.shape[1],) + x.shape[1:])

def rows(a):
    """Sum over all but the first axis, as a matrix-vector product (XLA's own
    reduction over the minor axes is scalar and latency-bound on CPU)."""
    a = a.reshape(a.shape[0], -1)
    return jnp.dot(a, jnp.ones(a.shape[1], a.dtype))

def usum(f, n):
    """sum_i f(i), unrolled so that XLA fuses it element-wise."""
    return sum(f(i) for i in range(n))

def custom(fwd, bwd):
    """fwd -> (out, residual). A function whose gradient is bwd."""
    plain = lambda *a: fwd(*a)[0]
    f = jax.custom_vjp(plain); f.defvjp(fwd, bwd)
    return f

def _contract_bwd(res, g):
    W, x = res
    x2, g2 = x.reshape(x.shape[0], -1), g.reshape(g.shape[0], -1)
    return jnp.dot(x2, g2.T), jnp.dot(W, g2).reshape(x.shape)

contract = custom(lambda W, x: (mm(W, x), (W, x)), _contract_bwd)
def col(b, nd): return b.reshape(b.shape + (1,) * (nd - 1))
_bias = custom(lambda y, b: (y + col(b, y.ndim), None), lambda _, g: (g, rows(g)))
def dense(p, n, x): return _bias(contract(p[n + ".W"], x), p[n + ".b"])

def _ln_fwd(x, g, b):
    m = usum(lambda i: x[i], E) / E
    c = x - m
    r = jax.lax.rsqrt(usum(lambda i: c[i] * c[i], E) / E + LN_EPS)
    xh = c * r
    return xh * col(g, x.ndim) + col(b, x.ndim), (xh, r, g)

def _ln_bwd(res, dy):
    xh, r, g = res
    dx = dy * col(g, dy.ndim)
    a = usum(lambda i: dx[i], E) / E
    c = usum(lambda i: dx[i] * xh[i], E) / E
    return (dx - a - xh * c) * r, rows(dy * xh), rows(dy)

_ln = custom(_ln_fwd, _ln_bwd)
def layer_norm(p, n, x): return _ln(x, p[n + ".g"], p[n + ".b"])

def _att_fwd(q, k, v):
    """q [H,K,Q,B|1], k, v [H,K,S,B] -> [H,K,Q,B]"""
    s = usum(lambda i: q[:, i, :, None] * k[:, i, None], KD)
    e = jnp.exp(s - jax.lax.stop_gradient(jnp.max(s, 2, keepdims=True)))
    a = e * (1 / jnp.sum(e, 2, keepdims=True))
    if v.shape[2] <= 8:
        o = usum(lambda j: a[:, None, :, j] * v[:, :, j, None], v.shape[2])
    else:
        o = jnp.sum(a[:, None] * v[:, :, None], 3)
    return o, (q, k, v, a, o)

def _att_bwd(res, do):
    q, k, v, a, o = res
    nq, ns = q.shape[2], k.shape[2]
    da = usum(lambda i: do[:, i, :, None] * v[:, i, None], KD)
    ds = a * (da - usum(lambda i: do[:, i] * o[:, i], KD)[:, :, None])
    if ns <= 8:
        dq = usum(lambda j: ds[:, None, :, j] * k[:, :, j, None], ns)
    else:
        dq = jnp.sum(ds[:, None] * k[:, :, None], 3)
    if nq <= 8:
        dk = usum(lambda j: ds[:, None, j] * q[:, :, j, None], nq)
        dv = usum(lambda j: a[:, None, j] * do[:, :, j, None], nq)
    else:
        dk = jnp.sum(ds[:, None] * q[:, :, :, None], 2)
        dv = jnp.sum(a[:, None] * do[:, :, :, None], 2)
    if q.shape[3] == 1 and dq.shape[3] != 1:
        dq = rows(dq.reshape(-1, dq.shape[3])).reshape(q.shape)
    return dq, dk, dv

_att = custom(_att_fwd, _att_bwd)

def attention(q, k, v):
    """q [E,Q,B|1], k, v [E,S,B] -> [E,Q,B]; heads are contiguous blocks of KD features."""
    if k.shape[1] == 1:                       # softmax over one element is 1
        return jnp.broadcast_to(v, (E, q.shape[1], v.shape[2]))
    sp = lambda a: a.reshape(HEADS, KD, *a.shape[1:])
    o = _att(sp(q) * (KD ** -.5), sp(k), sp(v))
    return o.reshape(E, o.shape[2], o.shape[3])

def mab(p, n, x, y):
    """LN(H + rFF(H)), H = LN(X + MHA(X, Y, Y)); rFF = relu(dense)."""
    a = attention(dense(p, n + ".q", x), dense(p, n + ".k", y), dense(p, n + ".v", y))
    h = layer_norm(p, n + ".ln1", x + dense(p, n + ".o", a))
    return layer_norm(p, n + ".ln2", h + jax.nn.relu(dense(p, n + ".ff", h)))

def set_transformer(p, n, x):
    """[d, S, B] -> [E, B]"""
    x = dense(p, n + ".embed", x)
    for b in range(2):
        h = mab(p, f"{n}.isab{b}.mab0", p[f"{n}.isab{b}.I"].T[:, :, None], x)
        x = mab(p, f"{n}.isab{b}.mab1", x, h)
    h = mab(p, n + ".pma.mab", p[n + ".pma.S"].T[:, :, None], jax.nn.relu(dense(p, n + ".pma.ff", x)))
    return dense(p, n + ".out", mab(p, n + ".sab", h, h))[:, 0]

def encode(p, x):
    """x [D,N,G,B] -> E1 [E,G*B], E2 [E,B]"""
    _, n, g, b = x.shape
    e1 = set_transformer(p, "st0", x.reshape(D, n, g * b))
    return e1, set_transformer(p, "st1", e1.reshape(E, g, b))

def flow(p, rv, u, c):
    """u [D,M,B], context c [E,B] -> theta [D,M,B], log|det dtheta/du| [M,B]."""
    mlp = lambda k: dense(p, f"{rv}.affine.{k}.1", jax.nn.relu(dense(p, f"{rv}.affine.{k}.0", c)))
    t, s = mlp("shift"), mlp("scale")
    z, ld, k = [], 0., 0
    for i in range(D):                                   # z = L u + t, L row-major lower triangle
        acc = t[i][None]
        for j in range(i):
            acc = acc + s[k] * u[j]; k += 1
        ls = BOUND * jnp.tanh(s[k] / BOUND); k += 1
        z.append(acc + jnp.exp(ls) * u[i]); ld = ld + ls[None]
    n_l = len(HID)
    ctx = [contract(p[f"{rv}.maf.{l}.C"], c) + p[f"{rv}.maf.{l}.b"][:, None] for l in range(n_l + 1)]
    h, y = [None] * n_l, []                              # h[l]: hidden units known so far
    Wo = p[f"{rv}.maf.{n_l}.W"]
    for i in range(D):
        idx = np.flatnonzero(DEG <= i)                   # units of degree <= i feed output i
        out = [ctx[n_l][o][None] for o in (i, D + i)]
        if len(idx):
            w = contract(Wo[:len(idx)][:, np.array([i, D + i])], h[-1])
            out = [out[0] + w[0], out[1] + w[1]]
        ls = BOUND * jnp.tanh(out[1] / BOUND)
        y.append(z[i] * jnp.exp(ls) + out[0]); ld = ld + ls
        new = np.flatnonzero(DEG == i + 1)               # units that become computable
        if i + 1 < D and len(new):
            a, b = int(new[0]), int(new[-1]) + 1
            below = jnp.stack(y)
            for l in range(n_l):
                W = p[f"{rv}.maf.{l}.W"][:below.shape[0], a:b]
                hn = jax.nn.relu(contract(W, below) + ctx[l][a:b, None])
                h[l] = hn if h[l] is None else jnp.concatenate([h[l], hn])
                below = h[l]
    th = jnp.stack(y)
    return th, jnp.broadcast_to(ld, th.shape[1:])

def sq(a): return a * a

def elbo_terms(p, x, u_mu, u_g):
    """-> mu [D,M,B], mu_g [D,M,G,B], log p(x,theta) [M,B], log q(theta|x) [M,B]."""
    _, n, g, b = x.shape
    m = u_mu.shape[1]
    e1, e2 = encode(p, x)
    mu, ld_mu = flow(p, "mu", u_mu, e2)
    mg, ld_g = flow(p, "mu_g", u_g.reshape(D, m, g * b), e1)
    mg, ld_g = mg.reshape(D, m, g, b), ld_g.reshape(m, g, b)
    base = lambda u, ax: -.5 * jnp.sum(sq(u), ax)
    logq = (base(u_mu, 0) + base(u_g, (0, 2)) - ld_mu - jnp.sum(ld_g, 1) - .5 * D * (1 + g) * LOG2PI)
    const = -D * (.5 * LOG2PI * (1 + g + g * n) + math.log(S_MU) + g * math.log(S_G) + g * n * math.log(S_X))
    ssx = jnp.sum(sq(x[:, None] - mg[:, :, None]), (0, 2, 3))
    logp = (const - .5 / S_MU ** 2 * jnp.sum(sq(mu), 0) - .5 / S_G ** 2 * jnp.sum(sq(mg - mu[:, :, None]), (0, 2))
            - .5 / S_X ** 2 * ssx)
    return mu, mg, logp, logq

def loss_fn(p, x, u_mu, u_g, w_q):
    """mean(w_q log q - log p): w_q = 1 reverse KL, w_q = 0 unregularised ELBO."""
    _, _, lp, lq = elbo_terms(p, x, u_mu, u_g)
    return jnp.mean(w_q * lq - lp)

def simulate(key, b, g=args.groups):
    k = jax.random.split(key, 3)
    mu = S_MU * jax.random.normal(k[0], (D, b), jnp.float32)
    mg = mu[:, None] + S_G * jax.random.normal(k[1], (D, g, b), jnp.float32)
    return mg[:, None] + S_X * jax.random.normal(k[2], (D, N, g, b), jnp.float32)

def step(state, key, w_q):
    """One training step on the flat state (params, adam m, adam v, t)."""
    v, m, s, t = state
    k1, k2, k3 = jax.random.split(key, 3)
    x = simulate(k1, args.batch)
    u_mu = jax.random.normal(k2, (D, args.draws, args.batch), jnp.float32)
    u_g = jax.random.normal(k3, (D, args.draws, args.groups, args.batch), jnp.float32)
    loss, g = jax.value_and_grad(loss_fn)(unflatten(v), x, u_mu, u_g, w_q)
    g = flatten(g)
    t = t + 1
    m = .9 * m + .1 * g
    s = .999 * s + .001 * g * g
    v = v - args.lr * (m / (1 - .9 ** t)) / (jnp.sqrt(s / (1 - .999 ** t)) + 1e-7)
    return (v, m, s, t), loss

def run_steps(state, key, w_q):
    return jax.lax.scan(lambda st, k: step(st, k, w_q), state, jax.random.split(key, args.steps))

def fresh_state(v):
    v = jnp.asarray(v)
    return (v, jnp.zeros_like(v), jnp.zeros_like(v), jnp.float32(0))

def peak_mib():
    with open("/proc/self/status") as f:
        return next((int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM")), 0.)

def main():
    state, key, began = fresh_state(init_flat(args.seed)), jax.random.key(1), time.perf_counter()
    run = jax.jit(run_steps, donate_argnums=0).lower(state, key, jnp.float32(1)).compile()
    state, loss = run(state, key, jnp.float32(1))
    loss.block_until_ready()
    print(json.dumps(dict(ready=True, jax=jax.__version__, weights=N_PARAMS, compile_s=round(time.perf_counter() - began, 2))), flush=True)
    for i, _ in enumerate(sys.stdin):
        began = time.perf_counter()
        state, loss = run(state, jax.random.key(2 + i), jnp.float32(1))
        loss.block_until_ready()
        ms = (time.perf_counter() - began) / args.steps * 1e3
        print(json.dumps(dict(ms=ms, loss=float(jnp.mean(loss)), rss_mib=round(peak_mib(), 1))), flush=True)

if __name__ == "__main__":
    main()
