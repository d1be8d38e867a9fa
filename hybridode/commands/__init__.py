"""What each command does; `hybridode/cli.py` holds their arguments. Nothing heavy is imported before it is needed."""
