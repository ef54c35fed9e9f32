package dev.edgekit.sample.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.BundleSource

class MemoryChoices(
    override var bundle: BundleSource = BundleSource.Assets(),
    override var backend: Backend = Backend.CPU,
    override var developer: Boolean = true,
    override var lastTask: LastTask? = null,
) : Choices
