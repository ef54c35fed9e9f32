package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.scale
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.OpenProgress
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.HostState

/**
 * What the start asks for.
 *
 * @property openBuiltIn back to the app's own bundle; null when that is the one which is starting
 * @property openInLittleMemory with a context of so many tokens, or with its own for null
 */
data class StartActions(
    val retry: () -> Unit,
    val pick: () -> Unit,
    val openBuiltIn: (() -> Unit)? = null,
    val openInLittleMemory: (contextTokens: Int?) -> Unit = {},
)

/** What is seen until the model is ready. */
@Composable
fun StartScreen(state: HostState, actions: StartActions) = Surface(Modifier.fillMaxSize()) {
    Column(
        Modifier.fillMaxSize().safeDrawingPadding().verticalScroll(rememberScrollState()).padding(24.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        when (state) {
            is HostState.Failed -> Failure(state.failure, actions)
            is HostState.Opening -> Opening(state.progress)
            is HostState.Lent, is HostState.Ready -> Unit
        }
    }
}

@Composable
private fun ColumnScope.Opening(progress: OpenProgress?) = when (progress) {
    is OpenProgress.Copying -> Step(
        title = stringResource(R.string.copying),
        detail = stringResource(R.string.size_of_size, bytes(progress.done), bytes(progress.total)),
        progress = share(progress.done, progress.total),
        hint = stringResource(R.string.copying_hint),
    )
    is OpenProgress.Checking -> Step(
        title = stringResource(R.string.checking),
        detail = stringResource(R.string.size_of_size, bytes(progress.done), bytes(progress.total)),
        progress = share(progress.done, progress.total),
    )
    OpenProgress.Starting -> Step(stringResource(R.string.starting), stringResource(R.string.loading_weights), null)
    OpenProgress.Comparing -> Step(stringResource(R.string.starting), stringResource(R.string.comparing_gpu), null)
    null -> Step(stringResource(R.string.looking_for_model), null, null)
}

private fun share(done: Long, total: Long) = if (total > 0) done.toFloat() / total else 0f

@Composable
private fun ColumnScope.Step(title: String, detail: String?, progress: Float?, hint: String? = null) {
    Icon(
        painterResource(R.drawable.ic_launcher_foreground),
        contentDescription = null,
        Modifier.size(88.dp).scale(ICON_WITHOUT_MARGIN),
        tint = MaterialTheme.colorScheme.primary,
    )
    Text(
        title,
        Modifier.semantics { heading(); liveRegion = LiveRegionMode.Polite },
        style = MaterialTheme.typography.headlineSmall,
        textAlign = TextAlign.Center,
    )
    val bar = Modifier.widthIn(max = 320.dp).fillMaxWidth()
    if (progress == null) LinearProgressIndicator(bar) else LinearProgressIndicator({ progress }, bar)
    if (detail != null) Text(detail, style = MaterialTheme.typography.bodyMedium, textAlign = TextAlign.Center)
    if (hint != null) {
        Text(
            hint,
            Modifier.widthIn(max = 480.dp),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.bodySmall,
            textAlign = TextAlign.Center,
        )
    }
}

/** An adaptive icon keeps a third free around its picture, for the launcher to cut its shape from. */
private const val ICON_WITHOUT_MARGIN = 1.6f

@Composable
private fun ColumnScope.Failure(failure: Exception, actions: StartActions) {
    val what = explain(failure)
    Icon(painterResource(R.drawable.ic_failure), null, Modifier.size(56.dp), tint = MaterialTheme.colorScheme.error)
    Text(
        what.title,
        Modifier.semantics { heading(); liveRegion = LiveRegionMode.Assertive },
        style = MaterialTheme.typography.headlineSmall,
        textAlign = TextAlign.Center,
    )
    Text(what.remedy, Modifier.widthIn(max = 480.dp), style = MaterialTheme.typography.bodyLarge, textAlign = TextAlign.Center)
    if (what.detail != null) Detail(what.detail)
    Button(actions.retry) { Text(stringResource(R.string.retry)) }
    if (failure is EdgekitFailure.NotEnoughMemory) LittleMemory(failure.contextTokens, actions.openInLittleMemory)
    OutlinedButton(actions.pick) { Text(stringResource(R.string.open_another)) }
    actions.openBuiltIn?.let { OutlinedButton(it) { Text(stringResource(R.string.back_to_built_in)) } }
}

/** Ways to open it all the same. [fitting]: tokens of a context for which there is enough; null when none fits. */
@Composable
private fun LittleMemory(fitting: Int?, open: (Int?) -> Unit) {
    if (fitting != null) {
        OutlinedButton({ open(fitting) }) { Text(pluralStringResource(R.plurals.open_with_context, fitting, number(fitting))) }
    }
    OutlinedButton({ open(null) }) { Text(stringResource(R.string.open_anyway)) }
}

/** The reason in the program's own words: for whoever reports it. */
@Composable
private fun Detail(text: String) = Surface(
    Modifier.widthIn(max = 480.dp).fillMaxWidth(),
    shape = MaterialTheme.shapes.medium,
    color = MaterialTheme.colorScheme.surfaceContainerHigh,
) {
    SelectionContainer {
        Text(text, Modifier.padding(12.dp), fontFamily = FontFamily.Monospace, style = MaterialTheme.typography.bodySmall)
    }
}
