"""From starting points to the best optimum."""
