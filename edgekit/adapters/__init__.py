"""Adapters at run time: one base bundle, and a few megabytes for each fine-tune (docs/design/adapters.md).

What is where:

    matrices    a PEFT adapter → what is in its sidecar (the file: `edgekit.bundle.sidecar`)
    talking     chat template and stop tokens, where they differ from the base's
    manifest    adapter.json
    making      `edgekit.adapter`: all of it
    opening     an adapter bundle, checked against its base
    summary     what `edgekit inspect` tells of one
"""
