"""Evidences of data sets of examples/gm.hbm in the order of their true labels, by importance
sampling, and how far the ELBOs of a trained program stay below them.

    adavic examples/gm.hbm -o gm
    ./gm simulate --count 400 --seed 1000 --out sets.npz
    ./gm train --steps 3000
    ./gm elbo sets.npz --batch --draws 200 --json >elbo.json
    python gm.py sets.npz elbo.json

Proposals come from the true labels: responsibilities start there and take 60 steps of variational
expectation maximisation with the model's own scales; given them, mu, mu_g and pi_g are drawn from
their exact conditional laws. Where components do not overlap all weights are equal. The evidence
in all 3! orders is up to log 6 larger; where the likeliest order is not the true one, as where two
components overlap, an ELBO may exceed what is printed.
"""
import json
import math
import sys

import numpy as np
from scipy.special import digamma, gammaln, logsumexp

S_MU, S_G, S_X = 1.0, 0.2, 0.05


def normal(x, mean, precision):
    return -0.5 * precision * (x - mean) ** 2 + 0.5 * np.log(precision / (2 * math.pi))


def log_evidence(x, labels, draws, rng):
    """x: [group, obs, dim]; labels: [group, obs]; also the effective share of the draws."""
    groups, _, _ = x.shape
    r = np.eye(3)[labels] * (1 - 3e-9) + 1e-9
    prior, noise = 1 / S_G**2, 1 / S_X**2
    for _ in range(60):
        count, total = r.sum(1), np.einsum("gnk,gnd->gkd", r, x)
        own, pull = count[..., None] * noise, total * noise
        precision = 1 / S_MU**2 + (prior * own / (prior + own)).sum(0)
        mean = (pull * prior / (prior + own)).sum(0) / precision
        means = (pull + prior * mean) / (prior + own)
        variance = 1 / (prior + own) + (prior / (prior + own)) ** 2 / precision
        far = ((x[:, :, None] - means[:, None]) ** 2 + variance[:, None]).sum(-1)
        score = digamma(count + 1)[:, None] - 0.5 * noise * far
        r = np.exp(score - logsumexp(score, -1, keepdims=True))
    mu = mean + rng.standard_normal((draws, *mean.shape)) / np.sqrt(precision)
    centre = (pull + prior * mu[:, None]) / (prior + own)
    mu_g = centre + rng.standard_normal(centre.shape) / np.sqrt(prior + own)
    gamma = rng.standard_gamma(count + 1, size=(draws, *count.shape))
    log_pi = np.log(gamma / gamma.sum(-1, keepdims=True))
    log_w = normal(mu, 0, 1 / S_MU**2).sum((1, 2)) - normal(mu, mean, precision).sum((1, 2))
    log_w += normal(mu_g, mu[:, None], prior).sum((1, 2, 3)) - normal(mu_g, centre, prior + own).sum((1, 2, 3))
    log_w += groups * math.lgamma(3) - (gammaln((count + 1).sum(-1)) - gammaln(count + 1).sum(-1)).sum()
    log_w -= (count * log_pi).sum((1, 2))
    for g in range(groups):
        each = normal(x[g][None, :, None], mu_g[:, g, None], noise).sum(-1)
        log_w += logsumexp(each + log_pi[:, g, None], -1).sum(-1)
    ess = np.exp(2 * logsumexp(log_w) - logsumexp(2 * log_w))
    return logsumexp(log_w) - math.log(draws), ess / draws


def main():
    sets, rng = np.load(sys.argv[1]), np.random.default_rng(0)
    known = [log_evidence(x.astype(np.float64), z.astype(int), 2000, rng) for x, z in zip(sets["x"], sets["z"])]
    evidence, ess = np.array(known).T
    print(f"mean evidence {evidence.mean():.2f}; effective share of draws: median {np.median(ess):.2f}, "
          f"below .05 in {(ess < 0.05).mean():.1%}")
    for name in sys.argv[2:]:
        elbo = np.array([s["elbo"] for s in json.load(open(name))["sets"]])
        gap = evidence - elbo
        print(f"{name}: mean ELBO {elbo.mean():.2f}, gap {gap.mean():.2f} ± {gap.std(ddof=1) / len(gap) ** 0.5:.2f}, "
              f"median {np.median(gap):.3f}, below 3 in {(gap < 3).mean():.1%}, below 10 in {(gap < 10).mean():.1%}, "
              f"largest {gap.max():.1f}")


if __name__ == "__main__":
    main()
