package dev.edgekit.sample.tasks

import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/**
 * Who has it is answered. The library answers whoever asks, one after the other; here nobody waits for an answer that its
 * user has left: who takes the floor ends the answer of another.
 */
class Floor {
    private val oneAtATime = Mutex()
    private var speaker: Dialogue? = null

    suspend fun take(dialogue: Dialogue) = oneAtATime.withLock {
        val before = speaker
        speaker = dialogue
        if (before !== dialogue) before?.stop()
    }
}
