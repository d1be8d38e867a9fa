"""Numerical methods as data (tableaux) and as functions Tape → step Tape."""
