package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import dev.edgekit.core.engine.damageOf
import dev.edgekit.core.engine.takesAdapters
import java.io.BufferedInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.FilterInputStream
import java.io.IOException
import java.io.InputStream
import java.util.zip.ZipEntry
import java.util.zip.ZipInputStream
import kotlinx.coroutines.flow.FlowCollector

/** A file beside a picked model: which document it was copied from. */
private const val ORIGIN = "origin"

private const val MOST_TEXT_BYTES = 4 * 1024 * 1024
private val MODEL_MAGIC = "LITERTLM".encodeToByteArray()
private val ZIP_MAGIC = byteArrayOf('P'.code.toByte(), 'K'.code.toByte(), 3, 4)

/**
 * Copies a document's bundle to [home]`/DIGEST`, in place of an earlier one, and checks it. The same document is not copied
 * again, nor needed any more, unless it has changed.
 */
internal suspend fun FlowCollector<InstallState>.pickedBundle(document: Document, home: File, disk: Disk, signer: Signer?): Bundle {
    val staging = File(home.path + PART)
    staging.deleteRecursively()
    val facts = document.facts()
    kept(document, facts, home, signer)?.let { return it }
    val name = facts?.name.orEmpty()
    staging.mkdirs()
    try {
        facts?.size?.let { size ->
            val free = disk.free(staging)
            if (free < size) throw BundleFailure.NoSpace(size, free)
        }
        val digest = Picking(this, staging, disk, signer, safeFileName(name), facts?.size ?: 0).copyAndCheck(document)
        writeWhole(File(staging, ORIGIN), origin(document, facts))
        home.deleteRecursively()
        home.mkdirs()
        staging.moveTo(File(home, digest))
        return bundleIn(File(home, digest), signer, this)
    } finally {
        staging.deleteRecursively()
    }
}

/** The bundle that was copied from this document before, null when there is none or the document has changed. */
private suspend fun FlowCollector<InstallState>.kept(
    document: Document,
    facts: DocumentFacts?,
    home: File,
    signer: Signer?,
): Bundle? {
    val directory = home.listFiles().orEmpty().singleOrNull() ?: return null
    val origin = File(directory, ORIGIN).takeIf { it.isFile }?.readText()?.lines().orEmpty()
    val isSame = origin.firstOrNull() == document.id && (facts == null || origin == origin(document, facts).lines())
    val model = directory.listFiles().orEmpty().singleOrNull { it.name.endsWith(MODEL_SUFFIX) }
    if (!isSame || model == null) return null
    val expected = BundleFile(model.name, model.length(), directory.name)
    return if (isReady(model, expected)) bundleIn(directory, signer, this) else null
}

private fun origin(document: Document, facts: DocumentFacts?): String =
    listOf(document.id, facts?.size, facts?.modified, titleOf(facts?.name.orEmpty())).joinToString("\n")

/** @param checks is told how far a sidecar is checked that was not before */
private suspend fun bundleIn(directory: File, signer: Signer?, checks: FlowCollector<InstallState>): Bundle {
    val texts = SignedTexts(directory, signer)
    val manifest = texts.of(MANIFEST)?.let(::parseManifest)
    val model = directory.listFiles().orEmpty().single { it.name.endsWith(MODEL_SUFFIX) }
    val title = manifest?.name ?: File(directory, ORIGIN).readText().lines().last()
    manifest?.adapters?.empty?.let { checks.checkSidecar(directory, it.name, it) }
    val offer = texts.of(TASKS)?.let(::parseTasks) ?: genericOffer(title, manifest?.examples.orEmpty())
    val adapters = installAdapters(offer) { folder ->
        val adapter = fittingAdapter(folder, texts.of(ADAPTER_MANIFEST, folder), checkNotNull(manifest))
        val sidecar = checks.checkSidecar(directory, adapterPath(folder, adapter.sidecar.name), adapter.sidecar)
        InstalledAdapter.Usable(adapter, sidecar, texts.of(NOTICE, folder))
    }
    return Bundle(model, manifest, offer.title, offer.tasks, adapters, texts.of(NOTICE)).orFailureOfOnlyTask()
}

/** The small files of a bundle; where a signature is asked for, as they were signed. */
internal class SignedTexts(private val directory: File, private val signer: Signer?) {
    /** Null when there is none. Throws [BundleFailure.Unsigned]. */
    fun of(name: String, adapter: String? = null): String? {
        val folder = if (adapter == null) directory else File(directory, adapterPath(adapter, "."))
        val content = File(folder, name).takeIf { it.isFile }?.readBytes() ?: return null
        val signed = signer.signed(adapter ?: "the bundle") { File(folder, SIGNATURE).takeIf { it.isFile }?.readBytes() }
        return signed.checked(name, content).decodeToString()
    }
}

private suspend fun FlowCollector<InstallState>.checkSidecar(bundle: File, path: String, expected: BundleFile): File {
    val sidecar = File(bundle, path).takeIf { it.isFile } ?: throw BundleFailure.Missing(path)
    if (!isReady(sidecar, expected)) checkSame(expected, sidecar.length(), digestOf(sidecar) {})
    return sidecar
}

/** Copies one document into a directory. [size]: 0 when it is not known. */
private class Picking(
    private val collector: FlowCollector<InstallState>,
    private val directory: File,
    private val disk: Disk,
    private val signer: Signer?,
    private val name: String,
    private val size: Long,
) {
    /** Returns the digest of the model. */
    suspend fun copyAndCheck(document: Document): String {
        val counted = Counted(open(document))
        return BufferedInputStream(counted).use { stream ->
            val begin = stream.peek(MODEL_MAGIC.size)
            val model = when {
                begin.contentEquals(MODEL_MAGIC) && signer != null -> throw BundleFailure.Unsigned("$name: a model file alone is not signed")
                begin.contentEquals(MODEL_MAGIC) -> File(directory, name).also { copyLarge(stream, it, counted) }
                begin.take(ZIP_MAGIC.size) == ZIP_MAGIC.toList() -> unpack(stream, counted)
                else -> throw BundleFailure.Corrupt(name, "neither a $MODEL_SUFFIX file nor a zip file with a bundle")
            }
            check(model)
        }
    }

    private fun open(document: Document): InputStream = try {
        document.open()
    } catch (error: IOException) {
        throw BundleFailure.Other("the document cannot be opened: ${error.message}", error)
    } catch (error: SecurityException) {
        throw BundleFailure.Other("the document may not be opened any more: pick it again", error)
    }

    private suspend fun copyLarge(from: InputStream, to: File, read: Counted) {
        copy(to.name, from, to, disk, size) { collector.emit(InstallState.Copying(read.bytes, maxOf(size, read.bytes))) }
    }

    /** Takes a bundle's files out of a zip file, from whichever folder, and returns the model. */
    private suspend fun unpack(stream: InputStream, read: Counted): File {
        val zip = ZipInputStream(stream)
        val unnamed = File(directory, "model$PART")
        while (true) {
            val entry = zip.next() ?: break
            val file = entry.name.substringAfterLast('/')
            val folder = adapterFolder(entry.name)
            when {
                entry.isDirectory -> Unit
                folder != null -> unpackOfAdapter(zip, folder, file, read)
                file == MANIFEST || file == TASKS || file == NOTICE || file == SIGNATURE -> writeWhole(File(directory, file), zip.text(file))
                file.endsWith(SIDECAR_SUFFIX) && isPlainName(file) -> copyLarge(zip, File(directory, file), read)
                !file.endsWith(MODEL_SUFFIX) -> Unit
                unnamed.exists() -> throw BundleFailure.Corrupt(name, "more than one $MODEL_SUFFIX file in it")
                else -> copyLarge(zip, unnamed, read)
            }
        }
        if (!unnamed.exists()) throw BundleFailure.Corrupt(name, "no $MODEL_SUFFIX file in it")
        val manifest = File(directory, MANIFEST).takeIf { it.isFile }
            ?: throw BundleFailure.Unreadable(name, "no $MANIFEST in it; pick the $MODEL_SUFFIX file itself")
        return File(directory, parseManifest(manifest.readText()).model.name).also { unnamed.moveTo(it) }
    }

    private suspend fun unpackOfAdapter(zip: ZipInputStream, folder: String, file: String, read: Counted) {
        if (!isPlainName(folder) || !isPlainName(file)) return
        val target = File(directory, adapterPath(folder, file))
        target.parentFile!!.mkdirs()
        when {
            file == ADAPTER_MANIFEST || file == NOTICE || file == SIGNATURE -> writeWhole(target, zip.text(file))
            file.endsWith(SIDECAR_SUFFIX) -> copyLarge(zip, target, read)
        }
    }

    /** Returns the digest. */
    private suspend fun check(model: File): String {
        damageOf(model)?.let { throw BundleFailure.Corrupt(name, it) }
        val texts = SignedTexts(directory, signer)
        texts.of(TASKS)?.let(::parseTasks)
        val manifest = texts.of(MANIFEST)?.let(::parseManifest)
        val size = model.length()
        val digest = digestOf(model) { collector.emit(InstallState.Checking(it, size)) }
        manifest?.let { checkSame(it.model, size, digest) }
        if (manifest == null && takesAdapters(model)) {
            throw BundleFailure.Unreadable(name, "a model that takes adapters needs the other files of its bundle: pick a zip file with all of them")
        }
        recordCheck(model, digest)
        return digest
    }

    private fun ZipInputStream.next(): ZipEntry? = try {
        nextEntry
    } catch (error: IOException) {
        throw BundleFailure.Corrupt(name, "the zip file is damaged: ${error.message}")
    }

    private fun ZipInputStream.text(file: String): String {
        val bytes = ByteArrayOutputStream()
        val block = ByteArray(DEFAULT_BUFFER_SIZE)
        while (true) {
            val count = try {
                read(block)
            } catch (error: IOException) {
                throw BundleFailure.Corrupt(name, "the zip file is damaged: ${error.message}")
            }
            if (count < 0) return bytes.toString(Charsets.UTF_8.name())
            bytes.write(block, 0, count)
            if (bytes.size() > MOST_TEXT_BYTES) throw BundleFailure.Unreadable(file, "far too large")
        }
    }
}

/** The folder of the adapter that a file in a zip belongs to, null for none. */
private fun adapterFolder(path: String): String? {
    val folders = path.split('/').dropLast(1)
    return folders.lastOrNull()?.takeIf { folders.getOrNull(folders.size - 2) == ADAPTERS }
}

/** Counts what was read of a document. */
private class Counted(stream: InputStream) : FilterInputStream(stream) {
    var bytes = 0L
        private set

    override fun read(): Int = super.read().also { if (it >= 0) bytes++ }

    override fun read(block: ByteArray, offset: Int, length: Int): Int =
        super.read(block, offset, length).also { if (it > 0) bytes += it }
}

private fun BufferedInputStream.peek(count: Int): ByteArray {
    mark(count)
    val bytes = ByteArray(count)
    var have = 0
    while (have < count) {
        val more = read(bytes, have, count - have)
        if (more < 0) break
        have += more
    }
    reset()
    return bytes.copyOf(have)
}

private const val LONGEST_NAME = 60

/** What a document's name says of it, for people: without control characters, marks of direction among them. */
internal fun titleOf(name: String): String {
    val visible = name.substringAfterLast('/').substringAfterLast('\\')
        .removeSuffix(".zip").removeSuffix(MODEL_SUFFIX)
        .filterNot { it.category in INVISIBLE }
    return visible.trim().take(LONGEST_NAME).trim { it.isHighSurrogate() || it == ' ' }.ifEmpty { "model" }
}

private val INVISIBLE = setOf(
    CharCategory.CONTROL,
    CharCategory.FORMAT,
    CharCategory.LINE_SEPARATOR,
    CharCategory.PARAGRAPH_SEPARATOR,
    CharCategory.UNASSIGNED,
    CharCategory.PRIVATE_USE,
)

/** A name for a model file that came under any name. */
internal fun safeFileName(name: String): String =
    titleOf(name).replace(Regex("[^A-Za-z0-9._-]"), "_").trimStart('.').ifEmpty { "model" } + MODEL_SUFFIX
