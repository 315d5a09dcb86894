"""Measured figures: what a request costs, as CPU time and as a ratio to a bare Flask route in the same run."""
