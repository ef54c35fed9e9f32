"""Latency and memory of a bundle: here, or on a device.

plan        what to measure: a grid of cases, and the task that one runner process gets
result      what was measured: every raw run, the device, the bundle; JSON with a schema version
statistics  what the runs say: medians, spread, percentiles, ratios with intervals
runner      one runner process: start, watch, read its events
host        this machine
device/     the runner's source and its prebuilt binaries; phones and boards over adb
peer        llama.cpp's llama-bench in the same table
official    the text that Google's own binaries print
compare     two sets of runs, interleaved, and the gates of `--fail-if`
"""
