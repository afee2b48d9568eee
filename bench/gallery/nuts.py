"""Reference posteriors of real data by NumPyro's NUTS: tests/measure/reference/NAME.txt.

    python nuts.py                    all models, from anywhere in the tree
    python nuts.py rats seeds         these alone

Every model is written anew here, with the priors of examples/NAME.hbm. Effects are standard normals
times their scale, so that no funnel is walked; where each has much data (the lines of rats and
subjects, the casks of pastes) they are centred. Data are examples/data/NAME.csv. A file has a line
for each scalar that `infer` reports, under the same name, but for those that do not vary (an entry 1
or 0 of a Cholesky factor): mean, sd, and the 5, 50 and 95 % quantiles. Runs with divergences or a
split R-hat above 1.01 are not written.
"""
import csv
import itertools
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS

jax.config.update("jax_enable_x64", True)
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CHAINS, WARMUP, DRAWS, ACCEPT = 4, 2000, 10000, 0.98

normal, half_normal, sample = dist.Normal, dist.HalfNormal, numpyro.sample
put = numpyro.deterministic


def columns(name):
    with open(os.path.join(ROOT, "examples", "data", name + ".csv")) as file:
        rows = list(csv.DictReader(file))
    return {key: [row[key] for row in rows] for key in rows[0]}


def numbers(table, key, *shape):
    x = jnp.array([float(v) for v in table[key]])
    return x.reshape(shape) if shape else x


def places(table, key):
    """Labels by number, in the order in which they appear."""
    order = list(dict.fromkeys(table[key]))
    return jnp.array([float(order.index(v)) for v in table[key]])


def effects(name, location, scale, shape):
    z = sample(name + "_z", normal(0, 1).expand(shape).to_event(len(shape)))
    return put(name, location + scale * z)


def lines(name, count, centre, centre_sd, scale_sd):
    """Correlated intercepts and slopes, with the names of the examples."""
    m = sample("m", normal(jnp.array(centre), jnp.array(centre_sd)).to_event(1))
    s = sample("s", half_normal(jnp.array(scale_sd)).to_event(1))
    factor = sample("C", dist.LKJCholesky(2, 2.0))
    put("correlation", (factor @ factor.T)[0, 1])
    law = dist.MultivariateNormal(m, scale_tril=s[:, None] * factor)
    return m, sample(name, law.expand((count,)).to_event(1))


def rats(t):
    day, weight = numbers(t, "day", 30, 5), numbers(t, "weight", 30, 5)
    m, line = lines("line", 30, [240.0, 6.0], [20.0, 2.0], [20.0, 1.0])
    put("at_birth", m[0] - 22 * m[1])
    sigma = sample("sigma", half_normal(10))
    mean = line[:, :1] + line[:, 1:] * (day - 22)
    sample("y", normal(mean, sigma).to_event(2), obs=weight)


def sleepstudy(t):
    days, reaction = numbers(t, "days", 18, 10), numbers(t, "reaction", 18, 10)
    _, line = lines("line", 18, [250.0, 10.0], [50.0, 10.0], [50.0, 15.0])
    sigma = sample("sigma", half_normal(50))
    sample("y", normal(line[:, :1] + line[:, 1:] * days, sigma).to_event(2), obs=reaction)


def seeds(t):
    kind, extract = places(t, "seed"), places(t, "extract")
    base = sample("base", normal(0, 1.5))
    of_kind = sample("kind_effect", normal(0, 1))
    of_extract = sample("extract_effect", normal(0, 1))
    both, spread = sample("both", normal(0, 1)), sample("spread", half_normal(1))
    mean = base + of_kind * kind + of_extract * extract + both * kind * extract
    a = effects("a", mean, spread, (21,))
    put("share", jax.nn.sigmoid(a))
    law = dist.Binomial(numbers(t, "seeds").astype(int), logits=a)
    sample("y", law.to_event(1), obs=numbers(t, "germinated"))


def pumps(t):
    typical, spread = sample("typical", normal(-1, 1.6)), sample("spread", half_normal(1.5))
    log_rate = effects("log_rate", typical, spread, (10,))
    rate = put("rate", jnp.exp(log_rate))
    law = dist.Poisson(rate * numbers(t, "time"))
    sample("y", law.to_event(1), obs=numbers(t, "failures"))


def bcg(t):
    risk, spread_risk = sample("risk", normal(-4, 2)), sample("spread_risk", half_normal(2))
    effect, slope = sample("effect", normal(0, 1)), sample("slope", normal(0, 0.5))
    spread_effect = sample("spread_effect", half_normal(0.5))
    put("typical_odds_ratio", jnp.exp(effect))
    latitude = numbers(t, "latitude")
    r = effects("r", risk, spread_risk, (13,))
    d = effects("d", effect + slope * (latitude - 33) / 10, spread_effect, (13,))
    put("odds_ratio", jnp.exp(d))
    for arm, logits in (("vaccinated", r + d), ("control", r)):
        law = dist.Binomial(numbers(t, "n_" + arm).astype(int), logits=logits)
        sample("y_" + arm, law.to_event(1), obs=numbers(t, "cases_" + arm))


def salm(t):
    dose = numbers(t, "dose", 6, 3)
    base, mutation = sample("base", normal(3, 0.5)), sample("mutation", normal(0, 0.5))
    killing, spread = sample("killing", normal(0, 1)), sample("spread", half_normal(0.5))
    e = effects("e", 0.0, spread, (6, 3))
    log_rate = base + mutation * jnp.log((dose + 10) / 10) + killing * dose / 1000 + e
    sample("y", dist.Poisson(jnp.exp(log_rate)).to_event(2), obs=numbers(t, "colonies", 6, 3))


def eight_schools(t):
    mu, tau = sample("mu", normal(0, 5)), sample("tau", dist.HalfCauchy(5))
    theta = effects("theta", mu, tau, (8,))
    sample("y", normal(theta, numbers(t, "se")).to_event(1), obs=numbers(t, "effect"))


def surgical(t):
    mu, tau = sample("mu", normal(-2.5, 1)), sample("tau", half_normal(0.5))
    b = effects("b", mu, tau, (12,))
    put("risk", jax.nn.sigmoid(b))
    put("typical", jax.nn.sigmoid(mu))
    law = dist.Binomial(numbers(t, "n").astype(int), logits=b)
    sample("y", law.to_event(1), obs=numbers(t, "deaths"))


def pastes(t):
    mean, sd_batch = sample("mean", normal(60, 10)), sample("sd_batch", half_normal(5))
    sd_cask, sd_assay = sample("sd_cask", half_normal(5)), sample("sd_assay", half_normal(2))
    b = effects("b", mean, sd_batch, (10,))
    c = sample("c", normal(b[:, None], sd_cask).expand((10, 3)).to_event(2))
    law = normal(c[:, :, None], sd_assay).to_event(3)
    sample("y", law, obs=numbers(t, "strength", 10, 3, 2))


def dyestuff(t):
    mean, sd_batch = sample("mean", normal(1500, 100)), sample("sd_batch", half_normal(100))
    sd_sample = sample("sd_sample", half_normal(100))
    b = effects("b", mean, sd_batch, (6,))
    sample("y", normal(b[:, None], sd_sample).to_event(2), obs=numbers(t, "yield", 6, 5))


def radon(t):
    county = places(t, "county").astype(int)
    first = jnp.array([t["county"].index(c) for c in dict.fromkeys(t["county"])])
    g = sample("g", normal(jnp.array([1.3, 0.7]), 0.7).to_event(1))
    slope = sample("slope", normal(-0.6, 0.6))
    tau = sample("tau", half_normal(0.5).expand((2,)).to_event(1))
    sigma = sample("sigma", half_normal(1))
    a = effects("a", g[0] + g[1] * numbers(t, "log_uranium")[first], tau[0], (85,))
    b = effects("b", slope, tau[1], (85,))
    law = normal(a[county] + b[county] * numbers(t, "floor"), sigma)
    sample("y", law.to_event(1), obs=numbers(t, "log_radon"))


def penicillin(t):
    dish, of = places(t, "plate").astype(int), places(t, "sample").astype(int)
    typical, noise = sample("typical", normal(23, 5)), sample("noise", half_normal(1))
    between_dishes = sample("between_dishes", half_normal(2))
    between_samples = sample("between_samples", half_normal(3))
    d = effects("d", 0.0, between_dishes, (24,))
    a = effects("a", 0.0, between_samples, (6,))
    mean = typical + d[dish] + a[of]
    sample("y", normal(mean, noise).to_event(1), obs=numbers(t, "diameter"))


def cbpp(t):
    herd = places(t, "herd").astype(int)
    base, change = sample("base", normal(-1.5, 1)), sample("change", normal(0, 1).expand((3,)).to_event(1))
    h = effects("h", 0.0, sample("tau", half_normal(1)), (15,))
    effect = jnp.concatenate([jnp.zeros(1), change])[numbers(t, "period").astype(int) - 1]
    law = dist.Binomial(numbers(t, "size").astype(int), logits=base + effect + h[herd])
    sample("y", law.to_event(1), obs=numbers(t, "incidence"))


MODELS = [rats, seeds, pumps, bcg, salm, sleepstudy, eight_schools, surgical, pastes, dyestuff, radon,
          cbpp, penicillin]


def scalars(draws):
    """Name and [chain, draw] of every scalar that varies."""
    for name, x in draws.items():
        if name.endswith("_z"):
            continue
        for place in itertools.product(*map(range, x.shape[2:])):
            own = x[(slice(None), slice(None)) + place]
            if np.ptp(own) > 1e-9:
                yield name + ("[" + ",".join(map(str, place)) + "]" if place else ""), own


def run(model):
    name, kernel = model.__name__, NUTS(model, target_accept_prob=ACCEPT)
    mcmc = MCMC(kernel, num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS,
                chain_method="sequential", progress_bar=False)
    mcmc.run(jax.random.PRNGKey(1), columns(name), extra_fields=("diverging", "num_steps"))
    extra = mcmc.get_extra_fields(group_by_chain=True)
    draws = mcmc.get_samples(group_by_chain=True)
    all_of = list(scalars({k: np.asarray(v) for k, v in draws.items()}))
    ess = min((effective_sample_size(x), n) for n, x in all_of)
    rhat = max((split_gelman_rubin(x), n) for n, x in all_of)
    divergent = int(extra["diverging"].sum())
    facts = (f"{CHAINS} chains of {WARMUP} + {DRAWS} draws, target acceptance {ACCEPT}, seed 1: "
             f"{divergent} divergences; least effective number of draws {ess[0]:.0f} ({ess[1]}), "
             f"largest split R-hat {rhat[0]:.4f} ({rhat[1]})")
    print(f"{name}: {facts}; mean steps {float(extra['num_steps'].mean()):.0f}", flush=True)
    if divergent or rhat[0] > 1.01:
        return False
    path = os.path.join(ROOT, "tests", "measure", "reference", name + ".txt")
    with open(path, "w") as file:
        file.write(f"# Posterior of examples/data/{name}.csv by NUTS of NumPyro {numpyro.__version__}, "
                   "written by bench/gallery/nuts.py\n")
        file.write(f"# {facts}\n# name mean sd q5 q50 q95\n")
        for scalar, x in sorted(all_of):
            q = np.quantile(x, [0.05, 0.5, 0.95])
            values = [x.mean(), x.std(ddof=1), *q]
            file.write(scalar + "".join(f" {v:.6g}" for v in values) + "\n")
    return True


def main():
    known = {m.__name__: m for m in MODELS}
    names = sys.argv[1:] or list(known)
    for name in names:
        if name not in known:
            sys.exit(f"nuts.py: no model is called {name}; there are: {' '.join(known)}")
    if not all([run(known[name]) for name in names]):
        sys.exit("nuts.py: where there were divergences, or chains that differ, nothing was written")


main()
