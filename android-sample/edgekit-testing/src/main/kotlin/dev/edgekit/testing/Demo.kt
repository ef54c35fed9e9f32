package dev.edgekit.testing

import dev.edgekit.core.engine.Engine
import dev.edgekit.core.engine.EngineSettings
import dev.edgekit.core.engine.LiteRtLm
import java.io.File

/** The real engine and the demo bundle, by the system properties that the build sets. */
object Demo {
    /** The directory that stands for the app's `assets/edgekit`. */
    val assets: File by lazy { place("edgekit.bundle") }

    /** Likewise, with a base that takes adapters, its own task and those of two adapters. */
    val severalTasks: File by lazy { place("edgekit.adapters") }

    /** Likewise, with a model that calls what a phone can do. */
    val calls: File by lazy { place("edgekit.calls") }

    /** The public key, in PEM, with which all are signed. */
    val signer: File by lazy { place("edgekit.signer") }

    val model: File by lazy { modelIn(assets) }

    fun modelIn(assets: File): File = assets.listFiles().orEmpty().single { it.extension == "litertlm" }

    /** Loads the builds for this machine. A library that is loaded already is left alone. */
    val loader = LiteRtLm {
        System.load(place("edgekit.engine").path)
        System.load(place("edgekit.shim").path)
    }

    fun open(maxTokens: Int = 512): Engine = loader.open(EngineSettings(model, maxTokens))

    private fun place(property: String) =
        File(checkNotNull(System.getProperty(property)) { "the build sets $property; see android-build/README.md" })
}
