"""Studies from files: CDISC Dataset-JSON, SDTM as CSV and SAS transport files become events (events.md).

A mapping file says what a study calls its files, columns and code words. Whatever it cannot translate is listed in a
report, row by row: nothing is guessed, and nothing is left out without a line.
"""
