package dev.edgekit.sample.screens

import android.content.Context
import androidx.annotation.RawRes
import androidx.annotation.StringRes
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.dp
import dev.edgekit.core.ModelInfo
import dev.edgekit.sample.R
import org.json.JSONArray

/** Something that the app carries and others made. */
data class Component(val name: String, val version: String, val licence: String)

/** A licence whose text the app carries. [id]: as SPDX has it. */
enum class Licence(val id: String, @param:StringRes val title: Int, @param:RawRes val text: Int) {
    APACHE("Apache-2.0", R.string.licence_apache, R.raw.apache_2_0),
    BOUNCY_CASTLE("MIT", R.string.licence_bouncy_castle, R.raw.bouncy_castle),
}

/** What the app carries of others; `python android-build components` writes the list. */
fun components(context: Context): List<Component> {
    val listed = JSONArray(context.rawText(R.raw.components))
    return List(listed.length()) { index ->
        val entry = listed.getJSONObject(index)
        Component(entry.getString("name"), entry.getString("version"), entry.getString("licence"))
    }
}

/** What the app is, what it is made of, and under which licences and terms. */
@Composable
fun AboutScreen(model: ModelInfo, onBack: (() -> Unit)? = {}) = Frame(stringResource(R.string.about), onBack) { padding ->
    val context = LocalContext.current
    val (label, version) = remember(context) { nameOf(context) }
    val components = remember(context) { components(context).groupBy { it.licence } }
    ScrollingColumn(padding) {
        Section(label) { Figure(stringResource(R.string.app_version), version) }
        Section(stringResource(R.string.terms_of_model)) {
            Text(
                model.notice ?: model.licence ?: stringResource(R.string.no_terms),
                style = MaterialTheme.typography.bodyMedium,
            )
        }
        Section(stringResource(R.string.made_of)) { Text(stringResource(R.string.made_of_hint)) }
        Licence.entries.forEach { licence -> Under(licence, components[licence.id].orEmpty()) }
    }
}

@Composable
private fun Under(licence: Licence, components: List<Component>) = Section(stringResource(licence.title)) {
    val context = LocalContext.current
    var isOpen by rememberSaveable(licence) { mutableStateOf(false) }
    Text(components.joinToString("\n") { "${it.name} ${it.version}" }, style = MaterialTheme.typography.bodySmall)
    OutlinedButton({ isOpen = !isOpen }, Modifier.heightIn(min = 48.dp)) {
        Text(stringResource(if (isOpen) R.string.hide_licence else R.string.show_licence))
    }
    if (isOpen) {
        SelectionContainer {
            Text(
                remember(context, licence) { context.rawText(licence.text) },
                Modifier.testTag("licence"),
                fontFamily = FontFamily.Monospace,
                style = MaterialTheme.typography.bodySmall,
            )
        }
    }
}

private fun nameOf(context: Context): Pair<String, String> {
    val packages = context.packageManager
    val version = packages.getPackageInfo(context.packageName, 0).versionName.orEmpty()
    return context.applicationInfo.loadLabel(packages).toString() to version
}

/** These files are the same in every language and on every screen. */
private fun Context.rawText(@RawRes id: Int): String = resources.openRawResource(id).use { it.readBytes().decodeToString() }
