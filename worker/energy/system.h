/* SPDX-License-Identifier: Apache-2.0 */
/* A system: a set of agents at one moment, the input of every energy computation. Handlers make
 * one, write the rows they have read into its arrays, add the pairs and check it; the other files
 * of this folder only read it, except weights.h, which scales the weights. All values are
 * dimensionless. */
#ifndef SC_ENERGY_SYSTEM_H
#define SC_ENERGY_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    SC_ENERGY_ROLES = 3,            /* E, S, O */
    SC_ENERGY_MAX_AGENTS = 1 << 20, /* row numbers and list links are 32 bits with room to spare */
    SC_ENERGY_MAX_DIM = 1 << 14,    /* four times the longest embedding in common use */
    SC_ENERGY_MAX_VALUES = 1 << 28, /* agents x dim: 1 GiB of embeddings */
    SC_ENERGY_MAX_PAIRS = 1 << 24,  /* 400 MB of weights, each stored at both ends */
    SC_ENERGY_MAX_EDGES = 1 << 20,  /* hyperedges */
    SC_ENERGY_MAX_DENSE_AGENTS = 1 << 14, /* 1 GiB of dense weights */
};

/* Collaboration weight of two agents, i < j. */
typedef struct sc_energy_pair {
    uint32_t i, j;
    double w;
} sc_energy_pair;

/* The caller writes the values of the arrays and the scalars; sizes, pointers and the rows of W are
 * set by the functions below. */
typedef struct sc_energy_system {
    size_t n_agents, dim, n_edges, n_pairs;
    float *h;        /* n_agents x dim, by rows: embeddings, finite */
    float *p;        /* n_agents x SC_ENERGY_ROLES: role weights >= 0; a row need not sum to 1 */
    float *sel, *we; /* n_edges: activation and weight of each hyperedge, finite */
    double *capability, *mem_util; /* n_agents: 0..1 */

    /* W in compressed rows, each pair at both of its ends, so that W is symmetric by construction:
     * the entries of row i are row_start[i] .. row_start[i + 1] of `column` and `weight`. */
    size_t *row_start; /* n_agents + 1 */
    uint32_t *column;
    double *weight;

    double s_norm;                  /* norm of the whole state vector, 0..1e100 */
    double r_effective, p_compress; /* compression ratio; share of the work spent compressing */
    double drift, anomaly;          /* scores of an outside detector, 0 where there is none;
                                     * like the two above at most 1e100 either way */
} sc_energy_system;

/** Make a system without pairs; all values 0, r_effective 1.
 *  @param n_agents  1..SC_ENERGY_MAX_AGENTS; with dim at most SC_ENERGY_MAX_VALUES
 *  @param dim       1..SC_ENERGY_MAX_DIM
 *  @param n_edges   0..SC_ENERGY_MAX_EDGES
 *  @return 0, SC_EBADARG (no agents, no dimension), SC_ETOOLARGE, SC_ENOMEM */
SC_MUST_USE int sc_energy_system_new(size_t n_agents, size_t dim, size_t n_edges,
                                     sc_energy_system **out);

/** Set W from its pairs, in any order; replaces those set before. `pairs` is only read here.
 *  @param n_pairs  0..SC_ENERGY_MAX_PAIRS
 *  @return 0; SC_EBADARG (not i < j < n_agents, a pair given twice, a weight that is not finite in
 *          single precision) with the pair in `err`, SC_ETOOLARGE, SC_ENOMEM: W is as it was */
SC_MUST_USE int sc_energy_system_set_pairs(sc_energy_system *s, const sc_energy_pair *pairs,
                                           size_t n_pairs, sc_error *err);

/** Are all values in their ranges? Call it once, after the arrays are written.
 *  @return 0, or SC_EBADARG with the first bad value named in `err` */
SC_MUST_USE int sc_energy_system_check(const sc_energy_system *s, sc_error *err);

void sc_energy_system_free(sc_energy_system **s);

/** Zeroed memory for an array of floats, on large pages where it is large; NULL without memory.
 *  Release it with free(). */
float *sc_energy_floats(size_t n);

#endif
