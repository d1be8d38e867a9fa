"""Fits side by side: the same data, bounds, starts and objective for hybridode, pyPESTO with AMICI, Diffrax by hand, SciPy."""
