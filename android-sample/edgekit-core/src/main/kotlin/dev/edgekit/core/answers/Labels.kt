package dev.edgekit.core.answers

import org.json.JSONException
import org.json.JSONObject

/**
 * The names that a part of an answer has for people: `title` where the schema gives one, else made of the name itself.
 *
 * @param schema of the part; null where the schema does not say
 * @param root in which `$ref` is looked up
 */
internal class Labels private constructor(schema: JSONObject?, private val root: JSONObject?) {
    private val schema = resolved(schema)

    /** The names of properties that an answer must have. */
    val required: List<String> = strings("required")

    /** The values of an `enum`, or of a `oneOf` of constants; empty for anything else. */
    private val choices: Map<String, String> = titled().ifEmpty { strings("enum").associateWith(::labelOf) }

    fun property(name: String) = Labels(schema?.optJSONObject("properties")?.optJSONObject(name), root)

    val items: Labels get() = Labels(schema?.optJSONObject("items"), root)

    fun nameOf(name: String): String = property(name).schema?.optString("title").orEmpty().ifEmpty { readable(name) }

    /** Null for a value that is none of a few. */
    fun choice(value: Any): String? = choices[value]

    /** What a text that has not ended can only become; null while that is open. */
    fun onlyChoice(begun: String): String? = choices.keys.singleOrNull { it.startsWith(begun) && begun.isNotEmpty() }

    val isChoice: Boolean get() = choices.isNotEmpty()

    /**
     * The answer in one line: by the schema's `description` where that names properties in braces, as `Turn {setting} {action}`
     * does; else the thing and what is done with it, where the last property is what is done.
     */
    fun sentence(value: JSONObject): String? {
        val template = schema?.optString("description").orEmpty()
        val named = PLACEHOLDER.findAll(template).map { it.groupValues[1] }.toList()
        if (named.isNotEmpty() && named.all { schema?.optJSONObject("properties")?.has(it) == true }) {
            if (named.any { value.isNull(it) }) return null
            return PLACEHOLDER.replace(template) { match -> lowered(property(match.groupValues[1]).shown(value.get(match.groupValues[1]))) }
                .replaceFirstChar { it.titlecase() }
        }
        val chosen = value.keys().asSequence().filter { key -> value.opt(key)?.let { property(key).choice(it) } != null }.toList()
        val (thing, deed) = chosen.takeLast(2).takeIf { it.size == 2 && it.last() in DEEDS } ?: return null
        return "${property(thing).shown(value.get(thing))}: ${lowered(property(deed).shown(value.get(deed)))}"
    }

    fun shown(value: Any): String = if (value == JSONObject.NULL) "–" else choice(value) ?: value.toString()

    private fun titled(): Map<String, String> {
        val options = schema?.optJSONArray("oneOf") ?: schema?.optJSONArray("anyOf") ?: return emptyMap()
        val each = List(options.length()) { options.optJSONObject(it) ?: return emptyMap() }
        return each.associate {
            val value = it.opt("const") as? String ?: return emptyMap()
            value to it.optString("title").ifEmpty { labelOf(value) }
        }
    }

    private fun strings(key: String): List<String> {
        val listed = schema?.optJSONArray(key) ?: return emptyList()
        return List(listed.length()) { listed.opt(it) as? String ?: return emptyList() }
    }

    private fun resolved(part: JSONObject?): JSONObject? {
        val path = part?.optString("\$ref").orEmpty()
        if (!path.startsWith("#/")) return part
        return path.removePrefix("#/").split('/').fold(root) { place, name -> place?.optJSONObject(name) }
    }

    companion object {
        /** Of a schema as a bundle has it; of one that cannot be read, names alone. */
        fun of(schema: String?): Labels {
            val root = try {
                schema?.let(::JSONObject)
            } catch (_: JSONException) {
                null
            }
            return Labels(root, root)
        }

        private val PLACEHOLDER = Regex("""\{([A-Za-z_][A-Za-z0-9_]*)\}""")

        /** Properties that say what is to be done with the one before. */
        private val DEEDS = setOf("action", "operation", "command", "change")
    }
}

private val IDENTIFIER = Regex("[a-z][a-z0-9_]*")

/** `auto_brightness` as "Auto brightness"; a value that is no such name stays as it is. */
private fun labelOf(value: String) = if (IDENTIFIER.matches(value)) readable(value) else value

private fun lowered(label: String) =
    if (label.drop(1).any { it.isUpperCase() }) label else label.replaceFirstChar { it.lowercase() }
