"""Files and directories that appear whole or not at all, whatever kills the run: written beside, synced, renamed.

What the files hold is none of its business.
"""
