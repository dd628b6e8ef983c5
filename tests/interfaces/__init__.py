"""Other people's view of Toxwatch: the running process, its HTTP interface and its command line, as documented."""
