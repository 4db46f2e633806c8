"""Measurements of what the project promises: ratios of runs that alternate on one machine."""
