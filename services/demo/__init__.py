"""The demonstration: the whole system on one machine, with a simulated trial played into it at speed."""
