package dev.edgekit.sample.screens

import android.content.ActivityNotFoundException
import android.content.Intent
import android.speech.RecognizerIntent
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.StartActivityForResult
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.platform.LocalContext

/** Lets the phone's recogniser listen, and gives what it understood to [onText]. Null on a phone that has none. */
@Composable
fun rememberSpeech(onText: (String) -> Unit): (() -> Unit)? {
    val context = LocalContext.current
    val language = LocalConfiguration.current.locales[0].toLanguageTag()
    val listen = remember(language) {
        Intent(RecognizerIntent.ACTION_RECOGNIZE_SPEECH)
            .putExtra(RecognizerIntent.EXTRA_LANGUAGE_MODEL, RecognizerIntent.LANGUAGE_MODEL_FREE_FORM)
            .putExtra(RecognizerIntent.EXTRA_LANGUAGE, language)
            .putExtra(RecognizerIntent.EXTRA_PREFER_OFFLINE, true)
    }
    val isThere = remember(context) { listen.resolveActivity(context.packageManager) != null }
    val launcher = rememberLauncherForActivityResult(StartActivityForResult()) { result ->
        result.data?.getStringArrayListExtra(RecognizerIntent.EXTRA_RESULTS)?.firstOrNull()?.let(onText)
    }
    if (!isThere) return null
    return {
        try {
            launcher.launch(listen)
        } catch (_: ActivityNotFoundException) {
            // It was taken off the phone a moment ago.
        }
    }
}
