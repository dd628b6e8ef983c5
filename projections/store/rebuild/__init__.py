"""Making the projections anew beside the live ones, cutting over, and comparing."""
