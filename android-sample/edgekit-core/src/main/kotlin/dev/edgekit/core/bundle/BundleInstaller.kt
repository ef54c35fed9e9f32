package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import dev.edgekit.core.InternalEdgekitApi
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn

/**
 * Brings bundles into files of the app, because the engine maps files and cannot read an asset.
 *
 *     directory/built-in/DIGEST/model.litertlm            of the app's own bundle, named as in its manifest
 *     directory/built-in/DIGEST/empty.lora.tflite         where the model takes adapters
 *     directory/built-in/DIGEST/adapters/FOLDER/          the sidecar of an adapter that a task asks for
 *     directory/picked/DIGEST/model.litertlm              of the last document that was picked, with what came with it
 *     engineCaches/DIGEST/                                what the engine keeps for its next start
 *
 * A file that is not finished ends in `.part`; it is removed and made anew. A finished one was checked against its digest,
 * of which a record beside it tells: later launches compare only size and time.
 *
 * @param directory of the installer's own; nothing else lies in it
 * @param engineCaches likewise
 * @param signer whose bundles are taken, and no others; null takes anybody's
 */
@InternalEdgekitApi
public class BundleInstaller(
    private val assets: AssetSource,
    private val directory: File,
    private val engineCaches: File,
    private val disk: Disk = DeviceDisk,
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
    private val signer: Signer? = null,
) {
    private val builtIn = File(directory, "built-in")

    /** Where the engine may keep its cache for a bundle that this installer made ready. */
    internal fun engineCache(bundle: Bundle): File = File(engineCaches, bundle.model.absoluteFile.parentFile!!.name)

    /** Makes the app's own bundle ready. */
    internal fun install(): Flow<InstallState> = states { installBuiltIn() }

    /** Makes a document ready that the user picked: a .litertlm file, or a zip file with a bundle in it. */
    internal fun open(document: Document): Flow<InstallState> = states {
        pickedBundle(document, File(directory, "picked"), disk, signer).also { deleteStaleCaches() }
    }

    /** Checks a bundle in a directory, where it stays. */
    internal fun openFolder(folder: File): Flow<InstallState> = states { bundleInFolder(folder, signer) }

    private fun states(work: suspend FlowCollector<InstallState>.() -> Bundle): Flow<InstallState> = flow {
        val outcome = try {
            InstallState.Ready(work())
        } catch (failure: BundleFailure) {
            InstallState.Failed(failure)
        } catch (error: IOException) {
            InstallState.Failed(BundleFailure.Other(error.message ?: "reading or writing failed", error))
        }
        emit(outcome)
    }.flowOn(dispatcher)

    private suspend fun FlowCollector<InstallState>.installBuiltIn(): Bundle {
        val manifest = parseManifest(signedAsset("", MANIFEST) ?: throw BundleFailure.Missing(MANIFEST))
        // Tasks and terms come with the app's own code, and are as good as that.
        val offer = parseTasks(asset(TASKS)?.decodeToString() ?: throw BundleFailure.Missing(TASKS))
        val home = File(builtIn, manifest.model.sha256)
        builtIn.listFiles().orEmpty().filter { it != home }.forEach { it.deleteRecursively() }
        deleteStaleCaches()
        val model = File(home, manifest.model.name)
        if (!isReady(model, manifest.model)) {
            home.deleteRecursively()
            copyChecked(manifest.model, manifest.model.name, model)
        }
        manifest.adapters?.empty?.let { if (!isReady(File(home, it.name), it)) copyChecked(it, it.name, File(home, it.name)) }
        val folders = File(home, ADAPTERS)
        folders.listFiles().orEmpty().filter { folder -> offer.tasks.none { it.adapter == folder.name } }.forEach { it.deleteRecursively() }
        val adapters = installAdapters(offer) { installAdapter(it, manifest, File(folders, it)) }
        return Bundle(model, manifest, offer.title, offer.tasks, adapters, asset(NOTICE)?.decodeToString()).orFailureOfOnlyTask()
    }

    private suspend fun FlowCollector<InstallState>.installAdapter(folder: String, base: Manifest, home: File): InstalledAdapter.Usable {
        val manifest = fittingAdapter(folder, signedAsset(adapterPath(folder, ""), ADAPTER_MANIFEST), base)
        val sidecar = File(home, manifest.sidecar.name)
        if (!isReady(sidecar, manifest.sidecar)) {
            home.deleteRecursively()
            copyChecked(manifest.sidecar, adapterPath(folder, manifest.sidecar.name), sidecar)
        }
        return InstalledAdapter.Usable(manifest, sidecar, asset(adapterPath(folder, NOTICE))?.decodeToString())
    }

    /** Copies one of the app's assets into a file that is there only when it is what [expected] says. */
    private suspend fun FlowCollector<InstallState>.copyChecked(expected: BundleFile, asset: String, file: File) {
        val directory = file.parentFile!!
        directory.mkdirs()
        val free = disk.free(directory)
        if (free < expected.size) throw BundleFailure.NoSpace(expected.size, free)
        val part = File(file.path + PART)
        try {
            emit(InstallState.Copying(0, expected.size))
            val size = openAsset(asset).use { stream ->
                copy(expected.name, stream, part, disk, expected.size) { emit(InstallState.Copying(it, expected.size)) }
            }
            val digest = digestOf(part) { emit(InstallState.Checking(it, expected.size)) }
            checkSame(expected, size, digest)
            part.moveTo(file)
            recordCheck(file, expected.sha256)
        } finally {
            part.delete()
        }
    }

    private fun openAsset(name: String) = try {
        assets.open(name)
    } catch (missing: FileNotFoundException) {
        throw BundleFailure.Missing(name)
    }

    /** A manifest among the assets, by which model and sidecars are checked in their turn. */
    private fun signedAsset(folder: String, name: String): String? = asset(folder + name)?.let { content ->
        signer.signed(folder.ifEmpty { "the app’s bundle" }) { asset(folder + SIGNATURE) }.checked(name, content).decodeToString()
    }

    private fun asset(name: String): ByteArray? = try {
        assets.open(name).use { it.readBytes() }
    } catch (missing: FileNotFoundException) {
        null
    }

    /** Of models that are not there any more. */
    private fun deleteStaleCaches() {
        val models = directory.listFiles().orEmpty().flatMap { it.listFiles().orEmpty().toList() }.map { it.name }
        engineCaches.listFiles().orEmpty().filter { it.name !in models }.forEach { it.deleteRecursively() }
    }
}
