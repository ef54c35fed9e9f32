package dev.edgekit.testing

import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.engine.EngineSettings
import dev.edgekit.core.engine.LiteRtLm
import java.io.File

/** The real engine and the demo bundle, by the system properties that the build sets. */
@InternalEdgekitApi
public object Demo {
    /** The directory that stands for the app's `assets/edgekit`. */
    public val assets: File by lazy { place("edgekit.bundle") }

    /** Likewise, with a base that takes adapters, its own task and those of two adapters. */
    public val severalTasks: File by lazy { place("edgekit.adapters") }

    /** Likewise, with a model that calls what a phone can do. */
    public val calls: File by lazy { place("edgekit.calls") }

    /** The public key, in PEM, with which all are signed. */
    public val signer: File by lazy { place("edgekit.signer") }

    public val model: File by lazy { modelIn(assets) }

    public fun modelIn(assets: File): File = assets.listFiles().orEmpty().single { it.extension == "litertlm" }

    /** Loads the builds for this machine. A library that is loaded already is left alone. */
    public val loader: LiteRtLm = LiteRtLm {
        System.load(place("edgekit.engine").path)
        System.load(place("edgekit.shim").path)
    }

    public fun open(maxTokens: Int = 512): Engine = loader.open(EngineSettings(model, maxTokens))

    private fun place(property: String) =
        File(checkNotNull(System.getProperty(property)) { "the build sets $property; see android-build/README.md" })
}
