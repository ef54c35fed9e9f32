package dev.edgekit.core

import kotlinx.coroutines.CompletableDeferred

/** The place of the one engine of the process. */
internal object EngineSlot {
    /** Who has the engine; [isEnding] once it is on the way to give it back. */
    class Holder(val name: String) {
        val released = CompletableDeferred<Unit>()

        @Volatile
        var isEnding = false
    }

    private var holder: Holder? = null

    /** Takes the place, waiting for one who is about to leave. Throws [EdgekitFailure.Busy] for another unless told to wait. */
    suspend fun take(name: String, waits: Boolean): Holder {
        while (true) {
            val mine = Holder(name)
            val before = synchronized(this) { holder ?: mine.also { holder = it } }
            if (before === mine) return mine
            if (!waits && !before.isEnding) throw EdgekitFailure.Busy(before.name)
            before.released.await()
        }
    }

    fun leave(who: Holder) {
        synchronized(this) { if (holder === who) holder = null }
        who.released.complete(Unit)
    }
}
