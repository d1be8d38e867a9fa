"""The number that a fit makes small: padded data, noise models, priors, and its derivatives."""
