"""``make mutants``: small changes to the code, one at a time; a change that no test notices is a hole in the tests."""
