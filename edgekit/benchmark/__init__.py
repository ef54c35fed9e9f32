"""Latency, speed and memory of a bundle: plans, measurements, statistics, comparison, the page.

How to reach a device is in `device`; where a plan runs is one file each in `runners`.
"""
