// What generated Kotlin calls of litertlm-android 0.18: names, parameters and types as in its Config.kt, Engine.kt and
// Conversation.kt. The artifact itself is on Google's Maven repository only; nothing here runs.
package com.google.ai.edge.litertlm

sealed class Backend {
    data class CPU(val threadCount: Int? = null) : Backend()
}

data class EngineConfig(
    val modelPath: String,
    val backend: Backend = Backend.CPU(),
    val visionBackend: Backend? = null,
    val audioBackend: Backend? = null,
    val maxNumTokens: Int? = null,
    val maxNumImages: Int? = null,
    val cacheDir: String? = null,
)

data class SamplerConfig(val topK: Int, val topP: Double, val temperature: Double, val seed: Int = 0)

data class SuppressTokensConfig(val suppressTokens: Collection<Int>)

class ResponseFormat private constructor() {
    companion object {
        external fun json(schema: String): ResponseFormat

        external fun regex(pattern: String): ResponseFormat
    }
}

class Contents private constructor() {
    companion object {
        external fun of(text: String): Contents
    }
}

class Message private constructor() {
    companion object {
        external fun user(text: String): Message
    }
}

data class LoraConfig(val loraPath: String? = null, val audioLoraPath: String? = null)

data class ConversationConfig(
    val systemInstruction: Contents? = null,
    val initialMessages: List<Message> = listOf(),
    val samplerConfig: SamplerConfig? = null,
    val loraConfig: LoraConfig? = null,
    val enableResponseFormat: Boolean = false,
    val chatTemplate: String? = null,
)

interface MessageCallback {
    fun onMessage(message: Message)

    fun onDone()

    fun onError(throwable: Throwable)
}

abstract class Conversation : AutoCloseable {
    abstract fun sendMessageAsync(
        message: Message,
        callback: MessageCallback,
        extraContext: Map<String, Any> = emptyMap(),
        suppressTokensConfig: SuppressTokensConfig? = null,
        maxOutputToken: Int? = null,
        responseFormat: ResponseFormat? = null,
    )

    abstract fun cancelProcess()
}

class Engine(val engineConfig: EngineConfig) : AutoCloseable {
    external fun initialize(): Unit

    external fun createConversation(conversationConfig: ConversationConfig): Conversation

    override external fun close(): Unit
}
