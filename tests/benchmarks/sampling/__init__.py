"""Draws from one posterior (lynx and hare, as B. Carpenter's case study has it) by hybridode, Stan and NumPyro."""
