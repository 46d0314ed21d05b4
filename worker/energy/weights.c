/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds and adaptation of the weights. Called by the calibration on its own copy of a system. The
 * norm is estimated by |W v| / |v|, which grows from step to step for every symmetric W; v'Wv would
 * stall where W has eigenvalues of both signs and equal size, as a star has. */
#include "worker/energy/weights.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/random.h"

enum { MAX_ITERATIONS = 1000, START_SEED = 1 };

static const double NORM_TOLERANCE = 1e-6;   /* relative error of the norm */
static const double COEFFICIENT_MIN = 0.001; /* of alpha, lambda, beta */
static const double COEFFICIENT_MAX = 10;

void
sc_energy_policy_init(sc_energy_policy *policy)
{
    *policy = (sc_energy_policy){.r_pair = 1, .r_hyper = 1, .lr = 0.01};
}

/* out = W v; returns |out|. */
static double
multiply(const sc_energy_system *s, const double *v, double *out)
{
    double square = 0;
    for (size_t i = 0; i < s->n_agents; i++) {
        double sum = 0;
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++)
            sum += s->weight[at] * v[s->column[at]];
        out[i] = sum;
        square += sum * sum;
    }
    return sqrt(square);
}

/* Any start but a fixed pattern: one orthogonal to the leading eigenvector would never find it. */
static void
start_vector(double *v, size_t n)
{
    sc_random random;
    double square = 0;
    sc_random_init(&random, START_SEED);
    for (size_t i = 0; i < n; i++) {
        v[i] = sc_random_double(&random) - 0.5;
        square += v[i] * v[i];
    }
    for (size_t i = 0; i < n && square > 0; i++)
        v[i] /= sqrt(square);
}

/* The steps of the estimate shrink like a geometric series, so step * q / (1 - q) is still to come,
 * where q is the ratio of the last two steps. q itself may grow for a while: hence a hundredth of
 * the tolerance. */
static double
iterate(const sc_energy_system *s, double *v, double *next)
{
    double norm = multiply(s, v, next), step = 0;
    for (int k = 1; k < MAX_ITERATIONS && norm > 0; k++) {
        for (size_t i = 0; i < s->n_agents; i++)
            v[i] = next[i] / norm;
        double last_step = step, last_norm = norm;
        norm = multiply(s, v, next);
        step = fabs(norm - last_norm);
        if (step * step <= 0.01 * NORM_TOLERANCE * norm * (last_step - step))
            break;
    }
    return norm;
}

int
sc_energy_spectral_norm(const sc_energy_system *s, double *norm)
{
    double *v = SC_FAULT("energy.norm") ? NULL : calloc(2 * s->n_agents, sizeof *v);
    if (v == NULL)
        return SC_ENOMEM;
    start_vector(v, s->n_agents);
    *norm = iterate(s, v, v + s->n_agents);
    free(v);
    return 0;
}

static double
clip(double value, double min, double max)
{
    return fmin(fmax(value, min), max);
}

static bool
is_factor(double value)
{
    return fabs(value) <= SC_ENERGY_FACTOR_MAX;
}

static int
check_arguments(const sc_energy_coefficients *c, const sc_energy_policy *policy,
                const sc_energy_signals *signals)
{
    bool is_good = is_factor(policy->r_pair) && is_factor(policy->r_hyper) && policy->r_pair >= 0 &&
                   policy->r_hyper >= 0 && policy->lr >= 0 && policy->lr <= 1 &&
                   is_factor(signals->dspec) && is_factor(signals->dsmart) &&
                   is_factor(signals->dreason) && is_factor(signals->dacc) && !isnan(c->alpha) &&
                   !isnan(c->lambda) && !isnan(c->beta) && !isnan(c->lambda_drift) &&
                   !isnan(c->mu_anomaly);
    return is_good ? 0 : SC_EBADARG;
}

int
sc_energy_project(sc_energy_system *s, sc_energy_coefficients *c, const sc_energy_policy *policy)
{
    return sc_energy_adapt(s, c, policy, &(sc_energy_signals){.dspec = 0});
}

int
sc_energy_adapt(sc_energy_system *s, sc_energy_coefficients *c, const sc_energy_policy *policy,
                const sc_energy_signals *signals)
{
    double norm, lr = policy->lr;
    int rc = check_arguments(c, policy, signals);
    if (rc == 0)
        rc = sc_energy_spectral_norm(s, &norm);
    if (rc != 0)
        return rc;
    double scale = 1 + lr * signals->dacc;
    if (fabs(scale) * norm > policy->r_pair)
        scale = copysign(policy->r_pair / norm, scale);
    for (size_t at = 0; at < s->row_start[s->n_agents]; at++)
        s->weight[at] *= scale;
    for (size_t e = 0; e < s->n_edges; e++) {
        double we = (double)s->we[e] * (1 + lr * signals->dreason);
        s->we[e] = (float)clip(we, -policy->r_hyper, policy->r_hyper);
    }
    c->alpha = clip(c->alpha * (1 - lr * signals->dspec), COEFFICIENT_MIN, COEFFICIENT_MAX);
    c->lambda = clip(c->lambda * (1 - lr * signals->dsmart), COEFFICIENT_MIN, COEFFICIENT_MAX);
    c->beta = clip(c->beta, COEFFICIENT_MIN, COEFFICIENT_MAX);
    c->lambda_drift = clip(c->lambda_drift, 0, COEFFICIENT_MAX);
    c->mu_anomaly = clip(c->mu_anomaly, 0, COEFFICIENT_MAX);
    return 0;
}
