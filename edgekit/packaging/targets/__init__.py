"""What a bundle is packaged for: an APK, a project, packs, the Gallery. One module or package each.

A target imports no other; what all need to know of the bundle is in `packaging.source`.
"""
