package dev.edgekit.testing

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Message
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.engine.Measurement
import dev.edgekit.core.engine.Piece
import dev.edgekit.core.engine.StopReason
import dev.edgekit.core.engine.TurnStats
import dev.edgekit.core.tasks.contextTokens
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * An engine for what the real one cannot be brought to: it says what it is told, at the pace it is told, or fails.
 * A token is a character.
 *
 * @param beforePiece is called with what was said so far: the answer stands still until it returns
 * @param whileMeasuring likewise, in each measurement
 */
@InternalEdgekitApi
public class FakeEngine(
    private val answer: (String) -> String = { "You said: $it" },
    private val pieceMillis: Long = 0,
    private val contextTokens: Int = 1000,
    private val failure: Exception? = null,
    private val beforePiece: suspend (said: String) -> Unit = {},
    private val whileMeasuring: () -> Unit = {},
) : Engine {
    /** Those in which something was said, in that order. */
    public val conversations: MutableList<ConversationSettings> = mutableListOf<ConversationSettings>()

    /** All, also those that only wait for a first message. */
    public val opened: MutableList<ConversationSettings> = CopyOnWriteArrayList()

    /** What was sent, in all conversations. */
    public val sent: MutableList<Message> = mutableListOf<Message>()

    /** The adapters that it was measured with. */
    public val measured: MutableList<File?> = mutableListOf()
    @Volatile
    public var isClosed: Boolean = false
        private set
    private var open = 0

    /** Conversations that were open at the same time. */
    public var mostOpen: Int = 0
        private set

    override val runtimeVersion: String = "0.0.0"

    override fun countTokens(text: String): Int = text.length

    override fun converse(settings: ConversationSettings): Conversation {
        opened += settings
        mostOpen = maxOf(mostOpen, ++open)
        return FakeConversation(settings)
    }

    override fun measure(prefillTokens: Int, decodeTokens: Int, adapter: File?): Measurement {
        measured += adapter
        whileMeasuring()
        failure?.let { throw it }
        val stamps = List(decodeTokens) { 0.1 + it * 0.01 }
        return Measurement(prefillTokens, decodeTokens, 0.1, stamps.last(), stamps, 1000.0, 100.0, 0.11)
    }

    override fun close() {
        isClosed = true
    }

    private inner class FakeConversation(private val settings: ConversationSettings) : Conversation {
        override var tokenCount = settings.history.sumOf { it.text.length }
        private var isSilent = true

        override fun promptTokens(text: String) = text.length

        override fun send(message: Message): Flow<Piece> = flow {
            val text = message.text
            if (isSilent) conversations += settings
            isSilent = false
            sent += message
            val room = contextTokens - tokenCount
            if (text.length > room) throw EngineFailure.PromptTooLong(text.length, room)
            failure?.let { throw it }
            val said = answer(text)
            for (start in said.indices step PIECE) {
                delay(pieceMillis)
                beforePiece(said.take(start))
                emit(Piece.Text(said.drop(start).take(PIECE)))
            }
            tokenCount += text.length + said.length
            emit(Piece.Done(TurnStats(text.length, said.length, 0.02, 1000.0, 100.0, StopReason.END_OF_TURN)))
        }

        override fun close() {
            open--
        }
    }

    private companion object {
        const val PIECE = 3
    }
}
