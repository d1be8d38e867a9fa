"""The objective in NumPy round native solves: what fits of few numbers need, without a program of JAX."""
