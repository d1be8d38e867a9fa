"""What can be believed of a fit: profiles, intervals, spectra, verdicts in words."""
