package dev.edgekit.core.bundle

import dev.edgekit.testing.Demo
import java.io.ByteArrayInputStream
import java.io.File
import java.io.FileNotFoundException
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.json.JSONObject

/** Assets in memory, at first the demo's. They count how often the model is opened. */
class MemoryAssets : AssetSource {
    val files = Demo.assets.listFiles().orEmpty().associate { it.name to it.readBytes() }.toMutableMap()
    var modelsOpened = 0

    override fun open(name: String): InputStream {
        if (name.endsWith(".litertlm")) modelsOpened++
        return ByteArrayInputStream(files[name] ?: throw FileNotFoundException(name))
    }

    /** What an update of the app brings: another model under the same name. */
    fun update() {
        val model = files.getValue(Demo.model.name) + ByteArray(4096)
        files[Demo.model.name] = model
        val manifest = JSONObject(files.getValue("edgekit.json").decodeToString())
        manifest.getJSONObject("model").put("size", model.size).put("sha256", sha256(model))
        files["edgekit.json"] = manifest.toString().encodeToByteArray()
    }
}

/** A disk of this machine with as much room as is said, which is full from a file's [fullAfter]th byte on. */
class TestDisk(private val free: Long = Long.MAX_VALUE, private val fullAfter: Int = Int.MAX_VALUE) : Disk {
    override fun free(directory: File) = free

    override fun create(file: File): FileOutputStream = object : FileOutputStream(file) {
        private var written = 0

        override fun write(bytes: ByteArray, offset: Int, length: Int) {
            written += length
            if (written <= fullAfter) super.write(bytes, offset, length) else fail()
        }

        /** Linux keeps a device that is always full, for tests like this. */
        private fun fail() = FileOutputStream("/dev/full").use { it.write(1) }
    }
}

/** A document in memory. */
internal class MemoryDocument(
    var bytes: ByteArray,
    override val id: String = "content://provider/1",
    var facts: DocumentFacts? = DocumentFacts("My model.litertlm", bytes.size.toLong(), 1),
) : Document {
    var opened = 0
    var brokenAfter = Int.MAX_VALUE

    override fun facts() = facts

    override fun open(): InputStream {
        opened++
        return BrokenStream(bytes, brokenAfter)
    }
}

/** A stream whose source goes away. */
class BrokenStream(bytes: ByteArray, private val after: Int) : InputStream() {
    private val whole = ByteArrayInputStream(bytes)
    private var count = 0

    override fun read(): Int = if (count++ < after) whole.read() else throw IOException("gone")

    override fun read(block: ByteArray, offset: Int, length: Int): Int {
        if (count >= after) throw IOException("gone")
        return whole.read(block, offset, minOf(length, after - count)).also { count += maxOf(it, 0) }
    }
}

/** `tasks.json` with tasks as JSON objects. */
fun tasksJson(vararg tasks: String, title: String = "T") =
    """{"schema_version": 2, "title": "$title", "tasks": [${tasks.joinToString()}]}"""

val Bundle.offer get() = Offer(title, tasks)

fun sha256(bytes: ByteArray): String =
    MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

internal fun Flow<InstallState>.all(): List<InstallState> = runBlocking { toList() }

internal fun Flow<InstallState>.bundle(): Bundle = when (val last = all().last()) {
    is InstallState.Ready -> last.bundle
    is InstallState.Failed -> throw last.failure
    else -> error("it ended with $last")
}

/** Every file below, by its path, with its size. */
fun File.tree(): Map<String, Long> =
    walk().filter { it.isFile }.associate { it.relativeTo(this).path to it.length() }
