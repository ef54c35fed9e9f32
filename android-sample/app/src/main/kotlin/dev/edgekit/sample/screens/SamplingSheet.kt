package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.navigationBarsPadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.ModalBottomSheet
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Slider
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.rememberModalBottomSheetState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.listSaver
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.stateDescription
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.unit.dp
import dev.edgekit.core.Sampling
import dev.edgekit.sample.R
import kotlin.math.roundToInt

/** Settings while they are edited: the figures of top-p are kept while greedy is chosen. */
data class SamplingDraft(val greedy: Boolean, val temperature: Float, val topK: Int, val topP: Float, val seed: String) {
    fun toSampling(): Sampling =
        if (greedy) Sampling.Greedy else Sampling.TopP(temperature, topK, topP, seed.toIntOrNull())

    companion object {
        /** Null is a model file that brings its own; the sheet then begins with what Gemma recommends. */
        fun of(sampling: Sampling?): SamplingDraft = when (sampling) {
            is Sampling.TopP ->
                SamplingDraft(false, sampling.temperature, sampling.topK, sampling.topP, sampling.seed?.toString().orEmpty())
            else -> SamplingDraft(sampling == Sampling.Greedy, 1f, 64, 0.95f, "")
        }

        val Saver = listSaver<SamplingDraft, Any>(
            save = { listOf(it.greedy, it.temperature, it.topK, it.topP, it.seed) },
            restore = { SamplingDraft(it[0] as Boolean, it[1] as Float, it[2] as Int, it[3] as Float, it[4] as String) },
        )
    }
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun SamplingSheet(sampling: Sampling?, default: Sampling?, onApply: (Sampling) -> Unit, onDismiss: () -> Unit) {
    var draft by rememberSaveable(stateSaver = SamplingDraft.Saver) { mutableStateOf(SamplingDraft.of(sampling)) }
    ModalBottomSheet(onDismiss, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        SamplingForm(
            draft,
            onChange = { draft = it },
            onDefault = { draft = SamplingDraft.of(default) },
            onApply = {
                onApply(draft.toSampling())
                onDismiss()
            },
        )
    }
}

@Composable
fun SamplingForm(draft: SamplingDraft, onChange: (SamplingDraft) -> Unit, onDefault: () -> Unit, onApply: () -> Unit) = Column(
    Modifier.verticalScroll(rememberScrollState()).padding(horizontal = 24.dp).padding(bottom = 16.dp).navigationBarsPadding(),
    verticalArrangement = Arrangement.spacedBy(8.dp),
) {
    Text(stringResource(R.string.sampling), Modifier.semantics { heading() }, style = MaterialTheme.typography.titleLarge)
    Text(
        stringResource(R.string.sampling_hint),
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.bodyMedium,
    )
    SwitchRow(stringResource(R.string.greedy), stringResource(R.string.greedy_hint), draft.greedy) { onChange(draft.copy(greedy = it)) }
    val free = !draft.greedy
    SliderRow(stringResource(R.string.temperature), draft.temperature, 0f..2f, free, decimals = 2) {
        onChange(draft.copy(temperature = (it * 20).roundToInt() / 20f))
    }
    SliderRow(stringResource(R.string.top_k), draft.topK.toFloat(), 1f..100f, free) { onChange(draft.copy(topK = it.roundToInt())) }
    SliderRow(stringResource(R.string.top_p), draft.topP, 0f..1f, free, decimals = 2) {
        onChange(draft.copy(topP = (it * 20).roundToInt() / 20f))
    }
    OutlinedTextField(
        draft.seed,
        { typed -> onChange(draft.copy(seed = typed.filter(Char::isDigit).take(SEED_DIGITS))) },
        Modifier.fillMaxWidth(),
        enabled = free,
        label = { Text(stringResource(R.string.seed)) },
        supportingText = { Text(stringResource(R.string.seed_hint)) },
        keyboardOptions = KeyboardOptions(keyboardType = KeyboardType.Number),
        singleLine = true,
    )
    Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(8.dp, Alignment.End)) {
        TextButton(onDefault) { Text(stringResource(R.string.sampling_default)) }
        Button(onApply) { Text(stringResource(R.string.apply)) }
    }
}

/** So that a seed fits into an Int. */
private const val SEED_DIGITS = 9

@Composable
fun SwitchRow(title: String, hint: String, checked: Boolean, onChange: (Boolean) -> Unit) = Row(
    Modifier.fillMaxWidth().heightIn(min = 56.dp).toggleable(checked, role = Role.Switch, onValueChange = onChange),
    horizontalArrangement = Arrangement.spacedBy(16.dp),
    verticalAlignment = Alignment.CenterVertically,
) {
    Column(Modifier.weight(1f)) {
        Text(title)
        Text(hint, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
    }
    Switch(checked, onCheckedChange = null)
}

@Composable
private fun SliderRow(
    title: String,
    value: Float,
    range: ClosedFloatingPointRange<Float>,
    enabled: Boolean,
    decimals: Int = 0,
    onChange: (Float) -> Unit,
) = Column {
    val shown = number(value, decimals)
    Row(Modifier.fillMaxWidth(), Arrangement.SpaceBetween) {
        Text(title)
        Text(shown, color = MaterialTheme.colorScheme.onSurfaceVariant)
    }
    Slider(
        value,
        onChange,
        Modifier.semantics {
            contentDescription = title
            stateDescription = shown
        },
        enabled,
        range,
    )
}
