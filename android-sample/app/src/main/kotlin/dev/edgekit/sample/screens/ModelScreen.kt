package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.dp
import dev.edgekit.sample.R
import dev.edgekit.sample.bundle.Bundle
import dev.edgekit.sample.bundle.Quality
import dev.edgekit.sample.bundle.QualityCheck
import dev.edgekit.sample.engine.AnswerFormat
import dev.edgekit.sample.engine.Backend
import dev.edgekit.sample.tasks.contextTokens

/** @property runtimeVersion null while the engine is lent to a benchmark */
data class ModelUiState(val bundle: Bundle, val runtimeVersion: String?, val backend: Backend?)

/** The model card: what is in the app, how good it is, and under which terms. */
@Composable
fun ModelScreen(state: ModelUiState, onBack: (() -> Unit)? = {}) = Frame(stringResource(R.string.model_card), onBack) { padding ->
    val bundle = state.bundle
    ScrollingColumn(padding) {
        Section(bundle.manifest?.name ?: bundle.model.nameWithoutExtension) {
            bundle.task.description?.let { Text(it) }
            Facts(state)
        }
        Section(stringResource(R.string.quality)) { Verdict(bundle.task.quality) }
        Section(stringResource(R.string.digest)) {
            SelectionContainer {
                Text(
                    bundle.manifest?.model?.sha256 ?: stringResource(R.string.no_digest),
                    fontFamily = FontFamily.Monospace,
                    style = MaterialTheme.typography.bodySmall,
                )
            }
        }
        Section(stringResource(R.string.terms)) {
            Text(bundle.notice ?: bundle.manifest?.licence ?: stringResource(R.string.no_terms), style = MaterialTheme.typography.bodyMedium)
        }
    }
}

@Composable
private fun Facts(state: ModelUiState) {
    val bundle = state.bundle
    val manifest = bundle.manifest
    Figure(stringResource(R.string.file_size), bytes(manifest?.model?.size ?: bundle.model.length()))
    manifest?.let { Figure(stringResource(R.string.recipe), it.recipe) }
    val context = bundle.contextTokens
    Figure(stringResource(R.string.context), pluralStringResource(R.plurals.tokens, context, number(context)))
    Figure(stringResource(R.string.answers), stringResource(answerForm(manifest?.answerFormat)))
    state.runtimeVersion?.let { Figure(stringResource(R.string.runtime), it) }
    manifest?.let { Figure(stringResource(R.string.minimum_runtime), it.minimumRuntime) }
    state.backend?.let { Figure(stringResource(R.string.backend), backendName(it)) }
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
