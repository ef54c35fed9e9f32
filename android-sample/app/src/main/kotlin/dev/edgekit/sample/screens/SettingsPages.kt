package dev.edgekit.sample.screens

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import dev.edgekit.core.answers.ALLOWED_INTENTS

/** Starts a page of the system's settings; false when this phone has none for [intent], or keeps it from apps. */
fun openSettingsPage(context: Context, intent: String): Boolean {
    require(intent.startsWith(ALLOWED_INTENTS)) { "not a page of the settings: $intent" }
    return try {
        context.startActivity(Intent(intent))
        true
    } catch (_: ActivityNotFoundException) {
        false
    } catch (_: SecurityException) {
        false
    }
}
