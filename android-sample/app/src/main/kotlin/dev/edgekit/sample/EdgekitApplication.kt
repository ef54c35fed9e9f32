package dev.edgekit.sample

import android.app.Application
import androidx.core.net.toUri
import dev.edgekit.core.bundle.BundleInstaller
import dev.edgekit.core.bundle.PickedDocument
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.core.engine.LiteRtLm
import dev.edgekit.core.tasks.AndroidDevice
import dev.edgekit.core.tasks.Benchmark
import dev.edgekit.core.tasks.TryingOpener
import dev.edgekit.core.tasks.wasClosed
import dev.edgekit.sample.screens.HasSources
import dev.edgekit.sample.screens.Sources
import dev.edgekit.sample.tasks.BundleChoice
import dev.edgekit.sample.tasks.BundleSource
import dev.edgekit.sample.tasks.ModelHost
import dev.edgekit.sample.tasks.OpeningMark
import dev.edgekit.sample.tasks.SharedPreferencesChoices
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob

/** Puts the app together. */
open class EdgekitApplication : Application(), HasSources {
    override val sources: Sources by lazy(::assemble)

    protected open val loader: EngineLoader = LiteRtLm()

    /** The system is short of memory, and the app is out of sight: better without its model than ended. */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= TRIM_MEMORY_BACKGROUND) sources.host.rest()
    }

    protected fun assemble(): Sources {
        val installer = BundleInstaller(this)
        val bundles = BundleSource { choice ->
            when (choice) {
                BundleChoice.BuiltIn -> installer.install()
                is BundleChoice.Picked -> installer.open(PickedDocument(contentResolver, choice.uri.toUri()))
            }
        }
        val opener = TryingOpener(
            loader = loader,
            cacheOf = installer::engineCache,
            trials = File(noBackupFilesDir, "gpu-trials"),
            appVersion = packageManager.getPackageInfo(packageName, 0).lastUpdateTime.toString(),
            wasClosed = { wasClosed(this, it) },
        )
        val choices = SharedPreferencesChoices(getSharedPreferences("choices", MODE_PRIVATE))
        val mark = OpeningMark(File(noBackupFilesDir, "opening")) { wasClosed(this, it) }
        val host = ModelHost(bundles, opener, choices, CoroutineScope(SupervisorJob() + Dispatchers.Default), mark)
        return Sources(host, choices, Benchmark(loader, File(cacheDir, "benchmark"), AndroidDevice(this)))
    }
}
