package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener

/**
 * A JSON object that is read strictly: what is missing or of another type is [BundleFailure.Unreadable] and names the
 * key. Android's own getters turn numbers into text and the other way round.
 *
 * @param file that the object comes from
 * @param path of the object in it, as in `model.`
 */
internal class StrictObject private constructor(
    private val file: String,
    private val path: String,
    private val json: JSONObject,
) {
    fun has(key: String): Boolean = json.has(key) && !json.isNull(key)

    fun keys(): List<String> = json.keys().asSequence().toList()

    fun text(key: String): String = get(key) as? String ?: wrong(key, "a text")

    fun textOrNull(key: String): String? = if (has(key)) text(key) else null

    fun flag(key: String): Boolean = get(key) as? Boolean ?: wrong(key, "true or false")

    fun number(key: String): Double = (get(key) as? Number)?.toDouble() ?: wrong(key, "a number")

    fun numberOrNull(key: String): Double? = if (has(key)) number(key) else null

    /** A schema's type; of several, as in `["string", "null"]`, the first that is not null. */
    fun typeOrNull(key: String): String? =
        if (has(key) && get(key) is JSONArray) texts(key).firstOrNull { it != "null" } else textOrNull(key)

    fun whole(key: String): Long = when (val value = get(key)) {
        is Int, is Long -> value.toLong()
        else -> wrong(key, "a whole number")
    }

    fun positive(key: String): Int = whole(key).takeIf { it in 1..Int.MAX_VALUE }?.toInt() ?: wrong(key, "a positive number")

    fun at(key: String): StrictObject = within(key, get(key))

    fun atOrNull(key: String): StrictObject? = if (has(key)) at(key) else null

    /** None when the key is missing or null. */
    fun objects(key: String): List<StrictObject> = list(key).mapIndexed { index, value -> within("$key[$index]", value) }

    /** None when the key is missing or null. */
    fun texts(key: String): List<String> =
        list(key).mapIndexed { index, value -> value as? String ?: wrong("$key[$index]", "a text") }

    /** Ids of tokens; null when the key is missing or null. */
    fun idsOrNull(key: String): List<Int>? = if (!has(key)) null else list(key).mapIndexed { index, value ->
        (value as? Int)?.takeIf { it >= 0 } ?: wrong("$key[$index]", "the id of a token")
    }

    /** The object under a key as JSON. */
    fun source(key: String): String = (get(key) as? JSONObject ?: wrong(key, "an object")).toString()

    fun wrong(key: String, wanted: String): Nothing = throw BundleFailure.Unreadable(file, "$path$key must be $wanted")

    private fun get(key: String): Any =
        if (has(key)) json.get(key) else throw BundleFailure.Unreadable(file, "the key $path$key is missing")

    private fun list(key: String): List<Any?> {
        if (!has(key)) return emptyList()
        val array = get(key) as? JSONArray ?: wrong(key, "a list")
        return List(array.length()) { array.get(it) }
    }

    private fun within(key: String, value: Any?): StrictObject =
        StrictObject(file, "$path$key.", value as? JSONObject ?: wrong(key, "an object"))

    companion object {
        fun read(file: String, text: String): StrictObject {
            val value = try {
                JSONTokener(text).nextValue()
            } catch (error: JSONException) {
                throw BundleFailure.Unreadable(file, "not valid JSON: ${error.message}")
            } catch (nested: StackOverflowError) {
                throw BundleFailure.Unreadable(file, "nested too deeply")
            }
            return StrictObject(file, "", value as? JSONObject ?: throw BundleFailure.Unreadable(file, "not a JSON object"))
        }
    }
}
