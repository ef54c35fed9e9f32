"""`--to gallery`: a bundle in Google's AI Edge Gallery, without an app of one's own.

settings    what the Gallery is told of sampling and length, and where its import dialog's defaults are wrong
allowlist   the entries by which the Gallery knows a model (allowlist.schema.json: what one may hold)
trial       the bundle on the Gallery's own, older engine
card        what the import card tells (edgekit.packaging.targets.gallery.page writes it down)
target      the options, and everything into a directory
device      onto a phone over adb

Written after the source of the Gallery 1.0.18; no phone with it was at hand.
"""
