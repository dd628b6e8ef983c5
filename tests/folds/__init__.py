"""The folds, one by one: record, chart, case history, board, ledger, trial."""
