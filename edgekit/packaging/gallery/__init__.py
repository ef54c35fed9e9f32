"""`--to gallery`: a bundle in Google's AI Edge Gallery, without an app of one's own.

allowlist   the entries by which the Gallery knows a model
card        the values to enter in its import dialog, for people
trial       the bundle on the Gallery's own, older engine
device      onto a phone over adb
"""
