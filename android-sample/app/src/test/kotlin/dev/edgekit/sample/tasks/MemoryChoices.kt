package dev.edgekit.sample.tasks

import dev.edgekit.core.Backend

class MemoryChoices(
    override var bundle: BundleChoice = BundleChoice.BuiltIn,
    override var backend: Backend = Backend.CPU,
    override var developer: Boolean = true,
    override var lastTask: LastTask? = null,
) : Choices
