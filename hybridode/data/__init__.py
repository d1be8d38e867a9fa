"""From a data file to experiments: tables of texts, what each column means, series with records, inputs and numbers."""
