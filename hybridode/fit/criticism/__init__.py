"""What is wrong with a fit: tests of its residuals, records it has not seen, other models of the same data, simpler ones."""
