package dev.edgekit.sample.screens

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.provider.Settings
import androidx.annotation.RequiresApi
import dev.edgekit.core.answers.ALLOWED_INTENTS

/** The system's page of this app's language; before Android 13 there is none. */
@RequiresApi(Build.VERSION_CODES.TIRAMISU)
fun openLanguagePage(context: Context) {
    try {
        context.startActivity(Intent(Settings.ACTION_APP_LOCALE_SETTINGS, Uri.fromParts("package", context.packageName, null)))
    } catch (_: ActivityNotFoundException) {
        // A phone without such a page has the one language for all.
    }
}

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
