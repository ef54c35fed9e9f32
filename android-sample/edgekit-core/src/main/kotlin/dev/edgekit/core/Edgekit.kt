package dev.edgekit.core

import android.content.Context
import dev.edgekit.core.bundle.AppAssets
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.BundleInstaller
import dev.edgekit.core.bundle.InstallState
import dev.edgekit.core.bundle.PickedDocument
import dev.edgekit.core.bundle.Signer
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.core.engine.LiteRtLm
import dev.edgekit.core.tasks.AndroidDevice
import dev.edgekit.core.tasks.Benchmark
import dev.edgekit.core.tasks.EngineStarter
import dev.edgekit.core.tasks.availableMemory
import dev.edgekit.core.tasks.checkMemory
import dev.edgekit.core.tasks.contextTokens
import dev.edgekit.core.tasks.identity
import dev.edgekit.core.tasks.wasClosed
import java.io.File
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext

/**
 * Opens models. A process has one engine: while a model is open another is not.
 *
 *     val model = Edgekit.open(context, BundleSource.Assets())
 *     model.session().ask("my screen is too dark").collect { reply -> show(reply.text) }
 */
public object Edgekit {
    /** Brings the engine into the process; tests on a computer have one of their own. */
    @InternalEdgekitApi
    @Volatile
    public var loader: EngineLoader = LiteRtLm()

    /**
     * Makes a bundle ready, checks it, and starts the engine with it. From any thread; it takes seconds the first time.
     * Cancelled, it leaves nothing open; a start of the engine that is under way is waited for.
     *
     * @throws EdgekitFailure when it cannot be opened
     * @throws IllegalArgumentException for a signer that is no public key, or a path out of the assets
     */
    public suspend fun open(context: Context, source: BundleSource, options: OpenOptions = OpenOptions()): Model {
        val signer = options.signer?.let(Signer::read) ?: Signer.of { context.assets.open(it) }
        return open(context, source, installerOf(context, source, signer), options)
    }

    /** As [open], by an installer of one's own. */
    @InternalEdgekitApi
    public suspend fun open(context: Context, source: BundleSource, installer: BundleInstaller, options: OpenOptions): Model {
        val slot = EngineSlot.take(nameOf(source), options.waits)
        var opened: OpenedModel? = null
        try {
            val bundle = bundleOf(context, installer, source, options)
            val home = homeOf(context)
            val cache = if (source is BundleSource.Folder) cacheOfFolder(home, bundle) else installer.engineCache(bundle)
            val tokens = minOf(options.contextTokens ?: bundle.contextTokens, bundle.contextTokens)
            if (!options.beyondMemory) bundle.checkMemory(tokens, availableMemory(context))
            val starter = starterOf(context, bundle, cache, tokens, options)
            val chosen = withContext(NonCancellable) { starter() }
            val benchmark = Benchmark(loader, File(home, "benchmark"), AndroidDevice(context))
            opened = OpenedModel(bundle, infoOf(bundle, tokens), chosen, starter, benchmark, context.packageName, slot)
            currentCoroutineContext().ensureActive()
            return opened
        } catch (failure: Throwable) {
            if (opened == null) EngineSlot.leave(slot) else opened.close()
            throw failure
        }
    }

    private fun homeOf(context: Context) = File(context.noBackupFilesDir, "edgekit")

    private fun installerOf(context: Context, source: BundleSource, signer: Signer?): BundleInstaller {
        val assets = (source as? BundleSource.Assets)?.path
        val path = assets ?: if (source is BundleSource.Document) "of-documents" else "folder"
        require(path.split('/').none { it.isEmpty() || it == "." || it == ".." }) { "no folder of the assets: $path" }
        val home = homeOf(context)
        return BundleInstaller(
            assets = AppAssets(context.assets, path),
            directory = File(home, "bundles/$path"),
            engineCaches = File(home, "caches/$path"),
            signer = signer,
        )
    }

    private fun nameOf(source: BundleSource): String = when (source) {
        is BundleSource.Assets -> source.path
        is BundleSource.Folder -> source.directory.name
        is BundleSource.Document -> source.uri.lastPathSegment.orEmpty()
    }

    private suspend fun bundleOf(context: Context, installer: BundleInstaller, source: BundleSource, options: OpenOptions): Bundle {
        val states = when (source) {
            is BundleSource.Assets -> installer.install()
            is BundleSource.Folder -> installer.openFolder(source.directory)
            is BundleSource.Document -> installer.open(PickedDocument(context.contentResolver, source.uri))
        }
        var bundle: Bundle? = null
        states.collect { state ->
            when (state) {
                is InstallState.Copying -> options.onProgress(OpenProgress.Copying(state.done, state.total))
                is InstallState.Checking -> options.onProgress(OpenProgress.Checking(state.done, state.total))
                is InstallState.Ready -> bundle = state.bundle
                is InstallState.Failed -> throw state.failure
            }
        }
        return checkNotNull(bundle)
    }

    /** One for each model; of others that of the last is kept, to which an update may go back. */
    private fun cacheOfFolder(home: File, bundle: Bundle): File {
        val all = File(home, "caches/of-folders")
        val mine = File(all, bundle.identity).apply { mkdirs() }
        val others = all.listFiles().orEmpty().filter { it != mine }.sortedByDescending { it.lastModified() }
        others.drop(1).forEach { it.deleteRecursively() }
        mine.setLastModified(System.currentTimeMillis())
        return mine
    }

    /** Starts the engine: at once, and again after a benchmark. */
    private fun starterOf(context: Context, bundle: Bundle, cache: File, tokens: Int, options: OpenOptions): suspend () -> ChosenEngine {
        val home = homeOf(context)
        val engine = EngineStarter(
            loader = loader,
            bundle = bundle,
            cache = cache,
            trials = File(home, "gpu-trials"),
            appVersion = context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime.toString(),
            threads = options.threads,
            contextTokens = tokens,
            wasClosed = { wasClosed(context, it) },
        )
        if (options.retriesGpu) engine.forgetTrial()
        val mark = StartMark(File(home, "starts"), bundle.identity) { wasClosed(context, it) }
        return {
            mark.begin(options.afterCrash)
            options.onProgress(OpenProgress.Starting)
            try {
                engine.start(options.backend) { options.onProgress(OpenProgress.Comparing) }
            } finally {
                mark.end()
            }
        }
    }
}
