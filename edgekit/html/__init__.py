"""Report pages: blocks, small plots as SVG, texts made fit to show.

What a page says is written beside the verb that it reports on.
"""
