"""Where a plan runs: this machine, a device over adb, somebody else's binary. One file each.

A runner imports no other; what they share is in `benchmark`.
"""
