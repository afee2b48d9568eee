"""Evidences of data sets of examples/mshbm.hbm, by bridge sampling on draws of NumPyro's NUTS, and
how far the ELBOs of a trained program stay below them.

    adavic examples/mshbm.hbm -o mshbm
    ./mshbm simulate --count 24 --seed 1000 --out sets.npz
    ./mshbm train --steps 3000
    ./mshbm elbo sets.npz --batch --draws 1000 --json >elbo.json
    python mshbm.py sets.npz elbo.json

The model is written anew for NumPyro, labels summed out. Chains start at the latents with which a
data set was simulated. Where the two networks do not overlap they stay in that order of the labels:
what is estimated is then the evidence in one order, log 2 below that of both. "In order" is the
share of draws in which the entries of mu are ordered as at the start; where it is not near 1 the
chains visit both orders.

Bridge sampling (Meng & Wong 1996), chain by chain: the proposal is a normal with mean and
covariance of the first half of the draws, on the unconstrained scale; the other half is bridged.
The error is the standard deviation over chains over the root of their number.
"""
import json
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import potential_energy, unconstrain_fn
from scipy.special import logsumexp

L, CHAINS = 2, 2
jax.config.update("jax_enable_x64", True)


def uniform_log(name, low, high, shape):
    law = dist.Uniform(low, high).expand(shape).to_event(len(shape))
    return jnp.exp(numpyro.sample("log_" + name, law))


def model(y):  # [subject, session, point]: 2 log(x[0] / x[1]), the coordinate of the octant
    subjects, sessions, _ = y.shape
    between = uniform_log("between", -2.0, -1.0, (L,))
    within = uniform_log("within", -3.0, -2.0, (L,))
    noise = uniform_log("noise", -4.0, -3.0, ())
    share = numpyro.sample("share", dist.Dirichlet(jnp.full(L, 2.0)))
    mu = numpyro.sample("mu", dist.Uniform(-4.0, 4.0).expand((L,)).to_event(1))
    mu_s = numpyro.sample("mu_s", dist.Normal(mu, between).expand((subjects, L)).to_event(2))
    law = dist.Normal(mu_s[:, None, :], within).expand((subjects, sessions, L)).to_event(3)
    mu_t = numpyro.sample("mu_t", law)
    each = dist.Normal(mu_t[:, :, None, :], noise).log_prob(y[..., None]) + jnp.log(share)
    numpyro.factor("x", jax.scipy.special.logsumexp(each, -1).sum())


def bridge(draws, density, rng):
    """log evidence from unconstrained draws [n, d] of one chain."""
    half = len(draws) // 2
    fit, kept = draws[:half], draws[half:]
    mean, cov = fit.mean(0), np.cov(fit.T)
    chol = np.linalg.cholesky(cov)
    own = mean + rng.standard_normal(kept.shape) @ chol.T

    def proposal(z):
        t = np.linalg.solve(chol, (z - mean).T)
        return -0.5 * (t**2).sum(0) - np.log(np.diag(chol)).sum() - 0.5 * len(mean) * math.log(2 * math.pi)

    from_posterior = density(kept) - proposal(kept)
    from_proposal = density(own) - proposal(own)
    log_r = np.median(from_posterior)
    for _ in range(200):
        top = logsumexp(from_proposal - np.logaddexp(from_proposal, log_r))
        bottom = logsumexp(-np.logaddexp(from_posterior, log_r))
        log_r, last = top - bottom, log_r
        if abs(log_r - last) < 1e-8:
            break
    return log_r


def main():
    sets, elbos = np.load(sys.argv[1]), [json.load(open(name))["sets"] for name in sys.argv[2:]]
    x = sets["x"].astype(np.float64)
    y = 2 * np.log(x[..., 0] / x[..., 1])
    # of x: that of y and the logarithm of |dy / dx| along the circle, at x = (sqrt(p), sqrt(1 - p))
    p = x[..., 0] ** 2 / (x**2).sum(-1)
    slopes = -0.5 * np.log(p * (1 - p)) + math.log(2)
    mcmc = MCMC(NUTS(model, max_tree_depth=8), num_warmup=400, num_samples=800, num_chains=CHAINS,
                chain_method="vectorized", jit_model_args=True, progress_bar=False)
    energy = jax.jit(jax.vmap(lambda z, data: potential_energy(model, (data,), {}, z), (0, None)))
    one = jax.vmap(lambda v, data: unconstrain_fn(model, (data,), {}, v), (0, None))
    unconstrained = jax.jit(jax.vmap(one, (0, None)))
    rng = np.random.default_rng(1)
    rows = []
    for i in range(len(x)):
        names = ("between", "within", "noise", "share", "mu", "mu_s", "mu_t")
        truth = {name: jnp.asarray(sets[name][i], dtype=jnp.float64) for name in names}
        truth = {k: v.reshape(v.shape[:-1]) if k in ("mu", "mu_s", "mu_t") else v for k, v in truth.items()}
        for k in ("between", "within", "noise"):
            truth["log_" + k] = jnp.log(truth.pop(k))
        truth["share"] = truth["share"] / truth["share"].sum()
        z0 = unconstrain_fn(model, (y[i],), {}, truth)
        start = {k: jnp.broadcast_to(v, (CHAINS,) + v.shape) for k, v in z0.items()}
        mcmc.run(jax.random.PRNGKey(i), y[i], init_params=start, extra_fields=("diverging",))
        draws = mcmc.get_samples(group_by_chain=True)
        draws = {k: draws[k] for k in truth}
        z = unconstrained(draws, y[i])  # [chain, draw, ...]
        keys = sorted(z)
        shapes = [np.shape(z0[k]) for k in keys]
        sizes = [int(np.prod(s)) for s in shapes]
        flat = np.concatenate([np.asarray(z[k]).reshape(CHAINS, -1, n) for k, n in zip(keys, sizes)], -1)

        def density(points):
            parts = np.split(points, np.cumsum(sizes)[:-1], -1)
            state = {k: jnp.asarray(v.reshape((-1,) + s)) for k, v, s in zip(keys, parts, shapes)}
            return -np.asarray(energy(state, y[i]))

        each = np.array([bridge(flat[c], density, rng) for c in range(CHAINS)])
        mu = np.asarray(draws["mu"])
        ordered = np.mean((mu[..., 0] > mu[..., 1]) == bool(truth["mu"][0] > truth["mu"][1]))
        log_evidence = each.mean() + slopes[i].sum()
        error = each.std(ddof=1) / math.sqrt(CHAINS)
        gaps = [log_evidence - e[i]["elbo"] for e in elbos]
        rows.append([log_evidence, error, ordered] + gaps)
        print(f"{i}: evidence {log_evidence:.2f} ± {error:.2f}, in order {ordered:.3f}, gap",
              *(f"{g:.2f}" for g in gaps), f"  mu {np.asarray(truth['mu']).round(2)}", flush=True)
    rows = np.array(rows)
    for k in range(3, rows.shape[1]):
        gap = rows[:, k]
        print(f"{sys.argv[k - 1]}: gap {gap.mean():.3f} ± {gap.std(ddof=1) / math.sqrt(len(gap)):.3f}, "
              f"median {np.median(gap):.3f}, largest {gap.max():.2f}")


if __name__ == "__main__":
    main()
