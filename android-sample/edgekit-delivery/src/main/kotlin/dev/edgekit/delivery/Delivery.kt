package dev.edgekit.delivery

import android.content.Context
import dev.edgekit.core.bundle.Signer
import java.io.File
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext

/**
 * What an app wants of its deliveries.
 *
 * @property channel what edgekit published as, `--channel`; null takes what the host shows first, and keeps to it
 * @property oldest the first version that will do, against a host that shows an old one to a fresh install
 * @property metered fetch over networks that cost by the byte, too
 * @property keepsPrevious keep the bundle before, for [Delivery.rollBack]; where the model changed, it takes its space again
 * @property mustAgree which share of the golden answers must come as they were published
 */
public class DeliveryOptions(
    public val channel: String? = null,
    public val oldest: Long = 1,
    public val metered: Boolean = false,
    public val keepsPrevious: Boolean = true,
    public val mustAgree: Double = 1.0,
)

/**
 * A newer version than the app has.
 *
 * @property bytes that are still to be fetched
 * @property model whether the base model changes
 * @property adapters those that are new or change, by their folders
 */
public class Update internal constructor(
    public val version: Long,
    public val bytes: Long,
    public val model: Boolean,
    public val adapters: List<String>,
    internal val index: Index,
)

/** How far a delivery is. */
public sealed interface Progress {
    /** Bytes that are there of those that the update takes. */
    public data class Fetching(val done: Long, val total: Long) : Progress

    /** Golden answers that were asked for, of all. */
    public data class Trying(val done: Int, val total: Int) : Progress

    /** The new version is the one that counts; [bundle] is its folder. */
    public data class Done(val version: Long, val bundle: File) : Progress
}

/** Opens a new bundle and asks its golden answers. */
internal fun interface Trial {
    /** Throws [DeliveryFailure]; one that [isLasting] speaks against the bundle, another one against the moment. */
    suspend fun run(bundle: File, mustAgree: Double, progress: suspend (Int, Int) -> Unit)
}

/**
 * Bundles that come after the install, from a folder on any static host that `edgekit package --to delivery` wrote.
 *
 * The bundle that counts changes at once, when the new one is fetched, checked, opened and has answered; until then, and
 * whatever ends the process, [current] is the one before. Safe to call from any thread; one delivery is under way at a time.
 *
 * @param url of the folder
 * @param publicKey in PEM, of who signs; no other's bundle is taken
 */
public class Delivery internal constructor(
    private val store: Store,
    private val host: Host,
    private val signer: Signer,
    private val options: DeliveryOptions,
    private val trial: Trial,
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) {
    public constructor(context: Context, url: String, publicKey: String, options: DeliveryOptions = DeliveryOptions()) : this(
        store = Store(Disk(File(context.noBackupFilesDir, "edgekit-delivery"))),
        host = Host(url, DeviceNetwork(context, options.metered), ATTEMPTS, PAUSE),
        signer = Signer.read(publicKey),
        options = options,
        trial = GoldenTrial(context, publicKey),
    )

    /** The folder of the bundle that counts, for `BundleSource.Folder`; null before the first was fetched. */
    public suspend fun current(): File? = withContext(dispatcher) { store.current(store.state()) }

    /**
     * Looks whether the host has a newer version: some kilobytes, over any network.
     *
     * Null when there is none, and for a version that was tried and found wanting. The version that counts is told of when
     * files of it have gone. Throws [DeliveryFailure].
     */
    public suspend fun check(): Update? = withContext(dispatcher) {
        val content = host.index()
        val index = parseIndex(signer.opened(content))
        store.disk.alone { seen(index, sha256Of(content)) }
    }

    /**
     * Fetches a version, tries it, and puts it in the place of the one before; ends with [Progress.Done].
     *
     * The engine runs one model at a time: close yours first. Throws [DeliveryFailure]; what was fetched is kept, and the
     * same call goes on with it.
     */
    public fun fetch(update: Update): Flow<Progress> = flow {
        store.disk.alone {
            val index = update.index
            refuseOld(index)
            if (index.version in store.state().refused) throw DeliveryFailure.FoundWanting(index.version)
            fetchFiles(index) { done, total -> emit(Progress.Fetching(done, total)) }
            if (!isCurrent(index)) {
                val bundle = storing(store.disk) { store.assemble(index) }
                tried(index.version) {
                    trial.run(bundle, options.mustAgree) { done, total -> emit(Progress.Trying(done, total)) }
                }
            }
            emit(Progress.Done(index.version, store.bundle(index.version)))
        }
    }.flowOn(dispatcher)

    /** Goes back to the bundle before, and takes the one that counted no more. Throws [DeliveryFailure.NothingBefore]. */
    public suspend fun rollBack(): File = withContext(dispatcher) {
        store.disk.alone {
            val state = store.state()
            val previous = state.previous ?: throw DeliveryFailure.NothingBefore()
            val back = state.copy(current = previous, previous = null, refused = state.refused + setOfNotNull(state.current))
            storing(store.disk) {
                store.write(back)
                store.sweep(back)
            }
            store.bundle(previous)
        }
    }

    /** Whether an index is what follows; remembers that it was seen. */
    private fun seen(index: Index, digest: String): Update? {
        val state = store.state()
        val channel = options.channel ?: state.channel
        if (channel != null && index.channel != channel) throw DeliveryFailure.OtherChannel(index.channel, channel)
        refuseOld(index)
        if (index.version == state.seen && digest != state.seenDigest) throw DeliveryFailure.SameVersion(index.version)
        if (index.version > state.seen) {
            storing(store.disk) { store.write(state.copy(channel = index.channel, seen = index.version, seenDigest = digest)) }
        }
        val isThere = isCurrent(index) && missing(index).isEmpty()
        if (isThere || index.version in state.refused) return null
        val before = state.current?.let(store::digestsByPath).orEmpty()
        val new = index.files.filter { before[it.path] != it.sha256 }
        return Update(
            version = index.version,
            bytes = missing(index).sumOf { it.size - store.part(it).length() },
            model = new.any { it.sha256 == index.model },
            adapters = index.adapters.filter { folder -> new.any { it.path.startsWith("adapters/$folder/") } },
            index = index,
        )
    }

    private fun refuseOld(index: Index) {
        val state = store.state()
        val least = maxOf(options.oldest, state.seen, state.current ?: 0)
        if (index.version < least) throw DeliveryFailure.Older(index.version, least)
    }

    private fun isCurrent(index: Index) = store.state().current == index.version && store.bundle(index.version).isDirectory

    private fun missing(index: Index) = index.contents.filterNot(store::has)

    private suspend fun fetchFiles(index: Index, progress: suspend (Long, Long) -> Unit) {
        storing(store.disk) {
            store.prepare()
            store.sweep(store.state(), index.contents.map { it.sha256 }.toSet())
        }
        // Storage goes bad, too: a file that lies there is taken again only as what it was.
        val missing = index.contents.filterNot { store.has(it) && storing(store.disk) { digestOf(store.file(it)) } == it.sha256 }
        val total = missing.sumOf { it.size }
        val needed = missing.sumOf { it.size - minOf(it.size, store.part(it).length()) } + if (missing.isEmpty()) 0 else SPARE_BYTES
        val free = store.disk.free()
        if (free < needed) throw DeliveryFailure.NoSpace(needed, free)
        var before = 0L
        for (file in missing) {
            host.fetch(file, store) { progress(before + it, total) }
            storing(store.disk) { store.keep(file) }
            before += file.size
            progress(before, total)
        }
    }

    /** Lets a bundle be tried, which counts when it passes. */
    private suspend fun tried(version: Long, run: suspend () -> Unit) {
        val before = store.state()
        val tries = if (before.trying == version) before.tries else 0
        if (tries >= MOST_TRIES) {
            refused(before, version)
            throw DeliveryFailure.EndedProcess(version)
        }
        storing(store.disk) { store.write(before.copy(trying = version, tries = tries + 1)) }
        try {
            run()
        } catch (failure: DeliveryFailure) {
            if (failure.isLasting) refused(before, version) else storing(store.disk) { store.write(before.copy(trying = null, tries = 0)) }
            throw failure
        } catch (other: Throwable) { // Cancelled, for one; nothing is said of the bundle.
            storing(store.disk) { store.write(before.copy(trying = null, tries = 0)) }
            throw other
        }
        val after = before.copy(
            current = version,
            previous = before.current.takeIf { options.keepsPrevious },
            trying = null,
            tries = 0,
        )
        storing(store.disk) {
            store.write(after)
            store.sweep(after)
        }
    }

    private fun refused(before: State, version: Long) {
        val after = before.copy(trying = null, tries = 0, refused = before.refused + version)
        storing(store.disk) {
            store.write(after)
            store.sweep(after)
        }
    }

    private companion object {
        const val ATTEMPTS = 5
        val PAUSE = 1.seconds

        /** For manifests, links, and what the engine writes when it opens a model for the first time. */
        const val SPARE_BYTES = 32L shl 20

        /** The system may have ended the process for reasons of its own, once. */
        const val MOST_TRIES = 2
    }
}

/** Whether it speaks against a bundle, and not against the moment. */
internal val DeliveryFailure.isLasting: Boolean
    get() = this is DeliveryFailure.Differs || this is DeliveryFailure.DoesNotOpen || this is DeliveryFailure.EndedProcess
