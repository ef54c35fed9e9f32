package dev.edgekit.delivery

import dev.edgekit.core.BundleFailure
import dev.edgekit.core.bundle.Signer
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener

/** The signed list of what the newest version is made of; edgekit writes it (`edgekit/bundle/delivery/index.py`). */
internal const val INDEX = "edgekit-delivery.txt"

/** Below it each file lies at its SHA-256. */
internal const val FILES = "files"

internal const val MOST_INDEX_BYTES = 1 shl 20

private const val FIRST = "# edgekit delivery 1\n"
private const val ADAPTERS = "adapters"
private const val MANIFEST = "edgekit.json"
private const val TASKS = "tasks.json"
private const val ADAPTER_MANIFEST = "adapter.json"
private const val MOST = (1L shl 53) - 1
private val PLAIN_NAME = Regex("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
private val DIGEST = Regex("[0-9a-f]{64}")
private val OURS = listOf(".part", ".checked")

/** @property path in the bundle's folder; [sha256] hexadecimal */
internal data class DeliveredFile(val path: String, val size: Long, val sha256: String)

/** @property adapters the folders below `adapters/`; [model] SHA-256 of the base's model, one of the [files] */
internal data class Index(
    val channel: String,
    val version: Long,
    val model: String,
    val adapters: List<String>,
    val files: List<DeliveredFile>,
) {
    /** Each content once, the smallest first: what is wrong with a manifest is found before a model is fetched. */
    val contents: List<DeliveredFile> get() = files.distinctBy { it.sha256 }.sortedBy { it.size }
}

/** Reads what stands below a signature that was verified. Throws [DeliveryFailure]. */
internal fun parseIndex(signed: ByteArray): Index {
    val text = signed.decodeToString()
    if (!text.startsWith(FIRST)) throw DeliveryFailure.Unsigned("what is signed is no delivery")
    return try {
        val json = JSONTokener(text.removePrefix(FIRST)).nextValue() as? JSONObject ?: wrong("it is no object")
        index(json)
    } catch (error: JSONException) {
        throw DeliveryFailure.Unreadable("the index is not valid JSON: ${error.message}")
    } catch (nested: StackOverflowError) {
        throw DeliveryFailure.Unreadable("the index is nested too deeply")
    }
}

private fun index(json: JSONObject): Index {
    val bundle = json.value("bundle") as? JSONObject ?: wrong("bundle must be an object")
    val adapters = json.objects("adapters").map { it.text("folder") to it }
    val folders = adapters.map { (folder, _) -> folder }
    if (!folders.all(PLAIN_NAME::matches) || !areDistinct(folders)) wrong("adapters must have a plain name, once each")
    val base = files(bundle, "")
    val ofAdapters = adapters.flatMap { (folder, of) -> files(of, "$ADAPTERS/$folder/") }
    val found = Index(json.text("channel"), json.whole("version"), bundle.text("model"), folders, base + ofAdapters)
    val paths = found.files.map { it.path }
    if (!PLAIN_NAME.matches(found.channel)) wrong("channel must be a plain name")
    if (found.version < 1) wrong("version must be positive")
    if (base.none { it.sha256 == found.model }) wrong("the model is not listed")
    val needed = listOf(MANIFEST, TASKS) + folders.map { "$ADAPTERS/$it/$ADAPTER_MANIFEST" }
    (needed - paths.toSet()).forEach { wrong("$it is not listed") }
    if (found.files.groupBy { it.sha256 }.values.any { same -> same.distinctBy { it.size }.size > 1 }) wrong("a file has two sizes")
    return found
}

private fun files(json: JSONObject, folder: String): List<DeliveredFile> {
    val files = json.objects("files").map { DeliveredFile(it.text("name"), it.whole("size"), it.text("sha256")) }
    files.forEach { file ->
        val isName = PLAIN_NAME.matches(file.path) && file.path != ADAPTERS && OURS.none(file.path::endsWith)
        if (!isName || !DIGEST.matches(file.sha256)) wrong("$folder${file.path} is no file of a bundle")
    }
    if (!areDistinct(files.map { it.path })) wrong("$folder: a file is listed twice")
    return files.map { it.copy(path = folder + it.path) }
}

private fun areDistinct(names: List<String>) = names.distinctBy { it.lowercase() }.size == names.size

private fun JSONObject.value(key: String): Any = if (isNull(key)) wrong("$key is missing") else get(key)

private fun JSONObject.text(key: String): String = value(key) as? String ?: wrong("$key must be a text")

private fun JSONObject.whole(key: String): Long = when (val value = value(key)) {
    is Int, is Long -> (value as Number).toLong().takeIf { it in 0..MOST } ?: wrong("$key is too large, or negative")
    else -> wrong("$key must be a whole number")
}

private fun JSONObject.objects(key: String): List<JSONObject> {
    val array = value(key) as? JSONArray ?: wrong("$key must be a list")
    return List(array.length()) { array.get(it) as? JSONObject ?: wrong("$key[$it] must be an object") }
}

private fun wrong(why: String): Nothing = throw DeliveryFailure.Unreadable("the index cannot be read: $why")

/** The text that a signature stands above. Throws [DeliveryFailure.Unsigned]. */
internal fun Signer.opened(content: ByteArray): ByteArray = try {
    verified(INDEX, content)
} catch (failure: BundleFailure.Unsigned) {
    throw DeliveryFailure.Unsigned(failure.message.orEmpty())
}
