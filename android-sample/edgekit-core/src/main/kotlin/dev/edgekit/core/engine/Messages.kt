package dev.edgekit.core.engine

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** The engine's JSON for what came before a conversation's first message, null for nothing. */
internal fun messagesBefore(settings: ConversationSettings): String? {
    val system = settings.systemPrompt?.takeIf { it.isNotEmpty() }?.let { message(settings.systemRole, it) }
    val messages = listOfNotNull(system) + settings.history.map { it.toJson() }
    return if (messages.isEmpty()) null else JSONArray(messages).toString()
}

internal fun asSent(message: Message): ByteArray = utf8(message.toJson().toString())

/** The text of a piece of an answer, which is a message in JSON. */
internal fun textOf(piece: ByteArray): String {
    val json = piece.decodeToString()
    return try {
        val parts = JSONObject(json).optJSONArray("content") ?: JSONArray()
        (0 until parts.length()).joinToString("") { parts.optJSONObject(it)?.optString("text").orEmpty() }
    } catch (malformed: JSONException) {
        json // better shown than lost
    }
}

/** Templates look into results, which they can in a text and not in a list of parts. */
private fun Message.toJson(): JSONObject =
    message(role.asTheEngineSays, text).apply { if (role == Role.TOOL) put("content", text) }

private val Role.asTheEngineSays: String
    get() = when (this) {
        Role.USER -> "user"
        Role.MODEL -> "assistant"
        Role.TOOL -> "tool"
    }

private fun message(role: String, text: String): JSONObject {
    if ('\u0000' in text) throw EngineFailure.Other("a text must not contain the NUL character")
    val part = JSONObject().put("type", "text").put("text", text)
    return JSONObject().put("role", role).put("content", JSONArray().put(part))
}
