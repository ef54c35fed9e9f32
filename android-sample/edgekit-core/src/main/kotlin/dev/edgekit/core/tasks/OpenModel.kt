package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Engine
import java.io.File
import kotlin.time.measureTimedValue
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/** Has a conversation that stays open between answers, until someone else needs the engine. */
@InternalEdgekitApi
public fun interface ConversationHolder {
    /** Ends the answer that is under way in the conversation, which is closed then. */
    public suspend fun yieldEngine()
}

/** A change from one adapter to another, or to the model alone; [seconds] from closing one conversation to having the next. */
@InternalEdgekitApi
public data class Switch(val task: String, val seconds: Double)

/**
 * A bundle with its running engine, which has one conversation at a time: adapters come and go with it.
 *
 * @property fallback why the GPU is not used although the user asked for it, null when it is or was not asked for
 * @property scope whatever uses the engine runs in it; the host ends it before it closes the engine
 */
@InternalEdgekitApi
public class OpenModel(
    public val bundle: Bundle,
    public val engine: Engine,
    public val backend: Backend,
    public val fallback: String?,
    public val scope: CoroutineScope,
) {
    private val oneAtATime = Mutex()
    private var holder: ConversationHolder? = null
    private var conversation: Conversation? = null
    private var applied: Applied? = null

    /** Whoever the conversation was given to, to have an answer in it. */
    private var speaking: Job? = null
    private val _lastSwitch = MutableStateFlow<Switch?>(null)

    /** Null while there was none. */
    public val lastSwitch: StateFlow<Switch?> = _lastSwitch.asStateFlow()

    /**
     * The conversation that [holder] keeps: the one that it has, or a new one, for which whoever else kept one loses it,
     * in the middle of an answer as well.
     *
     * @param renewed the one that it has is not to be gone on with
     * @param settings of a new one
     */
    public suspend fun conversationOf(
        holder: ConversationHolder,
        task: Task,
        renewed: Boolean,
        settings: () -> ConversationSettings,
    ): Conversation = oneAtATime.withLock {
        if (this.holder !== holder) this.holder?.yieldEngine()
        val kept = conversation.takeIf { this.holder === holder && !renewed }
        this.holder = holder
        speaking = currentCoroutineContext()[Job]
        kept ?: replaced(task, settings())
    }

    /** Lends a conversation of its own to [block]. Whoever kept one ends the answer under way, and needs a new one to go on. */
    public suspend fun <T> converseBriefly(task: Task, settings: ConversationSettings, block: suspend (Conversation) -> T): T =
        oneAtATime.withLock {
            // Not for the holder: its next answer may wait for this very lock.
            speaking?.join()
            speaking = null
            holder = null
            try {
                block(replaced(task, settings))
            } finally {
                closeConversation()
            }
        }

    private fun replaced(task: Task, settings: ConversationSettings): Conversation {
        val (opened, time) = measureTimedValue {
            closeConversation()
            engine.converse(settings).also { conversation = it }
        }
        val before = applied
        applied = Applied(settings.adapter)
        if (before != null && before != applied) _lastSwitch.value = Switch(task.id, time.inWholeMicroseconds / 1e6)
        return opened
    }

    private fun closeConversation() {
        conversation?.close()
        conversation = null
    }

    /** What the engine was last asked to apply; [adapter] null for the model alone. */
    private data class Applied(val adapter: File?)
}
