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
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import dev.edgekit.core.bundle.InstallState
import dev.edgekit.core.tasks.OpeningPhase
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.HostState

/**
 * What is seen until the model is ready.
 *
 * @param onBuiltIn back to the app's own bundle; null when that is the one which is starting
 */
@Composable
fun StartScreen(state: HostState, onRetry: () -> Unit, onPick: () -> Unit, onBuiltIn: (() -> Unit)?) = Surface(Modifier.fillMaxSize()) {
    Column(
        Modifier.fillMaxSize().safeDrawingPadding().verticalScroll(rememberScrollState()).padding(24.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        when (state) {
            is HostState.Failed -> Failure(explain(state.failure), onRetry, onPick, onBuiltIn)
            is HostState.Installing -> Installing(state.progress)
            is HostState.Opening -> Step(
                title = stringResource(R.string.starting),
                detail = stringResource(
                    if (state.phase == OpeningPhase.COMPARING) R.string.comparing_gpu else R.string.loading_weights,
                ),
                progress = null,
            )
            is HostState.Lent, is HostState.Ready -> Unit
        }
    }
}

@Composable
private fun ColumnScope.Installing(progress: InstallState?) = when (progress) {
    is InstallState.Copying -> Step(
        title = stringResource(R.string.copying),
        detail = stringResource(R.string.size_of_size, bytes(progress.done), bytes(progress.total)),
        progress = share(progress.done, progress.total),
        hint = stringResource(R.string.copying_hint),
    )
    is InstallState.Checking -> Step(
        title = stringResource(R.string.checking),
        detail = stringResource(R.string.size_of_size, bytes(progress.done), bytes(progress.total)),
        progress = share(progress.done, progress.total),
    )
    else -> Step(stringResource(R.string.looking_for_model), null, null)
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
private fun ColumnScope.Failure(what: Explanation, onRetry: () -> Unit, onPick: () -> Unit, onBuiltIn: (() -> Unit)?) {
    Icon(painterResource(R.drawable.ic_failure), null, Modifier.size(56.dp), tint = MaterialTheme.colorScheme.error)
    Text(
        what.title,
        Modifier.semantics { heading(); liveRegion = LiveRegionMode.Assertive },
        style = MaterialTheme.typography.headlineSmall,
        textAlign = TextAlign.Center,
    )
    Text(what.remedy, Modifier.widthIn(max = 480.dp), style = MaterialTheme.typography.bodyLarge, textAlign = TextAlign.Center)
    if (what.detail != null) Detail(what.detail)
    Button(onRetry) { Text(stringResource(R.string.retry)) }
    OutlinedButton(onPick) { Text(stringResource(R.string.open_another)) }
    if (onBuiltIn != null) OutlinedButton(onBuiltIn) { Text(stringResource(R.string.back_to_built_in)) }
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
