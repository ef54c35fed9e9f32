package dev.edgekit.sample.screens

import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.BundleInstaller
import dev.edgekit.core.bundle.InstallState
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.core.tasks.AndroidDevice
import dev.edgekit.core.tasks.Benchmark
import dev.edgekit.core.tasks.EngineOpener
import dev.edgekit.core.tasks.TryingOpener
import dev.edgekit.sample.EdgekitApplication
import dev.edgekit.sample.tasks.BundleSource
import dev.edgekit.sample.tasks.MemoryChoices
import dev.edgekit.sample.tasks.SharedPreferencesChoices
import dev.edgekit.sample.tasks.ModelHost
import dev.edgekit.testing.Demo
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.flowOf

/** The application with the engine that was built for this machine. */
class AppUnderTest : EdgekitApplication() {
    /** How often an engine was opened. */
    var opened = 0
        private set

    override val loader = EngineLoader { settings -> Demo.loader.open(settings).also { opened++ } }

    private var assembled: Sources? = null

    /** Whether figures are shown when it is launched next. */
    var developer: Boolean
        get() = SharedPreferencesChoices(getSharedPreferences("choices", MODE_PRIVATE)).developer
        set(value) {
            SharedPreferencesChoices(getSharedPreferences("choices", MODE_PRIVATE)).developer = value
        }

    override fun onCreate() {
        super.onCreate()
        developer = true
    }

    override val sources: Sources get() = assembled ?: assemble().also { assembled = it }

    /** As a new process does. */
    fun startAnew() {
        assembled = null
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
    fun use(installer: BundleInstaller) {
        val opener = TryingOpener(loader, installer::engineCache, File(noBackupFilesDir, "gpu-trials"), appVersion = "1")
        assembled = sources({ installer.install() }, opener, loader)
    }

    /** Puts another engine behind the app, before it is launched. */
    fun use(bundle: Bundle, engine: Engine) {
        assembled = sources({ flowOf(InstallState.Ready(bundle)) }, { _, wanted, _ -> ChosenEngine(engine, wanted, null) }, { engine })
    }

    private fun sources(bundles: BundleSource, opener: EngineOpener, loader: EngineLoader): Sources {
        val choices = MemoryChoices(developer = developer)
        val host = ModelHost(bundles, opener, choices, CoroutineScope(SupervisorJob() + Dispatchers.Default))
        return Sources(host, choices, Benchmark(loader, File(cacheDir, "benchmark"), AndroidDevice(this)))
    }
}
