package dev.edgekit.sample

import android.content.Context
import android.content.Intent

/**
 * What another app, or the tile, wants of this one.
 *
 * @property text for the draft; nothing is sent before the user does so
 * @property task to open; null for the one that was open last
 */
data class Incoming(val text: String?, val task: String?)

/** Null for an intent that only starts the app. Any app can send one: what cannot be read is left alone. */
fun incomingOf(intent: Intent): Incoming? = try {
    when (intent.action) {
        Intent.ACTION_SEND -> intent.getCharSequenceExtra(Intent.EXTRA_TEXT)?.let(::draftOf)
        Intent.ACTION_PROCESS_TEXT -> intent.getCharSequenceExtra(Intent.EXTRA_PROCESS_TEXT)?.let(::draftOf)
        OPEN_TASK -> Incoming(null, intent.getStringExtra(TASK))
        else -> null
    }
} catch (_: RuntimeException) {
    // Extras of a class that this app does not have.
    null
}

/** Opens a task of the app. */
fun openTask(context: Context, task: String?): Intent = Intent(context, MainActivity::class.java)
    .setAction(OPEN_TASK)
    .putExtra(TASK, task)
    .addFlags(Intent.FLAG_ACTIVITY_NEW_TASK)

private fun draftOf(text: CharSequence): Incoming? =
    text.take(LONGEST).toString().trim().ifEmpty { null }?.let { Incoming(it, null) }

private const val OPEN_TASK = "dev.edgekit.sample.OPEN_TASK"
private const val TASK = "task"

/** Characters; far more than a context holds. */
private const val LONGEST = 20_000
