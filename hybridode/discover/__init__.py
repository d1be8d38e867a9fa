"""Discovery: which formula the data support in the place of a network."""
