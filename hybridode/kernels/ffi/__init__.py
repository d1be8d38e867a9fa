"""Native solves for NumPy and for JAX: programs, jobs on arrays, handlers registered with XLA, JAX primitives."""
