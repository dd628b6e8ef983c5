"""What things cost, as ratios in one run: ``python -m tests.bench``. Figures never gate CI."""
