package dev.edgekit.delivery

import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.security.MessageDigest

private const val FORM = "edgekit-delivery-state 1"
private const val KEPT_DIGITS = 64

/**
 * What is remembered between launches.
 *
 * @property seen the newest version whose index was signed, and [seenDigest] that index's SHA-256
 * @property current the version whose bundle opens; [previous] the one before
 * @property trying the version whose bundle is being tried, for the time [tries]: a crash of the engine ends the process
 * @property refused versions that are not tried again
 */
internal data class State(
    val channel: String? = null,
    val seen: Long = 0,
    val seenDigest: String? = null,
    val current: Long? = null,
    val previous: Long? = null,
    val trying: Long? = null,
    val tries: Int = 0,
    val refused: Set<Long> = emptySet(),
)

/**
 * Where deliveries lie:
 *
 *     root/state               one small file, replaced by a rename: what it says is what counts
 *     root/files/SHA-256       whole files that were checked, each once
 *     root/parts/SHA-256.part  what came of a file so far, and beside it the host's name for what is coming, `.etag`
 *     root/bundles/VERSION/    the folder of a bundle: links to its files
 */
internal class Store(val disk: Disk) {
    private val stateFile = File(disk.root, "state")
    private val files = File(disk.root, FILES)
    private val parts = File(disk.root, "parts")
    private val bundles = File(disk.root, "bundles")

    /** Where nothing is remembered, or what is there cannot be read, it is as after the install. */
    fun state(): State = try {
        parse(stateFile.readText())
    } catch (_: IOException) {
        State()
    } catch (_: IllegalArgumentException) {
        State()
    } catch (_: IndexOutOfBoundsException) {
        State()
    }

    fun write(state: State) {
        val lines = listOfNotNull(
            FORM,
            state.channel?.let { "channel $it" },
            "seen ${state.seen} ${state.seenDigest}".takeIf { state.seen > 0 },
            state.current?.let { "current $it" },
            state.previous?.let { "previous $it" },
            state.trying?.let { "trying $it ${state.tries}" },
        ) + state.refused.sorted().map { "refused $it" }
        disk.mkdirs(disk.root)
        disk.writeWhole(stateFile, lines.joinToString("\n", postfix = "\n").encodeToByteArray())
    }

    fun bundle(version: Long) = File(bundles, "$version")

    /** The bundle that counts, null before the first. */
    fun current(state: State): File? = state.current?.let(::bundle)?.takeIf { it.isDirectory }

    /** A file that was checked before it got its name. */
    fun has(file: DeliveredFile): Boolean = file(file).isFile && file(file).length() == file.size

    fun file(file: DeliveredFile) = File(files, file.sha256)

    fun part(file: DeliveredFile) = File(parts, file.sha256 + PART)

    fun etag(file: DeliveredFile) = File(parts, file.sha256 + ".etag")

    fun prepare() {
        disk.mkdirs(files)
        disk.mkdirs(parts)
        disk.mkdirs(bundles)
    }

    /** Takes a part for the file, which the caller has checked. */
    fun keep(file: DeliveredFile) {
        disk.move(part(file), file(file))
        disk.delete(etag(file))
    }

    /** Makes the folder of a bundle, whose files are all there. */
    fun assemble(index: Index): File {
        val folder = bundle(index.version)
        if (folder.isDirectory) return folder
        val part = File(bundles, "${index.version}$PART")
        disk.delete(part)
        disk.mkdirs(part)
        for (file in index.files) {
            val link = File(part, file.path)
            disk.mkdirs(link.parentFile!!)
            val up = "../".repeat(2 + file.path.count { it == '/' })
            disk.link(link, "$up$FILES/${file.sha256}")
        }
        disk.move(part, folder)
        return folder
    }

    /** Deletes what no bundle that counts is made of. [fetching]: what is on its way, by digest. */
    fun sweep(state: State, fetching: Set<String> = emptySet()) {
        val kept = setOfNotNull(state.current, state.previous, state.trying)
        bundles.listFiles().orEmpty().filter { it !in kept.map(::bundle) }.forEach(disk::delete)
        val used = kept.flatMap { digestsByPath(it).values }.toSet() + fetching
        val stored = listOf(files, parts).flatMap { it.listFiles().orEmpty().asList() }
        stored.filter { it.name.take(KEPT_DIGITS) !in used }.forEach(disk::delete)
    }

    /** What the bundle of a version is made of: SHA-256 by the path in its folder. */
    fun digestsByPath(version: Long): Map<String, String> {
        val folder = bundle(version)
        val links = folder.walkTopDown().filter { Files.isSymbolicLink(it.toPath()) }
        return links.associate { it.relativeTo(folder).path to Files.readSymbolicLink(it.toPath()).fileName.toString() }
    }

    private fun parse(text: String): State {
        val lines = text.lines().filter { it.isNotEmpty() }.map { it.split(' ') }
        if (text.lines().first() != FORM) throw IOException("$stateFile is of another form")
        return lines.drop(1).fold(State()) { state, words ->
            when (words[0]) {
                "channel" -> state.copy(channel = words[1])
                "seen" -> state.copy(seen = words[1].toLong(), seenDigest = words[2])
                "current" -> state.copy(current = words[1].toLong())
                "previous" -> state.copy(previous = words[1].toLong())
                "trying" -> state.copy(trying = words[1].toLong(), tries = words[2].toInt())
                "refused" -> state.copy(refused = state.refused + words[1].toLong())
                else -> state
            }
        }
    }
}

internal fun sha256Of(bytes: ByteArray): String = MessageDigest.getInstance("SHA-256").digest(bytes).hex()

internal fun ByteArray.hex(): String = joinToString("") { "%02x".format(it) }
