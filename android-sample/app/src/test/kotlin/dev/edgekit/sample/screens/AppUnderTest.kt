package dev.edgekit.sample.screens

import dev.edgekit.core.BundleSource
import dev.edgekit.core.Edgekit
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.BundleInstaller
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.core.engine.LiteRtLm
import dev.edgekit.sample.EdgekitApplication
import dev.edgekit.sample.tasks.HostState
import dev.edgekit.sample.tasks.MemoryChoices
import dev.edgekit.sample.tasks.Opener
import dev.edgekit.sample.tasks.SharedPreferencesChoices
import dev.edgekit.testing.Demo
import dev.edgekit.testing.openModel
import java.io.File
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.job
import kotlinx.coroutines.runBlocking

/** The application with the engine that was built for this machine. */
class AppUnderTest : EdgekitApplication() {
    /** How often an engine was opened. */
    var opened = 0
        private set

    private var current: Sources? = null

    /** Whether figures are shown when it is launched next. */
    var developer: Boolean
        get() = SharedPreferencesChoices(getSharedPreferences("choices", MODE_PRIVATE)).developer
        set(value) {
            SharedPreferencesChoices(getSharedPreferences("choices", MODE_PRIVATE)).developer = value
        }

    override fun onCreate() {
        super.onCreate()
        Edgekit.loader = EngineLoader { settings -> Demo.loader.open(settings).also { opened++ } }
        developer = true
    }

    override val sources: Sources
        get() = current ?: assembled({ bundle, options -> Edgekit.open(this, bundle, options) }).also { current = it }

    /** As a new process does: the one before has no engine any more. */
    fun startAnew() {
        current?.host?.run {
            runBlocking { scope.coroutineContext.job.cancelAndJoin() }
            (state.value as? HostState.Ready)?.model?.close()
        }
        current = null
    }

    override fun onTerminate() {
        startAnew()
        Edgekit.loader = LiteRtLm()
        super.onTerminate()
    }

    /** Takes the bundle from a directory that stands for the app's assets, before the app is launched. */
    fun useAssets(directory: File) = use(
        BundleInstaller(
            assets = { File(directory, it).inputStream() },
            directory = File(noBackupFilesDir, "bundles-${directory.path.hashCode()}"),
            engineCaches = File(noBackupFilesDir, "engine-caches"),
        ),
    )

    /** Takes the bundle from elsewhere, before the app is launched. */
    fun use(installer: BundleInstaller) = openWith { _, options -> Edgekit.open(this, BundleSource.Assets(), installer, options) }

    /** Puts another engine behind the app, before it is launched. */
    fun use(bundle: Bundle, engine: Engine) {
        val model = openModel(bundle, engine)
        openWith { _, _ -> model }
    }

    private fun openWith(opener: Opener) {
        startAnew()
        current = assembled(opener, MemoryChoices(developer = developer))
    }
}
