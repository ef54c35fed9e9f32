package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.Button
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import dev.edgekit.core.GoldenResult
import dev.edgekit.sample.R

@Composable
fun SelfTestRoute(task: String, onBack: (() -> Unit)?, viewModel: SelfTestViewModel = viewModelOf(task)) {
    val state by viewModel.state.collectAsStateWithLifecycle()
    SelfTestScreen(state, viewModel::start, viewModel::cancel, onBack)
}

@Composable
fun SelfTestScreen(state: SelfTestUiState, onStart: () -> Unit, onCancel: () -> Unit, onBack: (() -> Unit)? = {}) =
    Frame(stringResource(R.string.self_test), onBack) { padding ->
        ScrollingColumn(padding) {
            Text(stringResource(R.string.self_test_hint), color = MaterialTheme.colorScheme.onSurfaceVariant)
            when {
                state.total == 0 -> Text(stringResource(R.string.no_golden))
                state.running -> {
                    LinearProgressIndicator({ state.compared.size.toFloat() / state.total }, Modifier.fillMaxWidth())
                    Text(
                        stringResource(R.string.count_of_count, number(state.compared.size), number(state.total)),
                        Modifier.semantics { liveRegion = LiveRegionMode.Polite },
                    )
                    OutlinedButton(onCancel) { Text(stringResource(R.string.cancel)) }
                }
                else -> Button(onStart) { Text(stringResource(R.string.start_self_test)) }
            }
            if (state.finished) Verdict(state)
            state.compared.forEach { Compared(it) }
        }
    }

@Composable
private fun Verdict(state: SelfTestUiState) = Section(null) {
    val differing = state.total - state.same
    Text(
        pluralStringResource(R.plurals.answers_agree, state.total, number(state.same), number(state.total)),
        Modifier.semantics { liveRegion = LiveRegionMode.Polite },
        style = MaterialTheme.typography.titleMedium,
    )
    if (differing > 0) Text(stringResource(R.string.why_answers_differ), style = MaterialTheme.typography.bodyMedium)
}

@Composable
private fun Compared(comparison: GoldenResult) = Section(null) {
    Row(
        Modifier.fillMaxWidth().semantics(mergeDescendants = true) {},
        horizontalArrangement = Arrangement.spacedBy(12.dp),
    ) {
        val color = if (comparison.same) MaterialTheme.colorScheme.primary else MaterialTheme.colorScheme.error
        Icon(
            painterResource(if (comparison.same) R.drawable.ic_check else R.drawable.ic_differs),
            stringResource(if (comparison.same) R.string.same else R.string.differs),
            tint = color,
        )
        Text(comparison.prompt, Modifier.weight(1f), style = MaterialTheme.typography.titleSmall)
    }
    if (comparison.same) {
        Verbatim(null, comparison.expected)
    } else {
        Verbatim(stringResource(R.string.desktop_said), comparison.expected)
        val failure = comparison.failure
        Verbatim(stringResource(R.string.phone_said), comparison.answer ?: failure?.let { explain(it).title }.orEmpty())
    }
}

@Composable
private fun Verbatim(who: String?, text: String) = Column {
    if (who != null) Text(who, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)
    Text(text, fontFamily = FontFamily.Monospace, style = MaterialTheme.typography.bodySmall)
}
