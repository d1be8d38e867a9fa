"""What is said of a finished fit: uncertainty, tables, result.json."""
