"""The sections of the report, one file for each subject; hybridode/report/page.py puts them in order."""
