"""Coefficients of the polynomials from which random numbers are made normal, float32; low power first."""

import numpy as np

# Least-squares fits: log(1 + x)/x on [-1/4, 1/2]; sin(πr/2)/r and cos(πr/2) in r² for |r| ≤ 1/2.
LOG = tuple(
    np.array(
        [
            *(1.0000001192092896, -0.5000022053718567, 0.33329808712005615, -0.24976539611816406),
            *(0.20106367766857147, -0.17373886704444885, 0.14149029552936554, -0.06665578484535217),
        ],
        np.float32,
    )
)
SINE = tuple(
    np.array([1.5707963705062866, -0.6459636092185974, 0.0796811580657959, -0.0046044280752539635], np.float32)
)
COSINE = tuple(
    np.array([1.0, -1.2337005138397217, 0.25366923213005066, -0.020860251039266586, 0.00090396887389943], np.float32)
)
