"""From a bundle to an app, or to what an app, Google Play or the AI Edge Gallery needs of it; each target in `targets`.

Nothing here converts, validates or measures: a verdict is read from the report beside the bundle.
"""
