package dev.edgekit.sample.screens

import androidx.annotation.StringRes
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import dev.edgekit.core.AdapterInfo
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.Backend
import dev.edgekit.core.ModelInfo
import dev.edgekit.core.Quality
import dev.edgekit.core.QualityCheck
import dev.edgekit.core.TaskInfo
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.HostState

/**
 * @property runtimeVersion null while the engine is lent to a benchmark
 * @property switchTime seconds that the latest change to this task's adapter took, null when that was another's
 */
data class ModelUiState(
    val info: ModelInfo,
    val task: TaskInfo,
    val runtimeVersion: String?,
    val backend: Backend?,
    val switchTime: Double? = null,
)

@Composable
fun ModelRoute(host: HostState, task: String, onBack: (() -> Unit)?) {
    val state = when (host) {
        is HostState.Ready -> {
            val switch by host.model.lastSwitch.collectAsStateWithLifecycle()
            val took = switch?.takeIf { it.task == task }?.seconds
            host.model.info.task(task)?.let { ModelUiState(host.model.info, it, host.model.runtimeVersion, host.model.backend, took) }
        }
        is HostState.Lent -> host.model.info.task(task)?.let { ModelUiState(host.model.info, it, null, null) }
        else -> null
    }
    if (state != null) ModelScreen(state, onBack)
}

/** The model card: what answers, how well, and under which terms. */
@Composable
fun ModelScreen(state: ModelUiState, onBack: (() -> Unit)? = {}) = Frame(stringResource(R.string.model_card), onBack) { padding ->
    val info = state.info
    val adapter = state.task.adapter
    val form = if (state.task.tools.isEmpty()) answerForm(state.task.format) else R.string.answers_calls
    ScrollingColumn(padding) {
        if (adapter == null) {
            Section(info.name) {
                state.task.description?.let { Text(it) }
                ModelFacts(state)
                AnswerFact(form)
                EngineFacts(state)
            }
            Section(stringResource(R.string.quality)) { Verdict(state.task.quality) }
            Digest(R.string.digest, info.sha256)
        } else {
            Section(adapter.name) {
                state.task.description?.let { Text(it) }
                AdapterFacts(adapter, state.switchTime)
                AnswerFact(form)
            }
            Section(stringResource(R.string.quality)) { Verdict(state.task.quality) }
            Section(stringResource(R.string.base_model, info.name)) {
                ModelFacts(state)
                EngineFacts(state)
            }
            Digest(R.string.digest_of_adapter, adapter.sha256)
            Digest(R.string.digest_of_base, info.sha256)
            Terms(R.string.terms_of_adapter, adapter.notice ?: adapter.licence)
        }
        Terms(if (adapter == null) R.string.terms else R.string.terms_of_base, info.notice ?: info.licence)
    }
}

@Composable
private fun AdapterFacts(adapter: AdapterInfo, switchTime: Double?) {
    Figure(stringResource(R.string.trained_as), adapter.source)
    Figure(stringResource(R.string.adapter_size), bytes(adapter.bytes))
    val rank = number(adapter.trainedRank)
    Figure(
        stringResource(R.string.rank),
        if (adapter.trainedRank == adapter.rank) rank else stringResource(R.string.rank_padded, rank, number(adapter.rank)),
    )
    Figure(stringResource(R.string.targets), adapter.targets.joinToString())
    switchTime?.let { Figure(stringResource(R.string.last_switch), seconds(it)) }
}

@Composable
private fun ModelFacts(state: ModelUiState) {
    Figure(stringResource(R.string.file_size), bytes(state.info.modelBytes))
    state.info.recipe?.let { Figure(stringResource(R.string.recipe), it) }
    val context = state.info.contextTokens
    Figure(stringResource(R.string.context), pluralStringResource(R.plurals.tokens, context, number(context)))
    Figure(stringResource(R.string.memory_need), bytes(state.info.memory.total))
}

@Composable
private fun AnswerFact(@StringRes form: Int) = Figure(stringResource(R.string.answers), stringResource(form))

@Composable
private fun EngineFacts(state: ModelUiState) {
    state.runtimeVersion?.let { Figure(stringResource(R.string.runtime), it) }
    state.info.minimumRuntime?.let { Figure(stringResource(R.string.minimum_runtime), it) }
    state.backend?.let { Figure(stringResource(R.string.backend), backendName(it)) }
}

@Composable
private fun Digest(@StringRes title: Int, sha256: String) = Section(stringResource(title)) {
    SelectionContainer {
        Text(
            sha256,
            fontFamily = FontFamily.Monospace,
            style = MaterialTheme.typography.bodySmall,
        )
    }
}

@Composable
private fun Terms(@StringRes title: Int, terms: String?) = Section(stringResource(title)) {
    Text(terms ?: stringResource(R.string.no_terms), style = MaterialTheme.typography.bodyMedium)
}

private fun answerForm(format: AnswerFormat?) = when (format) {
    null -> R.string.answers_free
    is AnswerFormat.JsonSchema -> R.string.answers_json
    is AnswerFormat.Regex -> R.string.answers_labels
}

@Composable
private fun Verdict(quality: Quality?) {
    if (quality == null) {
        Text(stringResource(R.string.quality_unknown))
        return
    }
    Text(
        stringResource(if (quality.passed) R.string.quality_passed else R.string.quality_failed),
        style = MaterialTheme.typography.titleMedium,
    )
    quality.checks.forEach { Check(it) }
}

@Composable
private fun Check(check: QualityCheck) = Row(
    Modifier.fillMaxWidth().semantics(mergeDescendants = true) {},
    horizontalArrangement = Arrangement.spacedBy(12.dp),
) {
    Icon(
        painterResource(if (check.passed) R.drawable.ic_check else R.drawable.ic_differs),
        stringResource(if (check.passed) R.string.passed else R.string.not_passed),
        tint = if (check.passed) MaterialTheme.colorScheme.primary else MaterialTheme.colorScheme.error,
    )
    Column {
        Text(check.name)
        Text(check.summary, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
    }
}
